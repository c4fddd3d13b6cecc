package oci

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"github.com/klauspost/compress/gzip"

	"github.com/vexa-ai/vexa/pkg/fault"
)

// checkLayer reads a layer through and returns its media type. Refused are names
// that climb out of the image, devices, and more than an image may have; links
// may lead anywhere, since an engine follows none while it unpacks. It is read to
// its end, behind the tar's, for its bytes must have the digest diff.
func (a *archive) checkLayer(name, diff string, total *int64) (media string, err error) {
	m := a.members[name]
	magic := make([]byte, 4)
	if _, err := m.ReadAt(magic, 0); err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	media, in := mediaLayer, io.Reader(io.NewSectionReader(m, 0, m.Size()))
	switch {
	case bytes.HasPrefix(magic, []byte{0x1f, 0x8b}):
		media = mediaLayerGzip
		if in, err = gzip.NewReader(in); err != nil {
			return "", fault.Wrap(fault.Invalid, "layer "+name, err)
		}
	case bytes.Equal(magic, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		return "", fault.New(fault.Invalid, "layer "+name+" is compressed with zstd", "save the image with podman save --uncompressed")
	}
	sum := newCounter(io.Discard)
	whole := io.TeeReader(&bounded{in, &a.read}, sum)
	if err := checkEntries(name, whole, total); err != nil {
		return "", err
	}
	if _, err := io.Copy(io.Discard, whole); err != nil {
		return "", layerError(name, err)
	}
	if sum.digest() != diff {
		return "", fault.New(fault.Invalid, fmt.Sprintf("layer %s has, uncompressed, the digest %s; the image says %.80q", name, sum.digest(), diff), "the archive is damaged: make it again")
	}
	return media, nil
}

// bounded reads no more of all layers together than an image may have.
type bounded struct {
	r    io.Reader
	read *int64
}

var errTooLong = errors.New("the image has more bytes than one may have")

func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if *b.read += int64(n); *b.read > maxStream {
		return n, errTooLong
	}
	return n, err
}

func layerError(name string, err error) error {
	if errors.Is(err, errTooLong) {
		return hostile(fmt.Errorf("layer %s: %w", name, err))
	}
	return fault.Wrap(fault.Invalid, "layer "+name, err)
}

// checkEntries reads a layer up to the end of its tar.
func checkEntries(name string, in io.Reader, total *int64) error {
	tr := tar.NewReader(in)
	for n := 0; ; n++ {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return layerError(name, err)
		}
		if err := checkEntry(h); err != nil {
			return hostile(fmt.Errorf("layer %s: %w", name, err))
		}
		if *total += h.Size; n > maxNames || *total > maxLayer || *total < 0 {
			return hostile(fmt.Errorf("layer %s: the image has more than %d bytes or names", name, int64(maxLayer)))
		}
	}
}

func checkEntry(h *tar.Header) error {
	name := strings.TrimSuffix(strings.TrimPrefix(h.Name, "./"), "/")
	if name != "" && name != "." && !fs.ValidPath(name) {
		return fmt.Errorf("%.80q is no path inside an image", h.Name)
	}
	switch h.Typeflag {
	case tar.TypeReg, tar.TypeDir, tar.TypeSymlink, tar.TypeXGlobalHeader:
		return nil
	case tar.TypeLink:
		if to := strings.TrimPrefix(strings.TrimPrefix(h.Linkname, "./"), "/"); !fs.ValidPath(to) {
			return fmt.Errorf("%.80q is a link to %.80q", name, h.Linkname)
		}
		return nil
	default:
		return fmt.Errorf("%.80q is neither file, directory nor link (type %q)", name, h.Typeflag)
	}
}
