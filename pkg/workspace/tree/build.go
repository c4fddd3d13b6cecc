package tree

import (
	"bytes"
	"errors"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/vexa-ai/vexa/pkg/workspace/object"
)

// tries is how often a file that changes under the reader is read.
const tries = 3

// small is the size up to which a file is read in one piece.
const small = 1 << 20

// build writes the objects of a directory and returns its entry; one without
// files has a zero id.
func (w *walker) build(name string, n *node) (Entry, error) {
	entry := Entry{Name: name, Mode: object.ModeDir}
	if n.kept {
		return w.keep(n), nil
	}
	if err := w.ctx.Err(); err != nil {
		return entry, err
	}
	children := make([]Entry, 0, len(n.children))
	for _, c := range n.children {
		e, err := w.entry(c)
		if err != nil {
			return entry, err
		}
		if !e.ID.IsZero() {
			children = append(children, e)
		}
	}
	if n.partial {
		children = addMissing(children, n.prev.childrenOf())
	}
	entry.Children = children
	if len(children) == 0 {
		if n.prev != nil && n.prev.Mode == object.ModeGitlink {
			return w.keep(n), nil // an empty directory is how a submodule looks
		}
		return entry, nil
	}
	if n.prev != nil && sameTree(n.prev.childrenOf(), children) {
		entry.ID = n.prev.ID
		return entry, nil
	}
	list := make([]object.TreeEntry, len(children))
	for i := range children {
		list[i] = object.TreeEntry{Name: children[i].Name, Mode: children[i].Mode, ID: children[i].ID}
	}
	var err error
	entry.ID, err = w.out.Add(object.KindTree, object.EncodeTree(list))
	return entry, err
}

// addMissing merges the previous entries whose names the scan did not reach.
func addMissing(children, prev []Entry) []Entry {
	out := make([]Entry, 0, max(len(children), len(prev)))
	for len(children) > 0 || len(prev) > 0 {
		switch {
		case len(prev) == 0 || len(children) > 0 && children[0].Name < prev[0].Name:
			out, children = append(out, children[0]), children[1:]
		case len(children) == 0 || prev[0].Name < children[0].Name:
			out, prev = append(out, prev[0]), prev[1:]
		default:
			out, children, prev = append(out, children[0]), children[1:], prev[1:]
		}
	}
	return out
}

func sameTree(a, b []Entry) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].Name != b[i].Name || a[i].Mode != b[i].Mode || a[i].ID != b[i].ID {
			return false
		}
	}
	return true
}

// keep is the entry of the last commit, of whose file nothing is known any
// more; a zero id where there is none.
func (w *walker) keep(n *node) Entry {
	if n.prev == nil {
		return Entry{Name: n.name}
	}
	e := *n.prev
	e.Stat = Stat{}
	return e
}

// entry writes what one name stands for.
func (w *walker) entry(n *node) (Entry, error) {
	switch {
	case n.kept:
		return w.keep(n), nil
	case n.mode == object.ModeDir:
		return w.build(n.name, n)
	case w.clean(n):
		return *n.prev, nil
	}
	for range tries {
		e, err := w.readOnce(n)
		switch {
		case err == nil:
			w.read++
			return e, nil
		case errors.Is(err, object.ErrMoved):
			continue
		}
		if no, ok := errors.AsType[refusal](err); ok {
			if no == "" { // gone
				return Entry{Name: n.name}, nil
			}
			w.reject(n, string(no))
			return w.keep(n), nil
		}
		return Entry{}, err
	}
	w.reject(n, "it changed while it was read")
	return w.keep(n), nil
}

// refusal is why one path is not committed; empty where it is gone.
type refusal string

func (r refusal) Error() string { return string(r) }

