package image

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/vexa-ai/vexa/pkg/fault"
)

// maxContext bounds the files beside a Containerfile, bytes.
const maxContext = 4 << 30

// Containerfile is a recipe of a person's own, for an engine to build.
type Containerfile struct{ path string }

// maxContainerfile bounds a Containerfile, bytes.
const maxContainerfile = 256 << 10

// OpenContainerfile reads a Containerfile (Containerfile(5)). Each image that it
// names, in FROM, --from or --mount, must be scratch, a stage before it or one by
// digest; a name that may stand for another image tomorrow is fault.Invalid,
// which names the line.
func OpenContainerfile(path string) (Containerfile, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Containerfile{}, fault.New(fault.NotFound, "there is no file "+path, "")
	}
	if err != nil {
		return Containerfile{}, fault.Wrap(fault.Denied, "read "+path, err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxContainerfile+1))
	if err != nil {
		return Containerfile{}, fault.Wrap(fault.Invalid, "read "+path, err)
	}
	if len(data) > maxContainerfile {
		return Containerfile{}, fault.New(fault.Invalid, fmt.Sprintf("%s has more than %d bytes", path, maxContainerfile), "move what its RUN lines do into a script beside it")
	}
	if strings.HasSuffix(path, ".in") { // Podman would give it to the C preprocessor first
		return Containerfile{}, fault.New(fault.Invalid, path+" is a template, whose images are not known before it is expanded", "expand it: cpp -E -P "+path+" Containerfile")
	}
	return Containerfile{path}, checkPins(path, string(data))
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
