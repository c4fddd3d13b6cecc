package dir

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/workspace/blob"
)

// maxFlushes is how many flushes run at once, and maxKnown how many directories
// are remembered.
const (
	maxFlushes = 16
	maxKnown   = 4096
)

// ledger knows which directories have to be flushed before what is named in
// them is durable: those with a new name, and once for each store those on the
// way to one. A directory is named by its path below the root, which is empty
// for the root itself. The zero value is empty.
type ledger struct {
	mu    sync.Mutex
	turn  uint64
	dirty map[string]uint64   // by directory: the turn of the last change
	known map[string]struct{} // the way there is durable
}

// entered says that a name in dir is new, or may be, and so may be those of the
// directories on the way to it.
func (l *ledger) entered(dir string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.dirty == nil {
		l.dirty = map[string]uint64{}
	}
	l.turn++
	l.dirty[dir] = l.turn
	if _, known := l.known[dir]; known {
		return
	}
	for dir != "" {
		dir = parentOf(dir)
		l.dirty[dir] = l.turn
	}
}

// made says that dir was made.
func (l *ledger) made(dir string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for at := range l.known {
		if at == dir || strings.HasPrefix(at, dir+"/") {
			delete(l.known, at)
		}
	}
}

// unflushed are the directories to flush, each with its turn.
func (l *ledger) unflushed() map[string]uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.dirty)
}

// flushed says that what was unflushed is durable.
func (l *ledger) flushed(dirs map[string]uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.known == nil || len(l.known) > maxKnown {
		l.known = map[string]struct{}{}
	}
	for dir, turn := range dirs {
		if l.dirty[dir] == turn {
			delete(l.dirty, dir)
		}
		if _, above := dirs[parentOf(dir)]; above || dir == "" {
			l.known[dir] = struct{}{}
		}
	}
}

// parentOf is the directory of a path, empty where that is the root.
func parentOf(path string) string {
	dir, _ := split(path)
	return dir
}

// split takes the last component off a path.
func split(path string) (dir, base string) {
	i := strings.LastIndexByte(path, '/')
	return path[:max(i, 0)], path[i+1:]
}

// flushDirs makes every name durable that was given through this store before
// it is called.
func (s *Store) flushDirs() error {
	if err := s.whole(); err != nil {
		return err
	}
	dirs := s.flushes.unflushed()
	paths := make([]string, 0, len(dirs))
	for dir := range dirs {
		paths = append(paths, dir)
	}
	if err := inParallel(paths, s.flushDir); err != nil {
		return err
	}
	s.flushes.flushed(dirs)
	s.sys.step()
	return nil
}

// flushDir flushes one directory. One that is gone needs no flush: who removed it
// removed the names in it. Some network file systems cannot be asked to, since
// they do it anyway.
func (s *Store) flushDir(dir string) error {
	fd, err := s.root.open(orDot(dir), unix.O_RDONLY|unix.O_DIRECTORY)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) {
		return nil
	}
	if err != nil {
		return err
	}
	f := os.NewFile(uintptr(fd), dir)
	defer f.Close()
	err = s.sys.flush(f)
	if err == nil || errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOTSUP) {
		return nil
	}
	return s.breaks(err)
}

// orDot is a path below the root as the operating system has it.
func orDot(path string) string {
	if path == "" {
		return "."
	}
	return path
}

// breaks notes that a flush failed of what a call before had been told is
// stored, and returns err.
func (s *Store) breaks(err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken == nil {
		s.broken = err
	}
	return err
}

// whole fails where a flush failed before.
func (s *Store) whole() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken == nil {
		return nil
	}
	return &fault.Error{
		Kind: fault.Failed, Msg: "what was stored before could not be flushed", Err: fmt.Errorf("%w: %w", blob.ErrUnavailable, s.broken),
		Hint: "see that the disk of " + s.root.path + " is sound, and try again from the start",
	}
}

// inParallel calls fn with each item, several at once, and returns an error of
// one of them.
func inParallel[T any](items []T, fn func(T) error) error {
	if len(items) == 1 {
		return fn(items[0])
	}
	var wg sync.WaitGroup
	failed := make(chan error, len(items))
	slots := make(chan struct{}, maxFlushes)
	for _, item := range items {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			if err := fn(item); err != nil {
				failed <- err
			}
		})
	}
	wg.Wait()
	close(failed)
	return <-failed
}
