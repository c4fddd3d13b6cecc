package watch

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Watch is one watched directory.
type Watch struct {
	w       *Watcher
	root    string
	o       Options
	changed chan struct{}

	// The lock of the Watcher guards what follows.
	dirs        map[string]struct{} // that are watched for it
	away        bool                // the root is not there: one above it is watched
	first, last time.Time           // of the changes that were not told; first is zero where there is none
	err         error
}

// Changed has one value where something changed since the last one was taken. It is
// closed when the watch ends: see Err.
func (x *Watch) Changed() <-chan struct{} { return x.changed }

// Err is why the watch has ended; nil while it goes on.
func (x *Watch) Err() error {
	x.w.mu.Lock()
	defer x.w.mu.Unlock()
	return x.err
}

// Close ends the watch.
func (x *Watch) Close() {
	x.w.mu.Lock()
	defer x.w.mu.Unlock()
	x.w.end(x, ErrClosed)
}

// touched notes a change.
func (x *Watch) touched(now time.Time) {
	if x.first.IsZero() {
		x.first = now
	}
	x.last = now
}

// due is when the changes are to be told.
func (x *Watch) due() time.Time {
	calm, late := x.last.Add(x.o.Quiet), x.first.Add(x.o.AtMost)
	if late.Before(calm) {
		return late
	}
	return calm
}

func (x *Watch) tell() {
	select {
	case x.changed <- struct{}{}:
	default: // nobody has taken the last one yet
	}
}

// concerns reports whether a change of path is one of what is watched. While the
// root is away only what leads to it counts.
func (x *Watch) concerns(path string) bool {
	return !x.away || path == x.root || strings.HasPrefix(x.root, strings.TrimSuffix(path, "/")+"/")
}

// look has those directories watched that are there now.
func (x *Watch) look() error {
	want := map[string]struct{}{}
	err := x.descend(x.root, 0, want)
	// Where the root is away, the nearest one above it is watched: that it still is the
	// nearest is seen once it is.
	for above := ""; errors.Is(err, fs.ErrNotExist); err = x.descend(x.root, 0, want) {
		clear(want)
		nearest, aerr := x.ascend()
		if aerr != nil {
			return aerr
		}
		if want[nearest] = struct{}{}; nearest == above {
			break
		}
		above = nearest
	}
	if x.away = errors.Is(err, fs.ErrNotExist); err != nil && !x.away {
		return err
	}
	for dir := range x.dirs {
		if _, ok := want[dir]; !ok {
			x.w.drop(x, dir)
		}
	}
	return nil
}

// descend watches a directory, depth levels below the root, and those below it. The
// error is fs.ErrNotExist where it is none. What comes into it after it was watched
// and is not found here is told as a change.
func (x *Watch) descend(dir string, depth int, want map[string]struct{}) error {
	if info, err := os.Stat(dir); err != nil {
		return missing(err)
	} else if !info.IsDir() {
		return fs.ErrNotExist
	}
	if len(want) == x.o.Dirs {
		return fmt.Errorf("%w: %d", ErrTooMany, x.o.Dirs)
	}
	if err := x.w.add(x, dir); err != nil {
		return missing(err)
	}
	want[dir] = struct{}{}
	if depth == x.o.Depth {
		return nil
	}
	return x.entries(dir, func(name string) error {
		below := filepath.Join(dir, name)
		if rel, err := filepath.Rel(x.root, below); err != nil || x.o.Only != nil && !x.o.Only(rel) {
			return err
		}
		if err := x.descend(below, depth+1, want); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil // it has gone meanwhile
	})
}

// entries calls fn with the names of the directories in dir, no link among them. It
// holds few of them at once.
func (x *Watch) entries(dir string, fn func(name string) error) error {
	f, err := os.Open(dir)
	if err != nil {
		return missing(err)
	}
	defer f.Close()
	for {
		list, err := f.ReadDir(dirs)
		for _, e := range list {
			if !e.IsDir() {
				continue
			}
			if err := fn(e.Name()); err != nil {
				return err
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return missing(err)
		}
	}
}

// ascend watches the nearest directory above the root that is there, and returns it.
func (x *Watch) ascend() (string, error) {
	for dir := filepath.Dir(x.root); ; dir = filepath.Dir(dir) {
		err := missing(x.w.add(x, dir))
		if err == nil || !errors.Is(err, fs.ErrNotExist) || dir == filepath.Dir(dir) {
			return dir, err
		}
	}
}

// missing is fs.ErrNotExist for what cannot be reached: it may be there later.
func missing(err error) error {
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, fs.ErrNotExist) || isNoDir(err) {
		return fs.ErrNotExist
	}
	return err
}
