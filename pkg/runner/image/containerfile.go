package image

import (
	"archive/tar"
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/internal/textform"
)

// maxContext bounds the files beside a Containerfile, bytes.
const maxContext = 4 << 30

var pinned = textform.Regexp(`@sha256:[0-9a-f]{64}$`)

// Containerfile is a recipe of a person's own, for an engine to build.
type Containerfile struct{ path string }

// OpenContainerfile reads a Containerfile (Containerfile(5)). Each FROM in it
// must name scratch, a stage before it or an image by digest; a name that may
// stand for another image tomorrow is fault.Invalid, which names the line.
func OpenContainerfile(path string) (Containerfile, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Containerfile{}, fault.New(fault.NotFound, "there is no file "+path, "")
	}
	if err != nil {
		return Containerfile{}, fault.Wrap(fault.Denied, "read "+path, err)
	}
	defer f.Close()
	stages := []string{"scratch"}
	lines := bufio.NewScanner(f)
	n := 0
	for lines.Scan() {
		n++
		fields := strings.Fields(lines.Text())
		if len(fields) == 0 || !strings.EqualFold(fields[0], "FROM") {
			continue
		}
		fields = slices.DeleteFunc(fields[1:], func(s string) bool { return strings.HasPrefix(s, "--") })
		if len(fields) == 0 || !slices.Contains(stages, fields[0]) && !pinned.MatchString(fields[0]) {
			return Containerfile{}, fault.New(fault.Invalid, fmt.Sprintf("%s:%d: an image is not named by its digest: %s", path, n, strings.TrimSpace(lines.Text())),
				"write FROM NAME@sha256:DIGEST, as podman image inspect NAME --format {{.Digest}} says")
		}
		if len(fields) == 3 && strings.EqualFold(fields[1], "AS") {
			stages = append(stages, fields[2])
		}
	}
	if err := lines.Err(); err != nil {
		return Containerfile{}, fault.Wrap(fault.Invalid, "read "+path, err)
	}
	return Containerfile{path}, nil
}

// Name is the file's name among the build's files.
func (c Containerfile) Name() string { return filepath.Base(c.path) }

// WriteContext writes the files beside the Containerfile as a tar: its own
// directory, less .git, links as they are. Sockets and devices are left out.
func (c Containerfile) WriteContext(w io.Writer) error {
	root, err := os.OpenRoot(filepath.Dir(c.path))
	if err != nil {
		return err
	}
	defer root.Close()
	tw := tar.NewWriter(w)
	var total int64
	err = fs.WalkDir(root.FS(), ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil || name == "." {
			return err
		}
		if e.Name() == ".git" && e.IsDir() {
			return fs.SkipDir
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		if total += info.Size(); total > maxContext {
			return fault.New(fault.Invalid, fmt.Sprintf("the files beside %s have more than %d bytes", c.path, int64(maxContext)), "put it into a directory of its own")
		}
		return contextEntry(tw, root, name, info)
	})
	return errors.Join(err, tw.Close())
}

func contextEntry(tw *tar.Writer, root *os.Root, name string, info fs.FileInfo) error {
	h := &tar.Header{Name: name, Mode: int64(info.Mode().Perm()), ModTime: time.Unix(0, 0), Format: tar.FormatPAX}
	switch info.Mode().Type() {
	case fs.ModeDir:
		h.Typeflag, h.Name = tar.TypeDir, name+"/"
		return tw.WriteHeader(h)
	case fs.ModeSymlink:
		target, err := root.Readlink(name)
		if err != nil {
			return err
		}
		h.Typeflag, h.Linkname = tar.TypeSymlink, target
		return tw.WriteHeader(h)
	case 0:
		f, err := root.Open(name)
		if err != nil {
			return err
		}
		defer f.Close()
		h.Typeflag, h.Size = tar.TypeReg, info.Size()
		if err := tw.WriteHeader(h); err != nil {
			return err
		}
		_, err = io.CopyN(tw, f, h.Size)
		return err
	default:
		return nil
	}
}
