package oci

import (
	"archive/tar"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"

	"github.com/vexa-ai/vexa/pkg/fault"
)

// Limits of an archive of others.
const (
	maxJSON    = 8 << 20  // bytes of an index, a manifest or a configuration
	maxMembers = 10_000   // files of an archive
	maxLayers  = 128      // of an image; engines have less
	maxLayer   = 16 << 30 // bytes of all layers together, uncompressed
	maxNames   = 1_000_000
	maxStream  = maxLayer + 4<<30 // the same with headers and padding
)

// archive is where the members of an archive lie in its file.
type archive struct {
	members map[string]*io.SectionReader
	links   map[string]string // name to the path that it leads to
	read    int64             // bytes of layers, uncompressed
}

// Read reads the image of architecture arch in an archive: a tar of the OCI
// image layout, or what "docker save" and "podman save" write; size is the
// archive's, bytes. The archive is trusted with nothing: every digest in it is
// verified, names in it may not climb out, and each layer is read through (see
// checkLayer). Layers stay in the file, which must not change until the image
// was written; if it does, writing fails.
//
// What is no such archive, or of another architecture, is fault.Invalid; what no
// image should hold is fault.Denied.
func Read(file io.ReaderAt, size int64, arch string) (Image, error) {
	a, err := list(file, size)
	if err != nil {
		return Image{}, err
	}
	switch {
	case a.members["index.json"] != nil:
		return a.layout(arch)
	case a.members["manifest.json"] != nil:
		return a.docker(arch)
	default:
		return Image{}, fault.New(fault.Invalid, "the archive holds no image", "make one with podman save --format oci-archive")
	}
}

// list finds the members of an archive.
func list(file io.ReaderAt, size int64) (*archive, error) {
	a := &archive{members: map[string]*io.SectionReader{}, links: map[string]string{}}
	at := io.NewSectionReader(file, 0, size)
	tr := tar.NewReader(at)
	for n := 0; ; n++ {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			a.follow()
			return a, nil
		}
		if err != nil {
			return nil, fault.Wrap(fault.Invalid, "the archive cannot be read", err)
		}
		name := strings.TrimSuffix(strings.TrimPrefix(h.Name, "./"), "/")
		if n >= maxMembers || name != "." && name != "" && !fs.ValidPath(name) {
			return nil, hostile(fmt.Errorf("%.80q is no member of an image's archive", h.Name))
		}
		switch h.Typeflag {
		case tar.TypeDir:
		case tar.TypeSymlink: // docker save has them for layers that are the same
			a.links[name] = path.Join(path.Dir(name), h.Linkname) //nolint:gosec // a key of members, which is opened nowhere
		case tar.TypeReg:
			off, err := at.Seek(0, io.SeekCurrent)
			if err != nil {
				return nil, err
			}
			if h.Size < 0 || h.Size > size-off {
				return nil, fault.New(fault.Invalid, fmt.Sprintf("the archive is cut off in %.80q", name), "")
			}
			a.members[name] = io.NewSectionReader(file, off, h.Size)
		default:
			return nil, hostile(fmt.Errorf("%.80q is neither file, directory nor link", name))
		}
	}
}

// follow gives members the names of the links to them.
func (a *archive) follow() {
	for name, to := range a.links {
		if m := a.members[to]; m != nil && a.members[name] == nil {
			a.members[name] = m
		}
	}
}

func hostile(err error) error {
	return &fault.Error{Kind: fault.Denied, Msg: "refused the archive", Err: err, Hint: "an archive that an engine saved has no such thing: do not use this one"}
}

// json reads a small member.
func (a *archive) json(name string, out any) ([]byte, error) {
	m := a.members[name]
	if m == nil {
		return nil, fault.New(fault.Invalid, "the archive lacks "+name, "")
	}
	if m.Size() > maxJSON {
		return nil, hostile(fmt.Errorf("%s has %d bytes", name, m.Size()))
	}
	data, err := io.ReadAll(io.NewSectionReader(m, 0, m.Size()))
	if err == nil {
		err = json.Unmarshal(data, out)
	}
	return data, fault.Wrap(fault.Invalid, "read "+name+" of the archive", err)
}

// blob is a member of the layout that has the digest by which it is named.
func (a *archive) blob(d descriptor) (Blob, string, error) {
	if len(d.URLs) > 0 { // an engine would ask them, from this host
		return Blob{}, "", hostile(fmt.Errorf("the part %.80q is to be fetched from %.200q", d.Digest, d.URLs[0]))
	}
	sum, ok := strings.CutPrefix(d.Digest, "sha256:")
	if !ok || len(sum) != 64 || !fs.ValidPath(sum) || strings.Contains(sum, "/") {
		return Blob{}, "", fault.New(fault.Invalid, fmt.Sprintf("the archive names a part %.80q", d.Digest), "")
	}
	name := "blobs/sha256/" + sum
	b, err := a.member(name)
	if err == nil && (b.Digest != d.Digest || b.Size != d.Size) {
		err = fault.New(fault.Invalid, fmt.Sprintf("%s has the digest %s and %d bytes", name, b.Digest, b.Size), "the archive is damaged: make it again")
	}
	return b, name, err
}

