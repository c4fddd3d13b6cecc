package broker_test

import (
	"bufio"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// What a container announces or begins and does not send keeps nobody waiting:
// the broker answers what is too large before it comes, and does not fall over
// what is no request at all.
func TestRequestsThatAreNone(t *testing.T) {
	t.Parallel()
	s := open(t, config{upstream: never(t)})
	start := "POST " + messages + " HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + s.token + "\r\n"
	for name, c := range map[string]struct {
		request string
		status  int
	}{
		"a body of 1 TB":       {start + "Content-Length: 1099511627776\r\n\r\n{}", http.StatusBadRequest},
		"a header of 1 MB":     {start + "X: " + strings.Repeat("x", 1<<20) + "\r\n\r\n", http.StatusRequestHeaderFieldsTooLarge},
		"two lengths":          {start + "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}", http.StatusBadRequest},
		"a length and chunks":  {start + "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", http.StatusBadRequest},
		"no HTTP":              {"\x16\x03\x01\r\n\r\n", http.StatusBadRequest},
		"another method":       {"DELETE /v1/models HTTP/1.1\r\nHost: x\r\n\r\n", http.StatusMethodNotAllowed},
		"a path that climbs":   {"GET /v1/../../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n", http.StatusTemporaryRedirect},
		"a proxy's request":    {"GET http://192.0.2.1/ HTTP/1.1\r\nHost: 192.0.2.1\r\n\r\n", http.StatusNotFound},
		"a tunnel":             {"CONNECT 192.0.2.1:443 HTTP/1.1\r\nHost: 192.0.2.1:443\r\n\r\n", http.StatusNotFound},
		"arrays without bound": {start + "Content-Length: 200000\r\n\r\n" + strings.Repeat("[", 200000), http.StatusBadRequest},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn, err := s.dial(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
				t.Fatal(err)
			}
			go func() { _, _ = io.WriteString(conn, c.request) }() // the broker may hang up in its middle
			resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if resp.StatusCode != c.status {
				t.Errorf("it was answered with %s, want %d", resp.Status, c.status)
			}
		})
	}
}

// A connection that is begun and left is cut, so that its place is free again.
func TestHalfOpenConnectionsAreCut(t *testing.T) {
	t.Parallel()
	s := open(t, config{})
	conn, err := s.dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET /v1/models HTTP/1.1\r\nX: "); err != nil {
		t.Fatal(err)
	}
	if err := conn.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, conn); err != nil {
		t.Errorf("it was not cut: %v", err)
	}
}
