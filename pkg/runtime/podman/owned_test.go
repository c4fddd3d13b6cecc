package podman_test

import (
	"io/fs"
	"os"
	"os/signal"
	"syscall"
)

// owned reports whether a file is this user's.
func owned(info fs.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(st.Uid) == os.Getuid()
}

// notify sends SIGTERM to ch.
func notify(ch chan<- os.Signal) { signal.Notify(ch, syscall.SIGTERM) }
