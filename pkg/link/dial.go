package link

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/vexa-ai/vexa/pkg/fault"
)

// Dialer opens a connection to the broker's socket.
type Dialer func(ctx context.Context) (net.Conn, error)

// UnixDialer returns the Dialer of the Unix socket at path.
func UnixDialer(path string) Dialer {
	return func(ctx context.Context) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", path)
	}
}

const bufferSize = 64 << 10

// Dial connects, proves itself with the bearer token and upgrades. The context
// bounds the handshake alone, not the life of the connection. The error is
// fault.Denied when the broker refuses the token and fault.Unreachable when
// there is no broker.
func Dial(ctx context.Context, dial Dialer, token string) (*Conn, error) {
	conn, err := dial(ctx)
	if err != nil {
		return nil, fault.Wrap(fault.Unreachable, "connect to the broker", err)
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	c, err := handshake(ctx, conn, token)
	if !stop() && err == nil {
		err = fault.Wrap(fault.Unreachable, "connect to the broker", ctx.Err())
	}
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	return c, nil
}

func handshake(ctx context.Context, conn net.Conn, token string) (*Conn, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://broker"+Path, http.NoBody)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Connection", "Upgrade")
	req.Header.Set("Upgrade", Protocol)
	if err := req.Write(conn); err != nil {
		return nil, fault.Wrap(fault.Unreachable, "open the link", err)
	}
	r := bufio.NewReaderSize(conn, bufferSize)
	resp, err := http.ReadResponse(r, req)
	if err != nil {
		return nil, fault.Wrap(fault.Unreachable, "open the link", err)
	}
	if resp.StatusCode == http.StatusSwitchingProtocols && strings.EqualFold(resp.Header.Get("Upgrade"), Protocol) {
		return newConn(conn, r), nil // a 101 has no body
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(resp.Body, 512))
	kind := fault.Unreachable
	if resp.StatusCode == http.StatusUnauthorized || resp.StatusCode == http.StatusForbidden {
		kind = fault.Denied
	}
	return nil, fault.Wrap(kind, "open the link", fmt.Errorf("%s: %s", resp.Status, strings.TrimSpace(string(text))))
}
