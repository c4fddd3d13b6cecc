package tree

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"

	"github.com/vexa-ai/vexa/pkg/fault"
)

// Choice says which entries of an archive are taken and what they are called in
// the tree: the new name, or "" for an entry that is left out. It is given
// clean names, relative to the archive's top. Directories are made for what is
// in them, and those that are named only where the choice takes them.
type Choice func(name string) string

// Extract puts the entries of a tar that choose takes. Owner says in messages
// whose they are. Refused with fault.Denied are names that are no paths inside
// the tree, links out of it, devices and whatever else is neither file,
// directory nor link, a path through a link, and a path that is there already.
// Setuid, setgid and owners are not taken over.
//
// What an archive's header says of a size is held against MaxBytes before
// anything is written; entries that are left out count, too.
func (t *Tree) Extract(owner string, r io.Reader, choose Choice) error {
	tr := tar.NewReader(r)
	seen := map[string]*node{} // of this archive, for hard links, taken or not
	for names := 0; ; names++ {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return broken(owner, err)
		}
		if names >= MaxNames {
			return refused(owner, fmt.Errorf("an image has at most %d names", MaxNames))
		}
		if h.Size < 0 || !t.spool.grant(h.Size) {
			return refused(owner, fmt.Errorf("with %.80q the image has more than %d bytes", h.Name, int64(MaxBytes)))
		}
		if err := t.entry(owner, h, tr, choose, seen); err != nil {
			return err
		}
	}
}

// entry takes one entry in.
func (t *Tree) entry(owner string, h *tar.Header, r io.Reader, choose Choice, seen map[string]*node) error {
	name, err := clean(h.Name)
	if err != nil {
		return refused(owner, err)
	}
	if h.PAXRecords["GNU.sparse.major"] != "" || h.PAXRecords["GNU.sparse.map"] != "" {
		return refused(owner, fmt.Errorf("%q is mostly holes", name)) // gigabytes in a few bytes
	}
	n := &node{kind: h.Typeflag, mode: h.Mode & 0o777, owner: owner}
	switch h.Typeflag {
	case tar.TypeDir:
		n.mode = h.Mode & 0o1777
	case tar.TypeSymlink:
		n.mode, n.target = 0o777, h.Linkname
		if err := checkTarget(name, n.target); err != nil {
			return refused(owner, err)
		}
	case tar.TypeReg:
	case tar.TypeLink:
		to, err := clean(h.Linkname)
		if err != nil {
			return refused(owner, err)
		}
		was := seen[to]
		if was == nil || was.kind != tar.TypeReg {
			return refused(owner, fmt.Errorf("%q is a hard link to %q, which is no file before it", name, to))
		}
		n.kind, n.mode, n.content = tar.TypeReg, was.mode, was.content
	case tar.TypeXGlobalHeader:
		return nil
	default:
		return refused(owner, fmt.Errorf("%q is neither file, directory nor link (type %q)", name, h.Typeflag))
	}
	to := choose(name)
	seen[name] = n
	if to == "" || name == "." {
		return nil
	}
	if n.kind == tar.TypeReg && n.content == nil {
		if h.Typeflag == tar.TypeLink {
			return &fault.Error{Kind: fault.Invalid, Msg: owner + ": " + name + " is a hard link to " + h.Linkname + ", which is left out", Hint: "keep both"}
		}
		if n.content, err = t.spool.add(r, h.Size); err != nil {
			return readError(owner, err)
		}
	}
	return t.put(to, n)
}

// readError tells an archive that is cut off from a disk that is full.
func readError(owner string, err error) error {
	if fault.KindOf(err) != fault.Internal {
		return err
	}
	return broken(owner, err)
}

func broken(owner string, err error) error {
	return &fault.Error{Kind: fault.Invalid, Msg: owner + " is no archive that can be read", Err: err}
}
