// Package dir keeps blobs in a directory: on a disk, on a stick, or on a share
// that several machines mount. A blob is a file of its name. What is being
// written lies in .tmp, which no name of a blob can be.
//
// A file is made under a random name, flushed, and given its own name by
// link(2), which is refused where that is taken; where the file system has no
// hard links renameat2(2) does the same. So a process that is killed leaves a
// file in .tmp at most, which is removed a day later, and a power loss leaves
// whole blobs only. Files are 0600 and directories 0700.
//
// The flushes of a push are few and made at once. Where the file system keeps
// the order in which names were given ([Store.Create] says why that matters),
// Commit flushes nothing: the next Create flushes all data in parallel, then
// gives all names, then flushes all directories in parallel. Elsewhere Commit
// flushes the data, and Create the directories of what was committed before it
// gives its own name.
//
// Nothing is followed: no symbolic link, no mount and no ".." below the root,
// and nothing but a regular file is read. The root itself is the person's
// choice and may be reached through a link; where another directory has come
// into its place, because the disk went or was mounted anew, every call fails, and
// Gone says so.
//
// A context ends a call between two system calls. One that a network file
// system does not answer it cannot end. Names that differ in nothing but the
// case of letters are one name on file systems that make no difference.
package dir

import (
	"context"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/watch"
	"github.com/vexa-ai/vexa/pkg/workspace/blob"
)

// Options of a store. The zero value is good.
type Options struct {
	// Make makes the root, 0700, where it is missing. What it lies in must be
	// there: a disk that is not mounted is not taken for an empty one.
	Make bool
	// NoHardLinks has names given by renameat2 alone.
	NoHardLinks bool
	// Files tells of what changes in directories; nil: nobody does, see Store.Watch.
	Files *watch.Watcher
}

// Store implements blob.Store. It is safe for concurrent use.
//
// Where what was committed could not be flushed nobody can tell what of it is
// on the disk, and asking again would not say: from then on Commit and Create
// fail, and the storage has to be opened again.
type Store struct {
	root    *root
	url     string
	files   *watch.Watcher
	sys     system
	ordered bool // the file system keeps the order of names
	noLinks atomic.Bool
	flushes ledger
	swept   atomic.Int64 // when .tmp was last swept: seconds, by the file system's clock

	publishing sync.Mutex // held by who names what waits, or drops it

	mu      sync.Mutex
	closed  bool
	stages  map[*stage]struct{} // being written
	waiting []*committed        // without their names yet, in the order of Commit
	broken  error               // of a flush
}

// system is what tests put in the place of the operating system.
type system struct {
	link   func(olddir int, oldname string, newdir int, newname string) error
	rename func(olddir int, oldname string, newdir int, newname string) error // refused where the new name is taken
	flush  func(*os.File) error
	step   func() // between two system calls that change something
}

func operatingSystem() system {
	return system{
		link: func(olddir int, oldname string, newdir int, newname string) error {
			return unix.Linkat(olddir, oldname, newdir, newname, 0)
		},
		rename: func(olddir int, oldname string, newdir int, newname string) error {
			return unix.Renameat2(olddir, oldname, newdir, newname, unix.RENAME_NOREPLACE)
		},
		flush: (*os.File).Sync,
		step:  func() {},
	}
}

// Open returns the store below the directory root. It writes nothing but, with
// Options.Make, the root: a directory that may be read only can be opened. The
// error names the directory, why and what to do; it is blob.ErrUnavailable where
// there is none, and blob.ErrDenied where it may not be read.
func Open(path string, o Options) (*Store, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, "open "+path, err)
	}
	r, err := openRoot(abs, o.Make)
	if err != nil {
		return nil, rootFault(abs, err)
	}
	s := &Store{
		root: r, url: (&url.URL{Scheme: "file", Path: abs}).String(), sys: operatingSystem(), ordered: keepsOrder(r.fd),
		stages: map[*stage]struct{}{}, files: o.Files,
	}
	s.noLinks.Store(o.NoHardLinks)
	return s, nil
}

// URL implements blob.Store: it is of the scheme file.
func (s *Store) URL() string { return s.url }

// on runs one operation on the blob name, and says of its failure what was being
// done.
func (s *Store) on(ctx context.Context, op, name string, fn func() error) error {
	if err := blob.CheckName(name); err != nil {
		return err
	}
	return s.do(ctx, op, name, fn)
}

// do is on for operations on no blob in particular, whose name is empty.
func (s *Store) do(ctx context.Context, op, name string, fn func() error) error {
	if err := ctx.Err(); err != nil {
		return s.explain(op, name, err)
	}
	if s.isClosed() || !s.root.use() {
		return s.explain(op, name, errClosed())
	}
	defer s.root.done()
	err := s.root.same()
	if err == nil {
		err = fn()
	}
	return s.explain(op, name, err)
}

func (s *Store) isClosed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}

// Close implements blob.Store. What was committed is named and flushed, as by
// Create. Calls in progress go on to their end.
func (s *Store) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	stages := s.stages
	s.stages = nil
	s.mu.Unlock()
	for st := range stages {
		st.Abort()
	}
	err := s.publish()
	if err == nil {
		err = s.flushDirs()
	}
	s.dropWaiting(func(string) bool { return true })
	s.root.done() // the use that Open began with
	return s.explain("close", "", err)
}
