package zootest

import (
	"errors"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// Swapper changes a tree as fast as it can, while something reads it: files and
// directories become links to what lies outside, hard links, FIFOs, each other,
// and back, and files grow, shrink and change their names.
type Swapper struct {
	pen   Pen
	swaps atomic.Int64
	done  chan struct{}
	wg    sync.WaitGroup
	err   error
	once  sync.Once
}

// Still are the files of a swapped tree that nobody touches.
func Still() map[string]string {
	return map[string]string{"still": "still\n", "z/still": "still too\n"}
}

// Moving are the top names of what a Swapper moves.
func Moving() []string {
	return []string{"link", "dir", "hard", "fifo", "kind", "size", "here", "there", "up", "deep"}
}

// NewSwapper plants a tree in the pen and begins to change it. What is swapped
// in waits in the directory spare beside the pen, on its file system.
func NewSwapper(p Pen, spare string) (*Swapper, error) {
	pairs := map[string][2]func(path string) error{
		"link": {regular, func(path string) error { return os.Symlink(p.SecretFile(), path) }},
		"dir":  {folder, func(path string) error { return os.Symlink(p.Outside, path) }},
		"hard": {regular, func(path string) error { return os.Link(p.SecretFile(), path) }},
		"fifo": {regular, func(path string) error { return unix.Mkfifo(path, 0o644) }},
		"kind": {regular, folder},
	}
	err := errors.Join(files(Still()).plant(p.Dir), os.MkdirAll(spare, 0o755), regular(filepath.Join(p.Dir, "size")),
		regular(filepath.Join(p.Dir, "here")), folder(filepath.Join(p.Dir, "deep/a/b")), os.Mkdir(filepath.Join(p.Dir, "up"), 0o755))
	for name, pair := range pairs {
		err = errors.Join(err, pair[0](filepath.Join(p.Dir, name)), pair[1](filepath.Join(spare, name)))
	}
	if err != nil {
		return nil, err
	}
	s := &Swapper{pen: p, done: make(chan struct{})}
	for name := range pairs {
		s.again(func(int) error { return exchange(filepath.Join(p.Dir, name), filepath.Join(spare, name)) })
	}
	s.again(func(i int) error { return os.Truncate(filepath.Join(p.Dir, "size"), int64(i%7)*1000) })
	s.again(s.toAndFro("here", "there"))
	s.again(s.toAndFro("deep/a", "up/a"))
	return s, nil
}

func regular(path string) error { return os.WriteFile(path, []byte("regular\n"), 0o644) }

// folder has the name of the secret file, so that a path through it is good on
// both sides.
func folder(path string) error {
	return errors.Join(os.MkdirAll(path, 0o755), os.WriteFile(filepath.Join(path, "secret.txt"), []byte("public\n"), 0o644))
}

func exchange(a, b string) error {
	return unix.Renameat2(unix.AT_FDCWD, a, unix.AT_FDCWD, b, unix.RENAME_EXCHANGE)
}

// toAndFro renames one path to another and back.
func (s *Swapper) toAndFro(a, b string) func(int) error {
	a, b = filepath.Join(s.pen.Dir, a), filepath.Join(s.pen.Dir, b)
	return func(i int) error {
		if i%2 == 0 {
			return os.Rename(a, b)
		}
		return os.Rename(b, a)
	}
}

func (s *Swapper) again(step func(i int) error) {
	s.wg.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-s.done:
				return
			default:
			}
			if err := step(i); err != nil {
				s.once.Do(func() { s.err = err })
				return
			}
			s.swaps.Add(1)
		}
	})
}

// Swaps is how often anything was changed so far.
func (s *Swapper) Swaps() int64 { return s.swaps.Load() }

// Stop ends it and returns what kept it from its work.
func (s *Swapper) Stop() error {
	close(s.done)
	s.wg.Wait()
	return s.err
}
