// Package watch tells when files change, so that what is a file needs no command to
// be read again. It says that something below a directory changed and never what:
// whoever is told looks for himself, and finds what came of many changes at once.
//
// One Watcher serves a process: the kernel gives each user few of what it is made
// of. A change is told once it was quiet for a moment, and a storm of them every few
// seconds: what is told is bounded by time, never by how much happens. Directories
// may come, go and be put in each other's place, the watched one too.
package watch

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fsnotify/fsnotify"
)

// The defaults of Options.
const (
	quiet  = 200 * time.Millisecond // an editor that saves, or git that checks out, is done by then
	atMost = 2 * time.Second
	dirs   = 256
)

// ErrTooMany ends a watch of more directories than its Options allow.
var ErrTooMany = errors.New("more directories than are watched")

// ErrClosed ends the watches of a Watcher that was closed.
var ErrClosed = errors.New("the watcher is closed")

// Options of one watch. The zero value watches the directory alone.
type Options struct {
	// Depth is how many levels of directories below the watched one are watched, too.
	Depth int
	// Only says which of them are, by their path below the watched one; nil: all.
	Only func(dir string) bool
	// Dirs bounds how many directories are watched; 0: 256.
	Dirs int
	// Quiet is for how long nothing has to change until a change is told, and AtMost
	// how long it is held back while more follows; 0: 200 ms and 2 s.
	Quiet, AtMost time.Duration
}

// source is what tells of single events: fsnotify, or a test. An event names what
// changed: a directory that was added, or an entry of one.
type source interface {
	Add(dir string) error
	Remove(dir string) error
	Close() error
}

// Watcher watches directories. It is safe for concurrent use.
type Watcher struct {
	source source
	events <-chan fsnotify.Event
	lost   atomic.Bool   // events were, of whatever
	wake   chan struct{} // the loop is to look at lost
	tasks  sync.WaitGroup

	mu      sync.Mutex
	closed  bool
	watches map[*Watch]struct{}
	added   map[string]map[*Watch]struct{} // by directory: who wants it
}

// New returns a Watcher. The error is that of the kernel where it gives this user no
// more of them.
func New() (*Watcher, error) {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, fmt.Errorf("watch files: %w", err)
	}
	return start(w, w.Events, w.Errors), nil
}

func start(s source, events <-chan fsnotify.Event, errs <-chan error) *Watcher {
	w := &Watcher{
		source: s, events: events, wake: make(chan struct{}, 1),
		watches: map[*Watch]struct{}{}, added: map[string]map[*Watch]struct{}{},
	}
	w.tasks.Go(w.loop)
	w.tasks.Go(func() { w.drain(errs) })
	return w
}

// Close ends every watch.
func (w *Watcher) Close() error {
	w.mu.Lock()
	if w.closed {
		w.mu.Unlock()
		return nil
	}
	w.closed = true
	for x := range maps.Clone(w.watches) {
		w.end(x, ErrClosed)
	}
	w.mu.Unlock()
	err := w.source.Close() // which ends its channels
	w.tasks.Wait()
	return err
}

// Dir watches a directory, which need not be there yet. The error is the kernel's
// where it watches no more, or ErrTooMany: nothing is watched then.
func (w *Watcher) Dir(root string, o Options) (*Watch, error) {
	root, err := filepath.Abs(root)
	if err != nil {
		return nil, err
	}
	if o.Dirs == 0 {
		o.Dirs = dirs
	}
	if o.Quiet == 0 {
		o.Quiet = quiet
	}
	if o.AtMost == 0 {
		o.AtMost = atMost
	}
	x := &Watch{w: w, root: root, o: o, dirs: map[string]struct{}{}, changed: make(chan struct{}, 1)}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return nil, ErrClosed
	}
	w.watches[x] = struct{}{}
	if err := x.look(); err != nil {
		w.end(x, err)
		return nil, fmt.Errorf("watch %s: %w", root, err)
	}
	return x, nil
}

// end ends a watch. The lock is held.
func (w *Watcher) end(x *Watch, why error) {
	if _, ok := w.watches[x]; !ok {
		return
	}
	delete(w.watches, x)
	for dir := range x.dirs {
		w.drop(x, dir)
	}
	x.err = why
	close(x.changed)
}

// drop has a directory watched no more for x. The lock is held.
func (w *Watcher) drop(x *Watch, dir string) {
	delete(x.dirs, dir)
	delete(w.added[dir], x)
	if len(w.added[dir]) == 0 {
		delete(w.added, dir)
		_ = w.source.Remove(dir) // it may have gone by itself
	}
}

// add has a directory watched for x. It is added again each time: what is at its
// path now may be another one. The lock is held.
func (w *Watcher) add(x *Watch, dir string) error {
	if err := w.source.Add(dir); err != nil {
		return err
	}
	if w.added[dir] == nil {
		w.added[dir] = map[*Watch]struct{}{}
	}
	w.added[dir][x], x.dirs[dir] = struct{}{}, struct{}{}
	return nil
}

// drain takes errors, by a task of its own: fsnotify holds the lock that Add waits for
// until an error is taken. Whatever it says, what happened meanwhile may be lost.
func (w *Watcher) drain(errs <-chan error) {
	for range errs {
		w.lost.Store(true)
		select {
		case w.wake <- struct{}{}:
		default:
		}
	}
}

// loop takes the events as they come, and tells of them when they are due.
func (w *Watcher) loop() {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		select {
		case e, ok := <-w.events:
			if !ok {
				return
			}
			w.note(e.Name)
		case <-w.wake:
			if w.lost.Swap(false) {
				w.note("")
			}
		case <-timer.C:
		}
		timer.Reset(w.tell())
	}
}

// note notes a change of a path; "" is one of whatever is watched.
func (w *Watcher) note(path string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	if path == "" {
		for x := range w.watches {
			x.touched(now)
		}
		return
	}
	for _, dir := range []string{path, filepath.Dir(path)} {
		for x := range w.added[dir] {
			if x.concerns(path) {
				x.touched(now)
			}
		}
	}
}

// tell tells of what is due, and returns how long nothing will be.
func (w *Watcher) tell() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	next, now := time.Hour, time.Now()
	for x := range w.watches {
		if x.first.IsZero() {
			continue
		}
		if left := x.due().Sub(now); left > 0 {
			next = min(next, left)
			continue
		}
		x.first = time.Time{}
		// What is new is watched first: what changes in it from now on is told again.
		if err := x.look(); err != nil {
			w.end(x, err)
			continue
		}
		x.tell()
	}
	return next
}
