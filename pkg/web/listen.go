package web

import (
	"context"
	"net"
	"strconv"
	"sync"

	"github.com/vexa-ai/vexa/pkg/fault"
)

// maxConnections bounds the connections of all browsers.
const maxConnections = 256

// listener accepts connections over loopback from this machine's own user, and closes
// the others unanswered.
type listener struct {
	net.Listener
	users  []int // who may come
	places chan struct{}
}

// listen takes a port of 127.0.0.1; 0 is any.
func listen(ctx context.Context, port int, users []int) (*listener, error) {
	var c net.ListenConfig
	l, err := c.Listen(ctx, "tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return nil, fault.Newf(fault.Internal, "listen for the browser: %w", err)
	}
	return &listener{Listener: l, users: users, places: make(chan struct{}, maxConnections)}, nil
}

func (l *listener) port() int {
	if addr, ok := l.Addr().(*net.TCPAddr); ok {
		return addr.Port
	}
	return 0
}

// Accept returns the next connection of a process of this user.
func (l *listener) Accept() (net.Conn, error) {
	for {
		l.places <- struct{}{}
		conn, err := l.Listener.Accept()
		if err != nil {
			<-l.places
			return nil, err
		}
		if ownedBy(conn, l.users...) {
			return &placed{Conn: conn, leave: sync.OnceFunc(func() { <-l.places })}, nil
		}
		_ = conn.Close() // it was never spoken to
		<-l.places
	}
}

// placed gives its place back when it is closed.
type placed struct {
	net.Conn
	leave func()
}

func (p *placed) Close() error {
	p.leave()
	return p.Conn.Close()
}
