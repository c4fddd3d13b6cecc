// Package link is the wire between a worker and its host: one HTTP/1.1 request
// that is upgraded (RFC 9110, section 7.8) and from then on carries one JSON
// object a line in both directions.
//
// The worker dials the broker's Unix socket and calls Dial; the broker serves
// Path and calls Accept. The package knows nothing of what the lines say: the
// messages are wsv2.Report and wsv2.Input, and each side validates what it
// receives. It bounds what a peer can make it hold: a line is at most MaxLine
// bytes.
package link

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"syscall"
	"time"
)

const (
	// Path is where the broker serves the link.
	Path = "/vexa/v1/link"
	// Protocol is the token of the Upgrade header.
	Protocol = "vexa-link"
	// MaxLine is the longest line either side sends or accepts, in bytes,
	// without its newline.
	MaxLine = 32 << 20
	// WriteTimeout is how long one Send may take before the connection is given
	// up: a peer that does not read must not hold the sender for ever.
	WriteTimeout = 30 * time.Second
)

// ErrTooLong reports a line of more than MaxLine bytes, or than LimitLine
// allows. The connection is of
// no use after it.
var ErrTooLong = errors.New("line on the link is too long")

// Conn is an upgraded connection. Send may be called by several goroutines at
// once, Receive and ReceiveLine by one at a time; Close by anyone at any time.
type Conn struct {
	conn net.Conn
	r    *bufio.Reader
	line bytes.Buffer // the line being received
	most int          // the longest line to receive

	mu sync.Mutex // serialises writes
}

func newConn(conn net.Conn, r *bufio.Reader) *Conn {
	return &Conn{conn: conn, r: r, most: MaxLine}
}

// Send writes v as one line of JSON. It returns once the kernel has taken the
// whole line; after an error the connection is closed, since a part of the
// line may be on its way.
func (c *Conn) Send(v any) error {
	line, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode a line for the link: %w", err)
	}
	return c.SendLine(line)
}

// SendLine writes lines that are JSON already, all or an error, with as few
// system calls as the kernel allows. None may hold a newline.
func (c *Conn) SendLine(lines ...[]byte) error {
	out := make(net.Buffers, 0, 2*len(lines))
	for _, line := range lines {
		if len(line) > MaxLine {
			return ErrTooLong
		}
		out = append(out, line, []byte{'\n'})
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.conn.SetWriteDeadline(time.Now().Add(WriteTimeout)); err != nil {
		return fmt.Errorf("write to the link: %w", err)
	}
	if _, err := out.WriteTo(c.conn); err != nil {
		_ = c.conn.Close() // a torn line makes the rest unreadable
		return fmt.Errorf("write to the link: %w", err)
	}
	return nil
}

// Receive reads one line into v. It returns io.EOF when the peer has closed
// between two lines and io.ErrUnexpectedEOF within one. A line that is not
// JSON is an error that leaves the connection usable.
func (c *Conn) Receive(v any) error {
	line, err := c.ReceiveLine()
	if err != nil {
		return err
	}
	if err := json.Unmarshal(line, v); err != nil {
		return fmt.Errorf("line on the link: %w", err)
	}
	return nil
}

// ReceiveLine reads one line without its newline. The bytes are valid until the
// next call. Its errors are those of Receive, and ErrTooLong.
func (c *Conn) ReceiveLine() ([]byte, error) {
	c.line.Reset()
	for {
		part, err := c.r.ReadSlice('\n')
		if c.line.Len()+len(bytes.TrimSuffix(part, []byte{'\n'})) > c.most {
			return nil, ErrTooLong
		}
		switch {
		case err == nil && c.line.Len() == 0:
			return part[:len(part)-1], nil
		case err == nil:
			c.line.Write(part[:len(part)-1])
			return c.line.Bytes(), nil
		case errors.Is(err, bufio.ErrBufferFull):
			c.line.Write(part)
		case errors.Is(err, io.EOF) && c.line.Len()+len(part) > 0:
			return nil, io.ErrUnexpectedEOF
		case errors.Is(err, io.EOF):
			return nil, io.EOF
		default:
			return nil, fmt.Errorf("read from the link: %w", err)
		}
	}
}

// LimitLine sets the longest line that is received from now on, in bytes: less
// than MaxLine where a peer is not to be trusted with that much yet. It is not
// called while a Receive waits.
func (c *Conn) LimitLine(n int) { c.most = min(n, MaxLine) }

// SetReadDeadline bounds the wait of Receive; the zero time removes the bound.
func (c *Conn) SetReadDeadline(t time.Time) error { return c.conn.SetReadDeadline(t) }

// Close ends the connection; a Receive that waits returns with an error.
func (c *Conn) Close() error { return c.conn.Close() }

// Ended reports whether err says no more than that the connection is over,
// whichever side ended it.
func Ended(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}
