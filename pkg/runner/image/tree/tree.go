// Package tree is the file tree of an image while it is put together: what
// packages hold, checked as if each of them were hostile.
//
// A tree is never laid out on this machine's file system. Contents go to one
// unlinked file, the spool; names, modes and links stay in memory, and
// [Tree.WriteLayer] makes a tar of them. So a name that climbs out of the tree,
// a link that would be followed, a device or a setuid bit could harm nothing
// here; they are refused, or taken away, all the same, since the image is
// unpacked by others.
package tree

import (
	"archive/tar"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
)

// Limits of a tree. They bound what a hostile package can cost: the disk of the
// spool, and memory for each name.
const (
	MaxBytes = 4 << 30 // contents of all files together
	MaxNames = 200_000
	maxPath  = 1024 // bytes of a path or a link's target
	maxName  = 255  // bytes of an element, NAME_MAX
)

// node is one entry.
type node struct {
	kind    byte   // tar.TypeDir, tar.TypeReg or tar.TypeSymlink
	mode    int64  // permissions, and for a directory the sticky bit
	target  string // of a symbolic link
	content *section
	layer   int
	owner   string // what it came with, for messages
	implied bool   // a directory that nothing named
}

// section is a file's content in the spool. Hard links share one.
type section struct{ off, size int64 }

// Tree is a file tree. It is used by one goroutine; several that share a spool
// may be used by several. Make one with New.
type Tree struct {
	spool *Spool
	nodes map[string]*node
	layer int
}

// New returns an empty tree whose contents go to the spool.
func New(spool *Spool) *Tree { return &Tree{spool: spool, nodes: map[string]*node{}} }

// NextLayer begins another layer: what is put from now on belongs to it. A layer
// adds to those before it and replaces nothing in them.
func (t *Tree) NextLayer() { t.layer++ }

// Has reports whether the tree has an entry of that path.
func (t *Tree) Has(name string) bool {
	name, err := clean(name)
	return err == nil && t.nodes[name] != nil
}

// Dir puts a directory. One that is there already stays as it is.
func (t *Tree) Dir(owner, name string, mode int64) error {
	return t.put(name, &node{kind: tar.TypeDir, mode: mode & 0o1777, owner: owner})
}

// Symlink puts a symbolic link. A target that leads out of the tree is refused.
func (t *Tree) Symlink(owner, name, target string) error {
	return t.put(name, &node{kind: tar.TypeSymlink, mode: 0o777, target: target, owner: owner})
}

// File puts a regular file with this content.
func (t *Tree) File(owner, name string, mode int64, data []byte) error {
	s, err := t.spool.add(strings.NewReader(string(data)), int64(len(data)))
	if err != nil {
		return err
	}
	return t.put(name, &node{kind: tar.TypeReg, mode: mode & 0o777, content: s, owner: owner})
}

// put checks an entry and takes it in.
func (t *Tree) put(name string, n *node) error {
	name, err := clean(name)
	if err != nil {
		return refused(n.owner, err)
	}
	if name == "." {
		return nil
	}
	if n.kind == tar.TypeSymlink {
		if err := checkTarget(name, n.target); err != nil {
			return refused(n.owner, err)
		}
	}
	return t.insert(name, n)
}

// Join puts everything that other has, whose spool must be the same, into the
// layer of now. Other is of no use afterwards.
func (t *Tree) Join(other *Tree) error {
	for _, name := range slices.Sorted(maps.Keys(other.nodes)) {
		if n := other.nodes[name]; !n.implied {
			if err := t.insert(name, n); err != nil {
				return err
			}
		}
	}
	return nil
}

// insert takes in an entry that is right by itself.
func (t *Tree) insert(name string, n *node) error {
	if len(t.nodes) >= MaxNames {
		return refused(n.owner, fmt.Errorf("an image has at most %d names", MaxNames))
	}
	if err := t.parents(name, n.owner); err != nil {
		return err
	}
	n.layer = t.layer
	old := t.nodes[name]
	switch {
	case old == nil:
		t.nodes[name] = n
	case old.kind == tar.TypeDir && n.kind == tar.TypeDir:
		if old.implied && old.layer == n.layer {
			t.nodes[name] = n
		}
	default:
		return refused(n.owner, fmt.Errorf("%q is in %s already", name, old.owner))
	}
	return nil
}

// parents makes the directories above name. A parent that is anything else is
// refused: what is put below a link would be put elsewhere.
func (t *Tree) parents(name, owner string) error {
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		switch p := t.nodes[dir]; {
		case p == nil:
			t.nodes[dir] = &node{kind: tar.TypeDir, mode: 0o755, layer: t.layer, owner: owner, implied: true}
		case p.kind != tar.TypeDir:
			return refused(owner, fmt.Errorf("%q lies below %q, which is no directory in %s", name, dir, p.owner))
		default:
			return nil
		}
	}
	return nil
}

// merged are the top directories that are links into usr in every current
// distribution, while packages still name them.
func merged() []string { return []string{"bin", "sbin", "lib", "lib32", "lib64", "libx32"} }

// MergeUsr puts the links that stand for bin, sbin and lib at the top.
func (t *Tree) MergeUsr(owner string) error {
	for _, name := range merged() {
		if t.nodes["usr/"+name] == nil {
			continue
		}
		t.nodes[name] = &node{kind: tar.TypeSymlink, mode: 0o777, target: "usr/" + name, layer: t.layer, owner: owner}
	}
	return nil
}

// clean returns the one spelling of an entry's name, which is "." for the top.
// Absolute names, .. and control characters are refused, and so are the names
// by which a layer deletes what is below it (OCI image spec, "whiteouts").
func clean(name string) (string, error) {
	name = strings.TrimSuffix(strings.TrimPrefix(name, "./"), "/")
	if name == "" || name == "." {
		return ".", nil
	}
	if len(name) > maxPath || !fs.ValidPath(name) { // valid UTF-8, no empty, . or .. element
		return "", fmt.Errorf("%.80q is no path inside an image", name)
	}
	if strings.ContainsFunc(name, control) {
		return "", fmt.Errorf("%.80q holds a control character", name)
	}
	first, rest, _ := strings.Cut(name, "/")
	if slices.Contains(merged(), first) {
		name = strings.TrimSuffix("usr/"+first+"/"+rest, "/")
	}
	for element := range strings.SplitSeq(name, "/") {
		if len(element) > maxName || strings.HasPrefix(element, ".wh.") {
			return "", fmt.Errorf("%.80q is no name of a file in an image", name)
		}
	}
	return name, nil
}

// checkTarget refuses a link that leads out of the tree. An absolute target is
// one from the top of the image.
func checkTarget(name, target string) error {
	if target == "" || len(target) > maxPath || strings.ContainsFunc(target, control) {
		return fmt.Errorf("%q is a link to %.80q", name, target)
	}
	depth := strings.Count(name, "/")
	if path.IsAbs(target) {
		depth = 0
	}
	for element := range strings.SplitSeq(target, "/") {
		switch element {
		case "", ".":
		case "..":
			depth--
		default:
			depth++
		}
		if depth < 0 {
			return fmt.Errorf("%q is a link to %q, which leads out of the image", name, target)
		}
	}
	return nil
}

func control(r rune) bool { return r < ' ' || r == 0x7f }
