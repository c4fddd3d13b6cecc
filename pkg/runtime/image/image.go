// Package image makes the images that Vexa needs no registry for: "empty",
// which holds nothing but the places where things are mounted, and "shell",
// which adds the host's static busybox.
//
// A built-in image is a reproducible tar: the same Vexa on the same host makes
// the same bytes, and the image's tag is their digest, so a change is a new
// image and nothing is ever overwritten.
package image

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"os"
	"strings"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/runtime"
)

// Names of the built-in images, and the prefix of one in a workload's spec.
const (
	Empty  = "empty"
	Shell  = "shell"
	Prefix = "builtin:"
)

// repository is where the engine keeps them.
const repository = "localhost/vexa/"

// Source makes the built-in images of one host.
type Source struct {
	// Busybox is the path of a static busybox; "" is /bin/busybox.
	Busybox string
}

// Lookup resolves the image of a workload's spec: "builtin:NAME" is made where
// it is missing, anything else must exist in the engine.
func (s Source) Lookup(name string) (runtime.Image, error) {
	builtin, ok := strings.CutPrefix(name, Prefix)
	if !ok {
		return runtime.Image{Ref: name}, nil
	}
	ref, open, err := s.Resolve(builtin)
	return runtime.Image{Ref: ref, Open: open}, err
}

// Resolve returns the reference of a built-in image and a function that opens
// its root file system as a tar. A name that is not built in is fault.NotFound;
// a busybox that is missing or not static is fault.Unavailable.
func (s Source) Resolve(builtin string) (ref string, open func() (io.ReadCloser, error), err error) {
	var data []byte
	switch builtin {
	case Empty:
		data, err = build(base())
	case Shell:
		data, err = s.shell()
	default:
		return "", nil, fault.New(fault.NotFound, "no built-in image "+builtin, "the built-in images are "+Empty+" and "+Shell)
	}
	if err != nil {
		return "", nil, err
	}
	sum := sha256.Sum256(data)
	ref = repository + builtin + ":" + hex.EncodeToString(sum[:])[:12]
	return ref, func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil }, nil
}

// Resolve is Source.Resolve with this host's busybox.
func Resolve(builtin string) (ref string, open func() (io.ReadCloser, error), err error) {
	return Source{}.Resolve(builtin)
}

// Lookup is Source.Lookup with this host's busybox.
func Lookup(name string) (runtime.Image, error) { return Source{}.Lookup(name) }

// entry is one file of an image.
type entry struct {
	name string // relative, directories end in /
	mode int64
	link string // target of a symbolic link
	data []byte
}

// base is what every image has: mount points, users, names of this host.
func base() []entry {
	const (
		users  = "root:x:0:0:root:/root:/bin/sh\nagent:x:1000:1000:agent:/home/agent:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n"
		groups = "root:x:0:\nagent:x:1000:\nnogroup:x:65534:\n"
		hosts  = "127.0.0.1 localhost\n::1 localhost\n"
		nss    = "passwd: files\ngroup: files\nhosts: files\n"
	)
	return []entry{
		{name: ".vexa/", mode: 0o755},
		{name: ".vexa/bin/", mode: 0o755},
		{name: ".vexa/bin/vexa", mode: 0o755},
		{name: ".vexa/history/", mode: 0o755},
		{name: ".vexa/run/", mode: 0o755},
		{name: ".vexa/session/", mode: 0o755},
		{name: "bin/", mode: 0o755},
		{name: "dev/", mode: 0o755},
		{name: "etc/", mode: 0o755},
		{name: "etc/group", mode: 0o644, data: []byte(groups)},
		{name: "etc/hosts", mode: 0o644, data: []byte(hosts)},
		{name: "etc/nsswitch.conf", mode: 0o644, data: []byte(nss)},
		{name: "etc/passwd", mode: 0o644, data: []byte(users)},
		{name: "etc/resolv.conf", mode: 0o644},
		{name: "home/", mode: 0o755},
		{name: "home/agent/", mode: 0o755},
		{name: "proc/", mode: 0o755},
		{name: "root/", mode: 0o700},
		{name: "run/", mode: 0o755},
		{name: "sys/", mode: 0o755},
		{name: "tmp/", mode: 0o1777},
		{name: "usr/", mode: 0o755},
		{name: "usr/bin/", mode: 0o755},
		{name: "var/", mode: 0o755},
		{name: "var/tmp", link: "../tmp"},
		{name: "workspace/", mode: 0o755},
		{name: "workspaces/", mode: 0o755},
	}
}

// build writes a tar whose bytes depend on the entries alone.
func build(entries []entry) ([]byte, error) {
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for _, e := range entries {
		h := &tar.Header{Format: tar.FormatUSTAR, Name: e.name, Mode: e.mode, Size: int64(len(e.data))}
		switch {
		case e.link != "":
			h.Typeflag, h.Linkname, h.Mode = tar.TypeSymlink, e.link, 0o777
		case strings.HasSuffix(e.name, "/"):
			h.Typeflag = tar.TypeDir
		default:
			h.Typeflag = tar.TypeReg
		}
		if err := w.WriteHeader(h); err != nil {
			return nil, err
		}
		if _, err := w.Write(e.data); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}

// maxBusybox bounds what is read of the host's busybox: Debian's is 2 MB.
const maxBusybox = 32 << 20

func readBounded(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxBusybox))
}
