package streamjournal

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/internal/atomicfile"
	"github.com/vexa-ai/vexa/pkg/journal"
	"github.com/vexa-ai/vexa/pkg/stream"
)

// mode says what with does where the topic does not exist.
type mode bool

const (
	create   mode = true  // make it
	existing mode = false // nothing
)

// with calls fn with the topic's journal open and kept so. Where the topic
// does not exist and is not to be made, fn is not called.
func (l *Log) with(ctx context.Context, name string, m mode, fn func(*topic) error) error {
	if err := errors.Join(l.ready(ctx), stream.CheckTopic(name)); err != nil {
		return err
	}
	for {
		t, err := l.use(name)
		if err != nil {
			return err
		}
		ok, err := t.ensure(m)
		if errors.Is(err, stream.ErrRemoved) {
			l.unuse(t)
			continue // the topic of this name, if any, is another one by now
		}
		if ok {
			err = fn(t)
		}
		removed := errors.Is(err, journal.ErrClosed) && t.isRemoved()
		l.unuse(t)
		switch {
		case removed:
			return stream.ErrRemoved
		case errors.Is(err, journal.ErrClosed):
			return stream.ErrClosed
		}
		return err
	}
}

// use counts a call on the topic.
func (l *Log) use(name string) (*topic, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, stream.ErrClosed
	}
	t := l.get(name)
	t.users++
	return t, nil
}

// get is called with mu held.
func (l *Log) get(name string) *topic {
	t := l.topics[name]
	if t == nil {
		t = &topic{log: l, name: name, dir: l.names.dir(name)}
		l.topics[name] = t
	}
	return t
}

func (l *Log) unuse(t *topic) {
	l.mu.Lock()
	t.users--
	l.calls++
	t.used = l.calls
	l.drop(t)
	victim := l.victim()
	l.mu.Unlock()
	if victim == nil {
		return
	}
	// Nobody waits for this flush. Where it fails the topic stays closed, and
	// every call on it says why.
	err := victim.journal.Close()
	victim.journal = nil
	l.mu.Lock()
	victim.failed = err
	l.mu.Unlock()
	victim.opening.Unlock()
	l.mu.Lock()
	victim.users--
	l.drop(victim)
	l.mu.Unlock()
}

// drop forgets a topic that is of no use to anybody; mu is held.
func (l *Log) drop(t *topic) {
	if t.users == 0 && t.followers == 0 && !t.isOpen && t.failed == nil && l.topics[t.name] == t {
		delete(l.topics, t.name)
	}
}

// victim returns the journal to close where too many are open: the one that has
// been unused for longest, no longer counted as open, in use by the caller and
// with opening held. mu is held.
func (l *Log) victim() *topic {
	if l.open <= l.limit {
		return nil
	}
	var oldest *topic
	for _, t := range l.topics {
		if t.isOpen && t.users == 0 && (oldest == nil || t.used < oldest.used) {
			oldest = t
		}
	}
	if oldest == nil || !oldest.opening.TryLock() {
		return nil
	}
	oldest.isOpen = false
	oldest.users++
	l.open--
	return oldest
}

func (l *Log) follow(ctx context.Context, name string) (*topic, error) {
	if err := errors.Join(l.ready(ctx), stream.CheckTopic(name)); err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	t := l.get(name)
	t.followers++
	return t, nil
}

func (l *Log) unfollow(t *topic) {
	l.mu.Lock()
	defer l.mu.Unlock()
	t.followers--
	l.drop(t)
}

