package worker

import (
	"context"
	"io"
	"net"
	"sync"

	"github.com/vexa-ai/vexa/pkg/link"
)

// maxForwards bounds the connections that are open at once; further ones wait
// to be accepted.
const maxForwards = 256

// forwarder makes the broker's socket a plain TCP address inside the container,
// since agents know base URLs and not sockets. It copies bytes and reads none.
type forwarder struct {
	listener net.Listener
	dial     link.Dialer
	slots    chan struct{}
	wg       sync.WaitGroup
}

// startForwarder serves ln until close; its connections end with the context.
func startForwarder(ctx context.Context, ln net.Listener, dial link.Dialer) *forwarder {
	f := &forwarder{listener: ln, dial: dial, slots: make(chan struct{}, maxForwards)}
	f.wg.Go(func() { f.accept(ctx) })
	return f
}

func (f *forwarder) accept(ctx context.Context) {
	for {
		select {
		case f.slots <- struct{}{}:
		case <-ctx.Done():
			return
		}
		conn, err := f.listener.Accept()
		if err != nil {
			return
		}
		f.wg.Go(func() {
			defer func() { <-f.slots }()
			f.forward(ctx, conn)
		})
	}
}

// forward copies both directions, passing on the end of each by itself: a
// client may finish sending long before the answer is complete.
func (f *forwarder) forward(ctx context.Context, inside net.Conn) {
	defer inside.Close()
	outside, err := f.dial(ctx)
	if err != nil {
		return // the agent sees a closed connection and tries again
	}
	defer outside.Close()
	stop := context.AfterFunc(ctx, func() {
		_ = inside.Close()
		_ = outside.Close()
	})
	defer stop()
	var wg sync.WaitGroup
	wg.Go(func() { oneWay(outside, inside) })
	wg.Go(func() { oneWay(inside, outside) })
	wg.Wait()
}

func oneWay(to, from net.Conn) {
	_, err := io.Copy(to, from)
	half, ok := to.(interface{ CloseWrite() error })
	if err != nil || !ok || half.CloseWrite() != nil {
		_ = to.Close() // the other direction cannot go on either
	}
}

// close stops accepting and waits for the connections to end, which they do
// when the context ends.
func (f *forwarder) close() {
	_ = f.listener.Close()
	f.wg.Wait()
}
