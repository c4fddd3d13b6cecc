// Package tree turns a directory that an agent wrote into Git objects, without
// git and without trusting anything in it.
//
// Every path is opened with openat2 below the root, never through a symbolic
// link, a mount point or a magic link, and without blocking. Only regular
// files and the texts of symbolic links are read. A file is opened once, and
// that descriptor is used for its type, its caps and its content, and looked at
// again afterwards: content that moved meanwhile is read again. What is refused
// is named; the rest is committed, and where the refused path was committed
// before, the last commit's version stays.
//
// A file whose inode, change time, size and mode are as they were when it was
// last read is not read again. Change times are only trusted when they are older
// than that read (git's racy rule); modification times, which the agent can
// set, are never looked at.
//
// Choices: names must be valid UTF-8, since frames and pages carry them as
// text. Names that are equal but for case or Unicode normalisation of another
// one in their directory are refused, unless they were committed before. A file
// with several hard links is committed like several files when all its names
// are in the tree, and refused when one is elsewhere. Symbolic links may only
// climb ("..") at their start, and never above the root: then no chain of links
// can leave the workspace either. New paths that a .gitignore of the tree names
// are left out and counted.
package tree

import (
	"cmp"
	"context"
	"fmt"
	"io"

	"golang.org/x/sys/unix"

	"github.com/vexa-ai/vexa/pkg/workspace/object"
)

// Writer takes the objects; *object.Pack is one. AddStream returns an error
// that wraps object.ErrMoved where the content has not the announced size.
type Writer interface {
	Add(kind object.Kind, data []byte) (object.ID, error)
	AddStream(kind object.Kind, size int64, r io.Reader) (object.ID, error)
}

// Limits cap what a walk takes. A zero member means its default.
type Limits struct {
	FileBytes  int64 // of one file; default 1 GiB
	TotalBytes int64 // of all files; default 8 GiB
	Files      int   // names looked at; default 250,000
	Depth      int   // directories below each other; default 128
	Rejected   int   // refusals named one by one; default 1,000
}

func (l Limits) withDefaults() Limits {
	set := func(v *int64, d int64) {
		if *v == 0 {
			*v = d
		}
	}
	set(&l.FileBytes, 1<<30)
	set(&l.TotalBytes, 8<<30)
	if l.Files == 0 {
		l.Files = 250_000
	}
	if l.Depth == 0 {
		l.Depth = 128
	}
	if l.Rejected == 0 {
		l.Rejected = 1000
	}
	return l
}

// Options configures a walk.
type Options struct {
	Prev     *Index // the tree last committed, with what is known of its files; nil: none
	Limits   Limits
	Thorough bool // read every file, whatever its stat says
}

// Rejected names one path that was refused.
type Rejected struct {
	Path   string // escaped by Escape
	Reason string
}

// Result is what a walk found.
type Result struct {
	Index    *Index // the tree, with its root's id
	Rejected []Rejected
	Ignored  int // new paths left out because of a .gitignore
	Read     int // files whose content was read
}

// Walk reads the directory dir and writes its objects. The tree's id is
// Result.Index.Root.ID; a directory without files is the empty tree. It fails
// only where the root cannot be read, the writer fails, or ctx ends.
func Walk(ctx context.Context, dir string, opt Options, out Writer) (Result, error) {
	root, err := openRoot(dir)
	if err != nil {
		return Result{}, fmt.Errorf("open %s: %w", dir, err)
	}
	defer unix.Close(root) //nolint:errcheck // it was only read
	var st unix.Stat_t
	if err := unix.Fstat(root, &st); err != nil {
		return Result{}, fmt.Errorf("look at %s: %w", dir, err)
	}
	w := &walker{ctx: ctx, root: root, dev: st.Dev, opt: opt, limits: opt.Limits.withDefaults(), out: out}
	prev := Entry{Mode: object.ModeDir}
	if opt.Prev != nil {
		prev = opt.Prev.Root
	}
	top := &node{mode: object.ModeDir, prev: &prev}
	if err := w.scan(root, &level{}, top); err != nil {
		return Result{}, err
	}
	w.checkHardLinks()
	entry, err := w.build("", top)
	if err != nil {
		return Result{}, err
	}
	if entry.ID.IsZero() {
		if entry.ID, err = out.Add(object.KindTree, nil); err != nil {
			return Result{}, err
		}
	}
	if w.unnamed > 0 {
		w.rejected = append(w.rejected, Rejected{Path: "…", Reason: fmt.Sprintf("%d more paths were refused", w.unnamed)})
	}
	return Result{Index: &Index{Root: entry}, Rejected: w.rejected, Ignored: w.ignored, Read: w.read}, nil
}

// walker is the state of one walk.
type walker struct {
	ctx    context.Context //nolint:containedctx // a walker lives for one call of Walk
	root   int
	dev    uint64
	opt    Options
	limits Limits
	out    Writer

	seen     int   // names
	bytes    int64 // of regular files
	ignored  int
	read     int
	links    map[inode][]*node // files with several names
	rejected []Rejected
	unnamed  int // refusals beyond the cap
	buf      []byte
}

type inode struct{ dev, ino uint64 }

// node is one name that the scan found and will take.
type node struct {
	name     string
	path     string
	mode     uint32 // git's
	stat     Stat
	links    uint64 // hard links
	prev     *Entry // the same name in the last commit; nil: none
	kept     bool   // refused or unreadable: prev stays
	children []*node
	partial  bool // not every name of the directory was seen: what is missing stays
}

// reject refuses a path; what was committed of it before stays.
func (w *walker) reject(n *node, reason string) {
	n.kept = true
	n.children = nil
	w.refuse(n.path, cmp.Or(reason, "it changed while it was read"))
}

func (w *walker) refuse(path, reason string) {
	if len(w.rejected) >= w.limits.Rejected {
		w.unnamed++
		return
	}
	w.rejected = append(w.rejected, Rejected{Path: Escape(path), Reason: reason})
}
