// Package oci writes container images as archives of the OCI image layout
// (image-spec v1.1), and reads those of others, in that layout or as "docker
// save" writes them.
package oci

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// The media types that are written.
const (
	mediaIndex     = "application/vnd.oci.image.index.v1+json"
	mediaManifest  = "application/vnd.oci.image.manifest.v1+json"
	mediaConfig    = "application/vnd.oci.image.config.v1+json"
	mediaLayer     = "application/vnd.oci.image.layer.v1.tar"
	mediaLayerGzip = "application/vnd.oci.image.layer.v1.tar+gzip"
)

// refName is the annotation by which an archive says what its image is called.
const refName = "org.opencontainers.image.ref.name"

// Blob is a part of an image. Write writes its bytes, which are the same each
// time.
type Blob struct {
	Digest string // "sha256:" and hexadecimal digits
	Size   int64  // bytes
	Write  func(w io.Writer) error
}

// NewBlob reads through what write writes, once, for its digest and size.
func NewBlob(write func(w io.Writer) error) (Blob, error) {
	c := newCounter(io.Discard)
	if err := write(c); err != nil {
		return Blob{}, err
	}
	return Blob{Digest: c.digest(), Size: c.n, Write: write}, nil
}

// bytesBlob is a blob that is in memory.
func bytesBlob(data []byte) Blob {
	sum := sha256.Sum256(data)
	return Blob{
		Digest: "sha256:" + hex.EncodeToString(sum[:]), Size: int64(len(data)),
		Write: func(w io.Writer) error { _, err := w.Write(data); return err },
	}
}

// Image is an image: its manifest and the blobs that it names, the layers from
// the lowest.
type Image struct {
	Architecture string // as Go and OCI name it
	Manifest     []byte // as it is stored: its digest is the image's
	Blobs        []Blob // config and layers
	Unpacked     int64  // bytes of the layers, uncompressed; 0 where that is not known
}

// Config is what an image says of itself.
type Config struct {
	Architecture string
	Env          []string
	User         string // "UID:GID"
	WorkingDir   string
	Labels       map[string]string
}

// New makes an image of uncompressed layers. The same configuration and layers
// make the same bytes: times are 0, maps are sorted.
func New(c Config, layers []Blob) (Image, error) {
	type container struct {
		Env        []string          `json:"Env,omitempty"`
		Labels     map[string]string `json:"Labels,omitempty"`
		User       string            `json:"User,omitempty"`
		WorkingDir string            `json:"WorkingDir,omitempty"`
	}
	type rootfs struct {
		DiffIDs []string `json:"diff_ids"`
		Type    string   `json:"type"`
	}
	fs := rootfs{Type: "layers"}
	var parts []descriptor
	var unpacked int64
	for _, l := range layers {
		fs.DiffIDs = append(fs.DiffIDs, l.Digest)
		parts = append(parts, descriptor{MediaType: mediaLayer, Digest: l.Digest, Size: l.Size})
		unpacked += l.Size
	}
	config, err := json.Marshal(struct {
		Architecture string    `json:"architecture"`
		Config       container `json:"config"`
		Created      string    `json:"created"`
		OS           string    `json:"os"`
		RootFS       rootfs    `json:"rootfs"`
	}{c.Architecture, container{c.Env, c.Labels, c.User, c.WorkingDir}, time.Unix(0, 0).UTC().Format(time.RFC3339), "linux", fs})
	if err != nil {
		return Image{}, err
	}
	return assemble(c.Architecture, bytesBlob(config), layers, parts, unpacked)
}

// assemble makes the manifest of an image.
func assemble(arch string, config Blob, layers []Blob, parts []descriptor, unpacked int64) (Image, error) {
	manifest, err := json.Marshal(manifest{
		SchemaVersion: 2, MediaType: mediaManifest,
		Config: descriptor{MediaType: mediaConfig, Digest: config.Digest, Size: config.Size}, Layers: parts,
	})
	if err != nil {
		return Image{}, err
	}
	return Image{Architecture: arch, Manifest: manifest, Blobs: append([]Blob{config}, layers...), Unpacked: unpacked}, nil
}

// descriptor names a blob.
type descriptor struct {
	MediaType   string            `json:"mediaType"`
	Digest      string            `json:"digest"`
	Size        int64             `json:"size"`
	Annotations map[string]string `json:"annotations,omitempty"`
	Platform    *platform         `json:"platform,omitempty"`
	URLs        []string          `json:"urls,omitempty"` // where engines fetch it instead
}

type platform struct {
	Architecture string `json:"architecture"`
	OS           string `json:"os"`
}

type manifest struct {
	SchemaVersion int          `json:"schemaVersion"`
	MediaType     string       `json:"mediaType,omitempty"`
	Config        descriptor   `json:"config"`
	Layers        []descriptor `json:"layers"`
}

type index struct {
	SchemaVersion int          `json:"schemaVersion"`
	MediaType     string       `json:"mediaType,omitempty"`
	Manifests     []descriptor `json:"manifests"`
}

// Digest is the image's: that of its manifest.
func (i Image) Digest() string { return bytesBlob(i.Manifest).Digest }

// ID is what engines call the image: the digest of its configuration.
func (i Image) ID() string { return i.Blobs[0].Digest }

// Size is the sum of the blobs, bytes.
func (i Image) Size() int64 {
	n := int64(len(i.Manifest))
	for _, b := range i.Blobs {
		n += b.Size
	}
	return n
}

// errChanged is a blob whose bytes are not those that it was made of.
var errChanged = errors.New("a part of the image changed while it was written")

// WriteArchive writes the image as a tar of the OCI image layout in which it is
// called ref. Each blob is hashed again as it is written: where one changed, the
// archive is left without its end, which no reader takes.
func (i Image) WriteArchive(w io.Writer, ref string) error {
	top, err := json.Marshal(index{SchemaVersion: 2, MediaType: mediaIndex, Manifests: []descriptor{{
		MediaType: mediaManifest, Digest: i.Digest(), Size: int64(len(i.Manifest)), Annotations: map[string]string{refName: ref},
	}}})
	if err != nil {
		return err
	}
	tw := tar.NewWriter(w)
	if err := writeBlob(tw, "oci-layout", bytesBlob([]byte(`{"imageLayoutVersion":"1.0.0"}`))); err != nil {
		return err
	}
	written := map[string]bool{}
	for _, b := range append([]Blob{bytesBlob(i.Manifest)}, i.Blobs...) {
		if written[b.Digest] { // two layers may be the same
			continue
		}
		written[b.Digest] = true
		if err := writeBlob(tw, "blobs/sha256/"+b.Digest[len("sha256:"):], b); err != nil {
			return err
		}
	}
	if err := writeBlob(tw, "index.json", bytesBlob(top)); err != nil {
		return err
	}
	return tw.Close()
}

func writeBlob(tw *tar.Writer, name string, b Blob) error {
	if err := tw.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: b.Size, ModTime: time.Unix(0, 0), Format: tar.FormatPAX}); err != nil {
		return err
	}
	c := newCounter(tw)
	if err := b.Write(c); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if c.digest() != b.Digest || c.n != b.Size {
		return fmt.Errorf("%s: %w", name, errChanged)
	}
	return nil
}