// readOnce opens the path once and takes everything from that descriptor.
func (w *walker) readOnce(n *node) (Entry, error) {
	open := openFile
	if n.mode == object.ModeLink {
		open = openLink
	}
	fd, err := open(w.root, n.path)
	if err != nil {
		return Entry{}, refusal(whyNot(err))
	}
	defer unix.Close(fd) //nolint:errcheck // it was only read
	now := Clock()
	var before, after unix.Stat_t
	if err := unix.Fstat(fd, &before); err != nil {
		return Entry{}, refusal(whyNot(err))
	}
	e := Entry{Name: n.name}
	if changedKind(n, &before) {
		return Entry{}, refusal("it changed while it was read")
	}
	switch before.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		e.Mode = fileMode(before.Mode)
		e.ID, err = w.content(fd, n.name, before.Size)
	case unix.S_IFLNK:
		e.Mode = object.ModeLink
		e.ID, err = w.linkText(fd, n.path, before.Size)
	case unix.S_IFDIR:
		return Entry{}, refusal("it changed while it was read")
	default:
		return Entry{}, refusal(kindName(before.Mode))
	}
	if err != nil {
		return Entry{}, err
	}
	if err := unix.Fstat(fd, &after); err != nil {
		return Entry{}, refusal(whyNot(err))
	}
	e.Stat = StatOf(&after)
	if e.Stat != StatOf(&before) {
		return Entry{}, object.ErrMoved
	}
	if !e.Stat.Settled(now) {
		e.Stat = Stat{}
	}
	return e, nil
}

// changedKind reports whether a file has taken the place of a link, or one with
// more names than the scan counted that of another.
func changedKind(n *node, st *unix.Stat_t) bool {
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return false
	}
	return n.mode == object.ModeLink || uint64(st.Nlink) > n.links //nolint:unconvert // its width depends on the platform
}

// content writes a file's bytes: size of them, no more and no fewer.
func (w *walker) content(fd int, name string, size int64) (object.ID, error) {
	switch {
	case size > w.limits.FileBytes:
		return object.ID{}, refusal("it grew while it was read")
	case size > small && isGitattributes(name):
		return object.ID{}, refusal("it is larger than Git reads")
	case size > small:
		id, err := w.out.AddStream(object.KindBlob, size, &watched{w: w, r: file(fd)})
		return id, asRefusal(err)
	}
	if cap(w.buf) == 0 {
		w.buf = make([]byte, small+1)
	}
	n := 0
	for n <= int(size) {
		m, err := file(fd).Read(w.buf[n : size+1])
		n += m
		if m == 0 {
			if err != nil && !isEOF(err) {
				return object.ID{}, refusal(whyNot(err))
			}
			break
		}
	}
	if int64(n) != size {
		return object.ID{}, object.ErrMoved
	}
	if isGitattributes(name) {
		if reason := checkAttributes(w.buf[:n]); reason != "" {
			return object.ID{}, refusal(reason)
		}
	}
	id, err := w.out.Add(object.KindBlob, w.buf[:n])
	return id, asRefusal(err)
}

// linkText writes the text of a symbolic link that stays in the workspace.
func (w *walker) linkText(fd int, path string, size int64) (object.ID, error) {
	buf := make([]byte, min(size, unix.PathMax)+1)
	n, err := unix.Readlinkat(fd, "", buf)
	if err != nil {
		return object.ID{}, refusal(whyNot(err))
	}
	if n == len(buf) {
		return object.ID{}, object.ErrMoved
	}
	target := string(buf[:n])
	if reason := checkLink(target, strings.Count(path, "/")); reason != "" {
		return object.ID{}, refusal(reason)
	}
	return w.out.Add(object.KindBlob, bytes.Clone(buf[:n]))
}

// asRefusal turns the failures that are the file's own fault into refusals.
func asRefusal(err error) error {
	if errors.Is(err, object.ErrCollision) {
		return refusal(object.ErrCollision.Error())
	}
	if failed, ok := errors.AsType[readError](err); ok {
		return refusal(whyNot(failed.error))
	}
	return err
}
