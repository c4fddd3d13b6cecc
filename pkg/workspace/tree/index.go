package tree

import (
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/vexa-ai/vexa/pkg/workspace/object"
)

// Index is a tree that was committed, with what is known of the files that it
// was read from or written to.
type Index struct {
	Root Entry
}

// Entry is one name of a tree.
type Entry struct {
	Name     string
	Mode     uint32 // git's
	ID       object.ID
	Stat     Stat    // zero: unknown
	Children []Entry // of a directory, sorted by name, byte by byte
}

// Stat is what must not have changed of a file for its content to count as
// unchanged.
type Stat struct {
	Dev, Ino uint64
	Size     int64
	Ctime    int64 // nanoseconds since 1970
	Mode     uint32
}

// StatOf picks the members of st.
func StatOf(st *unix.Stat_t) Stat {
	return Stat{Dev: st.Dev, Ino: st.Ino, Size: st.Size, Ctime: st.Ctim.Nano(), Mode: st.Mode}
}

// Settled reports whether a change made at now or later would show in the stat:
// its change time is older than now, which is a Clock reading.
func (s Stat) Settled(now int64) bool { return s.Ctime != 0 && s.Ctime < now }

// Clock reads the clock that change times are taken from, in nanoseconds. It
// is never ahead of it.
func Clock() int64 {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_REALTIME_COARSE, &ts); err != nil {
		return 0 // nothing is settled then
	}
	return ts.Nano()
}

// find returns the entry with the name, or nil.
func find(entries []Entry, name string) *Entry {
	i, ok := slices.BinarySearchFunc(entries, name, func(e Entry, n string) int { return strings.Compare(e.Name, n) })
	if !ok {
		return nil
	}
	return &entries[i]
}

// Lookup returns the entry at a slash-separated path, or nil.
func (x *Index) Lookup(path string) *Entry {
	e := &x.Root
	for name := range strings.SplitSeq(path, "/") {
		if e = find(e.Children, name); e == nil {
			return nil
		}
	}
	return e
}

// Files calls fn with every entry that is not a directory, in order, until it
// returns an error.
func (x *Index) Files(fn func(path string, e *Entry) error) error {
	return files("", x.Root.Children, fn)
}

func files(prefix string, entries []Entry, fn func(string, *Entry) error) error {
	for i := range entries {
		e := &entries[i]
		path := prefix + e.Name
		err := error(nil)
		if e.Mode == object.ModeDir {
			err = files(path+"/", e.Children, fn)
		} else {
			err = fn(path, e)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// IDs returns the ids of every object of the tree.
func (x *Index) IDs() map[object.ID]struct{} {
	set := make(map[object.ID]struct{})
	var add func(*Entry)
	add = func(e *Entry) {
		set[e.ID] = struct{}{}
		for i := range e.Children {
			add(&e.Children[i])
		}
	}
	add(&x.Root)
	return set
}

// Changed counts the files that were added, changed or removed between two
// trees.
func Changed(from, to *Index) int { return changed(from.Root.Children, to.Root.Children) }

func changed(a, b []Entry) int {
	n := 0
	for len(a) > 0 || len(b) > 0 {
		switch {
		case len(b) == 0 || len(a) > 0 && a[0].Name < b[0].Name:
			n += leaves(&a[0])
			a = a[1:]
		case len(a) == 0 || b[0].Name < a[0].Name:
			n += leaves(&b[0])
			b = b[1:]
		default:
			n += differs(&a[0], &b[0])
			a, b = a[1:], b[1:]
		}
	}
	return n
}

func differs(a, b *Entry) int {
	switch {
	case a.ID == b.ID && a.Mode == b.Mode:
		return 0
	case a.Mode == object.ModeDir && b.Mode == object.ModeDir:
		return changed(a.Children, b.Children)
	default:
		return max(leaves(a), leaves(b))
	}
}

func leaves(e *Entry) int {
	if e.Mode != object.ModeDir {
		return 1
	}
	n := 0
	for i := range e.Children {
		n += leaves(&e.Children[i])
	}
	return n
}