// ensure opens the journal where it is closed. It reports whether the topic
// exists; ErrRemoved means that t is not the topic of its name any more.
func (t *topic) ensure(m mode) (bool, error) {
	t.opening.Lock()
	defer t.opening.Unlock()
	if t.removed {
		return false, stream.ErrRemoved
	}
	if t.failed != nil {
		return false, t.failed
	}
	if t.journal != nil {
		return true, nil
	}
	exists, err := t.log.exists(t.dir)
	if err == nil && !exists && m == create {
		exists, err = true, t.make()
	}
	if err != nil {
		return false, fault.Wrap(fault.Internal, "open a topic", err)
	}
	if !exists {
		return false, nil
	}
	if err := t.open(); err != nil {
		return false, err
	}
	l := t.log
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return false, errors.Join(stream.ErrClosed, t.journal.Close())
	}
	t.isOpen = true
	l.open++
	return true, nil
}

// exists looks for a topic's directory, and finishes its removal where that was
// begun.
func (l *Log) exists(dir string) (bool, error) {
	path := filepath.Join(l.topicsDir(), dir)
	if _, err := os.Stat(filepath.Join(path, goneFile)); err == nil {
		return false, l.erase(dir)
	}
	_, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// make puts a directory with the topic's name in its place.
func (t *topic) make() error {
	root := t.log.topicsDir()
	sealed, err := t.log.names.seal(t.name)
	if err != nil {
		return err
	}
	temp, err := os.MkdirTemp(root, newPrefix)
	if err != nil {
		return err
	}
	if err := atomicfile.WriteFile(filepath.Join(temp, nameFile), sealed, 0o600); err != nil {
		return errors.Join(err, os.RemoveAll(temp))
	}
	if err := os.Rename(temp, filepath.Join(root, t.dir)); err != nil {
		return errors.Join(err, os.RemoveAll(temp))
	}
	return atomicfile.SyncDir(root)
}

// Remove implements stream.Log.
func (l *Log) Remove(ctx context.Context, name string) error {
	if err := errors.Join(l.ready(ctx), stream.CheckTopic(name)); err != nil {
		return err
	}
	t, err := l.use(name)
	if err != nil {
		return err
	}
	defer l.unuse(t)
	t.opening.Lock()
	defer t.opening.Unlock()
	if t.removed {
		return nil
	}
	if exists, err := l.exists(t.dir); err != nil || !exists {
		return fault.Wrap(fault.Internal, "remove a topic", err)
	}
	t.removed = true
	t.bury()
	if t.journal != nil {
		_ = t.journal.Close() // what could not be flushed is about to be removed
	}
	err = l.erase(t.dir)
	l.mu.Lock()
	defer l.mu.Unlock()
	if t.isOpen {
		t.isOpen = false
		l.open--
	}
	delete(l.topics, t.name)
	return fault.Wrap(fault.Internal, "remove a topic", err)
}

// erase removes a topic's files. The mark comes first, and lets sweep finish
// what a crash cuts short: a journal without its checkpoint is damaged, and so
// is a checkpoint without its journal.
func (l *Log) erase(dir string) error {
	path := filepath.Join(l.topicsDir(), dir)
	if err := atomicfile.WriteFile(filepath.Join(path, goneFile), nil, 0o600); err != nil {
		return err
	}
	if err := os.Remove(filepath.Join(l.checkpointsDir(), dir)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := atomicfile.SyncDir(l.checkpointsDir()); err != nil {
		return err
	}
	gone := filepath.Join(l.topicsDir(), gonePrefix+dir)
	if err := os.Rename(path, gone); err != nil {
		return err
	}
	if err := atomicfile.SyncDir(l.topicsDir()); err != nil {
		return err
	}
	return os.RemoveAll(gone)
}

// sweep finishes what a crash cut short.
func (l *Log) sweep() error {
	entries, err := os.ReadDir(l.topicsDir())
	if err != nil {
		return fault.Wrap(fault.Internal, "open the streams", err)
	}
	for _, e := range entries {
		var err error
		if isTopicDir(e.Name()) {
			_, err = l.exists(e.Name())
		} else {
			err = os.RemoveAll(filepath.Join(l.topicsDir(), e.Name()))
		}
		if err != nil {
			return fault.Wrap(fault.Internal, "open the streams", err)
		}
	}
	return nil
}
