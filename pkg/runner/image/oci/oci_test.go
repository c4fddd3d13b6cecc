package oci_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/runner/image/imagetest"
	"github.com/vexa-ai/vexa/pkg/runner/image/oci"
)

const arch = "amd64"

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// saved is an archive in the making; a test spoils its parts.
type saved struct {
	arch, os string
	layers   [][]byte
	diffs    int
	docker   bool
	extra    []imagetest.Entry
	spoil    func(files map[string]string)
	part     func(layer map[string]any) // changes a layer's descriptor
	diff     string                     // of each layer; "": the right one
}

// diffID is the digest of a layer, uncompressed.
func diffID(t *testing.T, layer []byte) string {
	t.Helper()
	if r, err := gzip.NewReader(bytes.NewReader(layer)); err == nil {
		if layer, err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
	}
	return "sha256:" + digest(layer)
}

// pack makes the archive.
func (s saved) pack(t *testing.T) []byte {
	t.Helper()
	files := map[string]string{}
	type object map[string]any
	text := func(v any) string {
		data, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	put := func(data string) object {
		files["blobs/sha256/"+digest([]byte(data))] = data
		return object{"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": "sha256:" + digest([]byte(data)), "size": len(data)}
	}
	diffs := make([]string, s.diffs)
	for i := range diffs {
		if diffs[i] = s.diff; s.diff == "" && i < len(s.layers) {
			diffs[i] = diffID(t, s.layers[i])
		}
	}
	config := text(object{"architecture": s.arch, "os": s.os, "rootfs": object{"type": "layers", "diff_ids": diffs}})
	var layers []object
	var names []string
	for _, l := range s.layers {
		layer := put(string(l))
		if s.part != nil {
			s.part(layer)
		}
		layers = append(layers, layer)
		names = append(names, "blobs/sha256/"+digest(l))
	}
	if s.docker {
		put(config)
		files["manifest.json"] = text([]object{{"Config": "blobs/sha256/" + digest([]byte(config)), "RepoTags": []string{"localhost/vexa/stolen:name"}, "Layers": names}})
	} else {
		manifest := put(text(object{"schemaVersion": 2, "config": put(config), "layers": layers}))
		manifest["mediaType"] = "application/vnd.oci.image.manifest.v1+json"
		manifest["annotations"] = object{"org.opencontainers.image.ref.name": "localhost/vexa/stolen:name"}
		files["index.json"] = text(object{"schemaVersion": 2, "manifests": []object{manifest}})
	}
	if s.spoil != nil {
		s.spoil(files)
	}
	entries := s.extra
	for name, data := range files {
		entries = append(entries, imagetest.Entry{Name: name, Data: data})
	}
	return imagetest.Tar(t, entries...)
}

func good(t *testing.T) saved {
	t.Helper()
	return saved{arch: arch, os: "linux", diffs: 1, layers: [][]byte{imagetest.Tar(t, imagetest.Entry{Name: "bin/x", Data: "x"}, imagetest.Entry{Name: "etc/.wh.y"})}}
}

func read(data []byte) (oci.Image, error) {
	return oci.Read(bytes.NewReader(data), int64(len(data)), arch)
}

func TestReadBothKinds(t *testing.T) {
	t.Parallel()
	for _, docker := range []bool{false, true} {
		s := good(t)
		s.docker = docker
		s.layers = append(s.layers, imagetest.Compress(t, ".gz", imagetest.Tar(t, imagetest.Entry{Name: "./y", Data: "yy"})))
		s.diffs = 2
		img, err := read(s.pack(t))
		if err != nil {
			t.Fatal(err)
		}
		var buf bytes.Buffer
		if err := img.WriteArchive(&buf, "localhost/mine:1"); err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(buf.Bytes(), []byte("stolen")) {
			t.Error("the name that the archive gives its image was taken over")
		}
		again, err := read(buf.Bytes())
		if err != nil || again.Digest() != img.Digest() || again.ID() != img.ID() || img.Unpacked != 3 {
			t.Errorf("docker %v: %v; %s and %s; %d bytes", docker, err, again.Digest(), img.Digest(), img.Unpacked)
		}
	}
}

// TestHostileArchivesOfOthers attacks --from.
func TestHostileArchivesOfOthers(t *testing.T) {
	t.Parallel()
	layer := func(e ...imagetest.Entry) func(*saved) {
		return func(s *saved) { s.layers = [][]byte{imagetest.Tar(t, e...)} }
	}
	first := func(files map[string]string, prefix string) string {
		for name := range files {
			if strings.HasPrefix(name, prefix) {
				return name
			}
		}
		return ""
	}
	for name, test := range map[string]struct {
		change func(*saved)
		kind   fault.Kind
		word   string
	}{
		"another architecture":      {func(s *saved) { s.arch = "arm64" }, fault.Invalid, "arm64"},
		"another system":            {func(s *saved) { s.os = "windows" }, fault.Invalid, "windows"},
		"layers that are not there": {func(s *saved) { s.diffs = 2 }, fault.Invalid, "layers"},
		"no layer":                  {func(s *saved) { s.layers, s.diffs = nil, 0 }, fault.Invalid, "layers"},
		"a layer's name climbs":     {layer(imagetest.Entry{Name: "../x"}), fault.Denied, "path"},
		"a layer's absolute name":   {layer(imagetest.Entry{Name: "/etc/x"}), fault.Denied, "path"},
		"a device in a layer":       {layer(imagetest.Entry{Name: "dev/mem", Kind: tar.TypeChar}), fault.Denied, "neither"},
		"a pipe in a layer":         {layer(imagetest.Entry{Name: "p", Kind: tar.TypeFifo}), fault.Denied, "neither"},
		"a hard link out of it":     {layer(imagetest.Entry{Name: "h", Link: "../../etc/shadow", Kind: tar.TypeLink}), fault.Denied, "link"},
		"a layer that is no tar":    {func(s *saved) { s.layers = [][]byte{bytes.Repeat([]byte("x"), 2048)} }, fault.Invalid, "layer"},
		"a layer from elsewhere": {func(s *saved) {
			s.part = func(l map[string]any) { l["urls"] = []string{"http://169.254.169.254/latest"} }
		}, fault.Denied, "169.254.169.254"},
		"a foreign layer": {func(s *saved) {
			s.part = func(l map[string]any) { l["mediaType"] = "application/vnd.docker.image.rootfs.foreign.diff.tar" }
		}, fault.Denied, "foreign"},
		"a layer not to be handed on": {func(s *saved) {
			s.part = func(l map[string]any) { l["mediaType"] = "application/vnd.oci.image.layer.nondistributable.v1.tar" }
		}, fault.Denied, "nondistributable"},
		"a manifest from elsewhere": {func(s *saved) {
			s.spoil = func(f map[string]string) {
				f["index.json"] = strings.Replace(f["index.json"], `"size"`, `"urls":["http://10.0.0.1/"],"size"`, 1)
			}
		}, fault.Denied, "10.0.0.1"},
		"other bytes than the configuration says": {func(s *saved) { s.diff = "sha256:" + strings.Repeat("0a", 32) }, fault.Invalid, "uncompressed"},
		"no digest of the uncompressed bytes":     {func(s *saved) { s.diff = "sha256:" }, fault.Invalid, "uncompressed"},
		"more behind a layer's end": {func(s *saved) {
			s.diff = diffID(t, s.layers[0])
			s.layers = [][]byte{imagetest.Compress(t, ".gz", append(bytes.Clone(s.layers[0]), "more"...))}
		}, fault.Invalid, "uncompressed"},
		"a layer whose checksum is cut off": {func(s *saved) {
			s.diff = diffID(t, s.layers[0])
			packed := imagetest.Compress(t, ".gz", s.layers[0])
			s.layers = [][]byte{packed[:len(packed)-4]}
		}, fault.Invalid, "layer"},
		"a member climbs":      {func(s *saved) { s.extra = []imagetest.Entry{{Name: "../../x"}} }, fault.Denied, "member"},
		"a device as a member": {func(s *saved) { s.extra = []imagetest.Entry{{Name: "blobs/x", Kind: tar.TypeBlock}} }, fault.Denied, "neither"},
		"a blob of other bytes": {func(s *saved) {
			s.spoil = func(f map[string]string) { f[first(f, "blobs/")] += " " }
		}, fault.Invalid, ""},
		"a blob is missing": {func(s *saved) {
			s.spoil = func(f map[string]string) { delete(f, first(f, "blobs/")) }
		}, fault.Invalid, ""},
		"a digest that is a path": {func(s *saved) {
			s.spoil = func(f map[string]string) {
				f["index.json"] = strings.Replace(f["index.json"], "sha256:", "sha256:../../../etc/", 1)
			}
		}, fault.Invalid, ""},
		"no index": {func(s *saved) { s.spoil = func(f map[string]string) { delete(f, "index.json") } }, fault.Invalid, "no image"},
		"an index of megabytes": {func(s *saved) {
			s.spoil = func(f map[string]string) { f["index.json"] += strings.Repeat(" ", 9<<20) }
		}, fault.Denied, "bytes"},
		"an index that is no JSON": {func(s *saved) { s.spoil = func(f map[string]string) { f["index.json"] = "{" } }, fault.Invalid, "index.json"},
	} {
		s := good(t)
		test.change(&s)
		_, err := read(s.pack(t))
		if !fault.Is(err, test.kind) || !strings.Contains(err.Error(), test.word) {
			t.Errorf("%s: %v (%s)", name, err, fault.KindOf(err))
		}
	}
	s := good(t)
	s.docker, s.diff = true, "sha256:"+strings.Repeat("0a", 32)
	if _, err := read(s.pack(t)); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "uncompressed") {
		t.Errorf("docker save, other bytes: %v", err)
	}
	whole := good(t).pack(t)
	for _, n := range []int{0, 700, len(whole) / 2} {
		if _, err := read(whole[:n]); !fault.Is(err, fault.Invalid) {
			t.Errorf("cut off at %d: %v", n, err)
		}
	}
}