// member is a member as a blob.
func (a *archive) member(name string) (Blob, error) {
	m := a.members[name]
	if m == nil {
		return Blob{}, fault.New(fault.Invalid, "the archive lacks "+name, "")
	}
	return NewBlob(func(w io.Writer) error {
		_, err := io.Copy(w, io.NewSectionReader(m, 0, m.Size()))
		return err
	})
}

// layout reads an archive of the OCI image layout. Its manifest stays as it is,
// and so does the image's digest.
func (a *archive) layout(arch string) (Image, error) {
	var top index
	if _, err := a.json("index.json", &top); err != nil {
		return Image{}, err
	}
	var found []string
	for range 2 { // an index may name another for the architectures
		var next []descriptor
		for _, d := range top.Manifests {
			if d.Platform != nil && (d.Platform.OS != "linux" || d.Platform.Architecture != arch) {
				found = append(found, d.Platform.Architecture)
				continue
			}
			if strings.HasSuffix(d.MediaType, "index.v1+json") || strings.HasSuffix(d.MediaType, "manifest.list.v2+json") {
				next = append(next, d)
				continue
			}
			return a.manifest(d, arch)
		}
		if len(next) != 1 {
			break
		}
		_, name, err := a.blob(next[0])
		if err != nil {
			return Image{}, err
		}
		top = index{}
		if _, err := a.json(name, &top); err != nil {
			return Image{}, err
		}
	}
	return Image{}, otherArchitecture(strings.Join(found, ", "), arch)
}

func otherArchitecture(has, want string) error {
	if has == "" {
		return fault.New(fault.Invalid, "the archive holds no image", "")
	}
	return fault.New(fault.Invalid, fmt.Sprintf("the archive holds an image for %.80s, this machine is %s", has, want), "make the archive for "+want)
}

// isLayer reports whether a media type is that of a layer that engines keep in an
// archive. Foreign ones are fetched from elsewhere.
func isLayer(mediaType string) bool {
	switch mediaType {
	case mediaLayer, mediaLayerGzip,
		"application/vnd.docker.image.rootfs.diff.tar", "application/vnd.docker.image.rootfs.diff.tar.gzip":
		return true
	default:
		return false
	}
}

// manifest reads the image that a manifest describes.
func (a *archive) manifest(d descriptor, arch string) (Image, error) {
	_, name, err := a.blob(d)
	if err != nil {
		return Image{}, err
	}
	var m manifest
	data, err := a.json(name, &m)
	if err != nil {
		return Image{}, err
	}
	config, name, err := a.blob(m.Config)
	if err != nil {
		return Image{}, err
	}
	diffs, err := a.config(name, arch, len(m.Layers))
	if err != nil {
		return Image{}, err
	}
	img := Image{Architecture: arch, Manifest: data, Blobs: []Blob{config}}
	for i, l := range m.Layers {
		b, name, err := a.blob(l)
		if err != nil {
			return Image{}, err
		}
		if _, err := a.checkLayer(name, diffs[i], &img.Unpacked); err != nil {
			return Image{}, err
		}
		if !isLayer(l.MediaType) {
			return Image{}, hostile(fmt.Errorf("layer %s is of type %.80q", name, l.MediaType))
		}
		img.Blobs = append(img.Blobs, b)
	}
	return img, nil
}

// config verifies that a configuration is of the architecture and has as many
// layers as are there. It returns the digests of their uncompressed bytes.
func (a *archive) config(name, arch string, layers int) (diffs []string, err error) {
	var c struct {
		Architecture string `json:"architecture"`
		OS           string `json:"os"`
		RootFS       struct {
			DiffIDs []string `json:"diff_ids"`
		} `json:"rootfs"`
	}
	if _, err := a.json(name, &c); err != nil {
		return nil, err
	}
	switch {
	case c.OS != "linux" || c.Architecture != arch:
		return nil, otherArchitecture(c.OS+"/"+c.Architecture, arch)
	case len(c.RootFS.DiffIDs) != layers || layers == 0 || layers > maxLayers:
		return nil, fault.New(fault.Invalid, fmt.Sprintf("the image names %d layers and has %d", len(c.RootFS.DiffIDs), layers), "")
	}
	return c.RootFS.DiffIDs, nil
}

// docker reads what "docker save" writes. It has no manifest of the registry's
// kind, so that one is made.
func (a *archive) docker(arch string) (Image, error) {
	var list []struct {
		Config string
		Layers []string
	}
	if _, err := a.json("manifest.json", &list); err != nil {
		return Image{}, err
	}
	if len(list) != 1 {
		return Image{}, fault.New(fault.Invalid, fmt.Sprintf("the archive holds %d images", len(list)), "save one image alone")
	}
	diffs, err := a.config(list[0].Config, arch, len(list[0].Layers))
	if err != nil {
		return Image{}, err
	}
	config, err := a.member(list[0].Config)
	if err != nil {
		return Image{}, err
	}
	var layers []Blob
	var parts []descriptor
	var unpacked int64
	for i, name := range list[0].Layers {
		b, err := a.member(name)
		if err != nil {
			return Image{}, err
		}
		media, err := a.checkLayer(name, diffs[i], &unpacked)
		if err != nil {
			return Image{}, err
		}
		layers, parts = append(layers, b), append(parts, descriptor{MediaType: media, Digest: b.Digest, Size: b.Size})
	}
	return assemble(arch, config, layers, parts, unpacked)
}
