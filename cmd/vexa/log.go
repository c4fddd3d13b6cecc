package main

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"sync"

	"golang.org/x/sys/unix"
)

// logFile writes to a descriptor that is a log file, and sees to it that the
// file does not grow beyond a limit: it becomes PATH.1, in place of the one
// before, and the descriptor a new file. Several processes may write to one
// path, each through a file that it opened itself; each finds out when another
// has set it aside.
type logFile struct {
	fd    int
	path  string
	limit int64
	mu    sync.Mutex
}

// newLogFile returns the log that a descriptor is, nil where it is none: a
// terminal, or a file that is not called name.
func newLogFile(fd int, name string, limit int64) *logFile {
	path, err := os.Readlink(filepath.Join("/proc/self/fd", strconv.Itoa(fd)))
	if err != nil || filepath.Base(path) != name {
		return nil
	}
	return &logFile{fd: fd, path: path, limit: limit}
}

// Write implements io.Writer.
func (l *logFile) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	_ = l.turn() // what cannot be set aside now is so at a later line
	for done := 0; done < len(p); {
		n, err := unix.Write(l.fd, p[done:])
		if err != nil && !errors.Is(err, unix.EINTR) {
			return done, err
		}
		done += max(n, 0)
	}
	return len(p), nil
}

// turn puts a new file in the place of one that is full, or of one that another
// process has set aside.
func (l *logFile) turn() error {
	current, size, err := l.current()
	if err != nil || current && size < l.limit {
		return err
	}
	if current {
		// The lock is the file's: of two processes one renames it.
		if err := unix.Flock(l.fd, unix.LOCK_EX); err != nil {
			return err
		}
		if current, _, err = l.current(); err != nil {
			return err
		}
	}
	if current {
		if err := os.Rename(l.path, l.path+".1"); err != nil {
			return err
		}
	}
	f, err := os.OpenFile(l.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	// The old file, and with it the lock, goes with its last descriptor.
	return errors.Join(unix.Flock(l.fd, unix.LOCK_UN), unix.Dup3(int(f.Fd()), l.fd, 0), f.Close())
}

// current reports whether the descriptor is the file at the path, and its size.
func (l *logFile) current() (bool, int64, error) {
	var mine, there unix.Stat_t
	if err := unix.Fstat(l.fd, &mine); err != nil {
		return false, 0, err
	}
	err := unix.Stat(l.path, &there)
	if errors.Is(err, unix.ENOENT) {
		return false, mine.Size, nil
	}
	return there.Ino == mine.Ino && there.Dev == mine.Dev, mine.Size, err
}
