// Package unixhttp serves HTTP to the processes of the same user, and to no one
// else, over a Unix socket.
//
// Three things hold the door: the socket lies in a private directory with mode
// 0600, the kernel names the user on the other end (SO_PEERCRED), and requests
// that a browser could have been tricked into (a foreign Host, an Origin, a
// Referer) are refused.
package unixhttp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/home"
)

// probeTimeout bounds the question whether somebody serves an existing socket.
const probeTimeout = time.Second

// Listener is a listening Unix socket that only its own user can talk to.
type Listener struct {
	*net.UnixListener
	lock *os.File
	path string
	uid  int // who may connect
}

// Listen binds path, which lies in a directory that belongs to this user alone.
//
// A lock file beside the socket (path.lock) is held until Close, so that one
// process serves a path; a second one gets fault.Conflict. A socket that a dead
// process left behind is replaced, but only after the lock is held and nobody
// answered on it.
func Listen(ctx context.Context, path string) (*Listener, error) {
	if len(path) > home.MaxSocketPath {
		return nil, fault.New(fault.Invalid, "the socket path "+path+" is too long for a Unix socket", "set XDG_RUNTIME_DIR to a shorter path")
	}
	if err := private(filepath.Dir(path)); err != nil {
		return nil, err
	}
	lock, err := Hold(path)
	if err != nil {
		return nil, err
	}
	l, err := bind(ctx, path)
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return &Listener{UnixListener: l, lock: lock, path: path, uid: os.Getuid()}, nil
}

// private verifies that only this user can enter dir.
func private(dir string) error {
	var st unix.Stat_t
	if err := unix.Lstat(dir, &st); err != nil {
		return fault.Newf(fault.Denied, "look at %s: %w", dir, err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFDIR || int(st.Uid) != os.Getuid() || st.Mode&0o077 != 0 {
		return fault.New(fault.Denied, dir+" is not a private directory of yours", "")
	}
	return nil
}

// A process that was just forked holds the locks of its parent until it runs
// another program.
const (
	lockPatience = 300 * time.Millisecond
	lockPoll     = 10 * time.Millisecond
)

// Hold takes the lock of the socket at path, path.lock, until the file is
// closed or the process ends. Where another process has it, it is
// fault.Conflict. Listen does this by itself; who has another program serve a
// socket does it for that program.
func Hold(path string) (*os.File, error) {
	f, err := os.OpenFile(path+".lock", os.O_CREATE|os.O_RDWR|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the lock of a socket: %w", err)
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	for end := time.Now().Add(lockPatience); errors.Is(err, unix.EWOULDBLOCK) && time.Now().Before(end); {
		<-time.After(lockPoll)
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	}
	if err == nil {
		return f, nil
	}
	if errors.Is(err, unix.EWOULDBLOCK) {
		err = fault.New(fault.Conflict, "another process serves "+path, "")
	}
	return nil, errors.Join(err, f.Close())
}

func bind(ctx context.Context, path string) (*net.UnixListener, error) {
	info, err := os.Lstat(path)
	switch {
	case err == nil && info.Mode().Type() != os.ModeSocket:
		return nil, fault.New(fault.Conflict, path+" exists and is not a socket", "remove it")
	case err == nil:
		dialer := net.Dialer{Timeout: probeTimeout}
		conn, err := dialer.DialContext(ctx, "unix", path)
		if err == nil {
			return nil, errors.Join(fault.New(fault.Conflict, "another process serves "+path, ""), conn.Close())
		}
		if !errors.Is(err, unix.ECONNREFUSED) {
			return nil, fmt.Errorf("probe %s: %w", path, err)
		}
		if err := os.Remove(path); err != nil {
			return nil, err
		}
	case !errors.Is(err, os.ErrNotExist):
		return nil, err
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, err
	}
	// The directory is private, so nobody came in before this; a process-wide
	// umask would race with other goroutines that make files.
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// Accept returns the next connection of a process of this user. Connections of
// other users are closed unanswered.
func (l *Listener) Accept() (net.Conn, error) {
	for {
		conn, err := l.AcceptUnix()
		if err != nil {
			return nil, err
		}
		if uid, err := PeerUID(conn); err == nil && uid == l.uid {
			return conn, nil
		}
		conn.Close() //nolint:errcheck // it was never spoken to
	}
}

// Close stops listening, removes the socket and lets go of the lock.
func (l *Listener) Close() error {
	return errors.Join(l.UnixListener.Close(), l.lock.Close())
}

// PeerUID returns the user on the other end of conn, as the kernel knows it.
func PeerUID(conn *net.UnixConn) (int, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return 0, err
	}
	var cred *unix.Ucred
	var credErr error
	err = raw.Control(func(fd uintptr) {
		cred, credErr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	})
	if err := errors.Join(err, credErr); err != nil {
		return 0, err
	}
	return int(cred.Uid), nil
}
