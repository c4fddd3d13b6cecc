package broker

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"sync"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/home"
)

// listen makes the socket in dir, which nobody but us can enter; the container
// reaches it through a mount, as our own uid. It takes the place of a socket
// that an earlier process left behind, and of nothing else. The function it
// returns removes the socket.
func listen(ctx context.Context, dir string, most int) (net.Listener, func() error, error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, nil, fault.Wrap(fault.Internal, "open the run directory", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		d.Close()
		return nil, nil, fault.Wrap(fault.Internal, "open the run directory", err)
	}
	unbind := func() error { return errors.Join(removeSocket(root), root.Close(), d.Close()) }
	l, err := bind(ctx, d, root)
	if err != nil {
		return nil, nil, errors.Join(fault.Wrap(fault.Internal, "listen on the broker socket in "+dir, err), unbind())
	}
	return &limited{Listener: l, slots: make(chan struct{}, most), closed: make(chan struct{})}, unbind, nil
}

func bind(ctx context.Context, d *os.File, root *os.Root) (net.Listener, error) {
	if err := removeSocket(root); err != nil {
		return nil, err
	}
	path := filepath.Join(d.Name(), SocketName)
	if len(path) > home.MaxSocketPath {
		// A socket's address is short; the directory's descriptor is a shorter name.
		path = fmt.Sprintf("/proc/self/fd/%d/%s", d.Fd(), SocketName)
	}
	var config net.ListenConfig
	l, err := config.Listen(ctx, "unix", path)
	if err != nil {
		return nil, err
	}
	if u, ok := l.(*net.UnixListener); ok {
		u.SetUnlinkOnClose(false) // unbind removes it, by the directory's descriptor
	}
	if err := root.Chmod(SocketName, 0o600); err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

func removeSocket(root *os.Root) error {
	info, err := root.Lstat(SocketName)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.Mode().Type() != fs.ModeSocket:
		return fmt.Errorf("%s is in the way and no socket", SocketName)
	default:
		return root.Remove(SocketName)
	}
}

// limited accepts a number of connections at once and leaves further ones in
// the kernel's queue: a container cannot use up our descriptors.
type limited struct {
	net.Listener
	slots  chan struct{}
	once   sync.Once
	closed chan struct{}
}

// Accept waits for a free place, then for a connection.
func (l *limited) Accept() (net.Conn, error) {
	select {
	case l.slots <- struct{}{}:
	case <-l.closed:
		return nil, net.ErrClosed
	}
	conn, err := l.Listener.Accept()
	if err != nil {
		<-l.slots
		return nil, err
	}
	return &slotted{Conn: conn, free: sync.OnceFunc(func() { <-l.slots })}, nil
}

// Close ends every Accept.
func (l *limited) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

// slotted gives its place back when it is closed.
type slotted struct {
	net.Conn
	free func()
}

// Close closes the connection and frees its place.
func (c *slotted) Close() error {
	defer c.free()
	return c.Conn.Close()
}