// TestABombIsRefused: a layer of a few kilobytes that would fill a disk.
func TestABombIsRefused(t *testing.T) {
	t.Parallel()
	var head bytes.Buffer
	if err := tar.NewWriter(&head).WriteHeader(&tar.Header{Name: "huge", Size: 1 << 40, Format: tar.FormatGNU}); err != nil {
		t.Fatal(err)
	}
	s := good(t)
	s.layers = [][]byte{imagetest.Compress(t, ".gz", append(head.Bytes(), make([]byte, 1<<20)...))}
	if _, err := read(s.pack(t)); !fault.Is(err, fault.Denied) {
		t.Errorf("%v", err)
	}
}

// changing is a file that is another at its second reading.
type changing struct {
	*bytes.Reader
	data []byte
}

func TestAFileThatChangesIsNotLoaded(t *testing.T) {
	t.Parallel()
	data := good(t).pack(t)
	img, err := oci.Read(changing{bytes.NewReader(data), data}, int64(len(data)), arch)
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(data, []byte("bin/x"))
	data[at] = 'B'
	var buf bytes.Buffer
	if err := img.WriteArchive(&buf, "localhost/x:1"); err == nil || !strings.Contains(err.Error(), "changed") {
		t.Fatalf("%v", err)
	}
	if _, err := read(buf.Bytes()); err == nil {
		t.Error("what was written until then is taken for an image")
	}
}

func TestNewIsReproducible(t *testing.T) {
	t.Parallel()
	blob, err := oci.NewBlob(func(w io.Writer) error { _, err := io.WriteString(w, "layer"); return err })
	if err != nil {
		t.Fatal(err)
	}
	labels := map[string]string{}
	for i := range 20 {
		labels[fmt.Sprint(i)] = "x"
	}
	c := oci.Config{Architecture: arch, User: "1000:1000", WorkingDir: "/workspace", Labels: labels}
	one, err1 := oci.New(c, []oci.Blob{blob, blob})
	two, err2 := oci.New(c, []oci.Blob{blob, blob})
	if err := errors.Join(err1, err2); err != nil || one.Digest() != two.Digest() || one.Size() < 10 {
		t.Errorf("%s, %s, %v", one.Digest(), two.Digest(), err)
	}
	var buf bytes.Buffer
	if err := one.WriteArchive(&buf, "localhost/x:1"); err != nil { // the layer is in it once
		t.Fatal(err)
	}
}
