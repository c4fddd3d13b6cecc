package tool

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"
)

// places resolves the paths a model writes to a workspace and a path in it.
type places struct {
	workdir string
	others  string
}

// place is a path within an open workspace. Close it.
type place struct {
	root *os.Root
	rel  string // slash-separated, "." for the workspace itself
	name string // as shown to the model
}

func (p place) close() { p.root.Close() }

// open resolves name: a path relative to the working directory, or an absolute
// one in a workspace.
func (p *places) open(name string) (place, error) {
	dir, rel := p.workdir, path.Clean(filepath.ToSlash(name))
	if name == "" {
		rel = "."
	}
	if path.IsAbs(rel) {
		var ok bool
		if dir, rel, ok = p.split(rel); !ok {
			return place{}, fmt.Errorf("%s is in no workspace: use a path relative to %s%s", name, p.workdir, p.also())
		}
	}
	if !filepath.IsLocal(rel) {
		return place{}, fmt.Errorf("%s leads out of the workspace", name)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return place{}, explain(err, dir)
	}
	return place{root: root, rel: rel, name: name}, nil
}

// split cuts an absolute path into a workspace's directory and the rest.
func (p *places) split(abs string) (dir, rel string, ok bool) {
	if rest, ok := below(abs, p.workdir); ok {
		return p.workdir, rest, true
	}
	rest, ok := below(abs, p.others)
	if !ok || rest == "." {
		return "", "", false
	}
	id, rest, _ := strings.Cut(rest, "/")
	if rest == "" {
		rest = "."
	}
	return path.Join(p.others, id), rest, true
}

func below(name, dir string) (rest string, ok bool) {
	if dir == "" {
		return "", false
	}
	if name == dir {
		return ".", true
	}
	return strings.CutPrefix(name, strings.TrimSuffix(dir, "/")+"/")
}

func (p *places) also() string {
	if entries, err := os.ReadDir(p.others); err == nil && len(entries) > 0 {
		return ", or one below " + p.others + "/<id>"
	}
	return ""
}

// regular refuses what is no plain file: opening a pipe or a device could wait
// for ever.
func (p place) regular() (fs.FileInfo, error) {
	info, err := p.root.Stat(p.rel)
	switch {
	case err != nil:
		return nil, explain(err, p.name)
	case info.IsDir():
		return nil, fmt.Errorf("%s is a directory: use list", p.name)
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is no regular file", p.name)
	}
	return info, nil
}

// explain says in the model's terms what went wrong with a path.
func explain(err error, name string) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s does not exist", name)
	case errors.Is(err, syscall.EROFS):
		return fmt.Errorf("%s cannot be changed: this workspace is read-only in this run", name)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%s: permission denied", name)
	case strings.HasSuffix(err.Error(), "path escapes from parent"): // os.Root exports no error for it
		return fmt.Errorf("%s leads out of the workspace through a symbolic link", name)
	}
	if inner := errors.Unwrap(err); inner != nil {
		err = inner // without the operation and the path
	}
	return fmt.Errorf("%s: %w", name, err)
}
