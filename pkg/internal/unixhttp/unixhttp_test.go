package unixhttp_test

import (
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/internal/unixhttp"
)

func privateDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "vx") // t.TempDir is too long for a socket's path
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func TestListenMakesAPrivateSocket(t *testing.T) {
	t.Parallel()
	path := filepath.Join(privateDir(t), "a.sock")
	l, err := unixhttp.Listen(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v, want 0600", info.Mode(), err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket is left after close: %v", err)
	}
	again, err := unixhttp.Listen(t.Context(), path)
	if err != nil {
		t.Fatalf("after close: %v", err)
	}
	if err := again.Close(); err != nil {
		t.Error(err)
	}
}

func TestListenReplacesADeadSocketOnly(t *testing.T) {
	t.Parallel()
	path := filepath.Join(privateDir(t), "a.sock")
	dead, err := net.ListenUnix("unix", &net.UnixAddr{Name: path})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := unixhttp.Listen(t.Context(), path); !fault.Is(err, fault.Conflict) {
		t.Fatalf("a socket that is served, without a lock: %v, want a conflict", err)
	}
	dead.SetUnlinkOnClose(false)
	if err := dead.Close(); err != nil {
		t.Fatal(err)
	}
	l, err := unixhttp.Listen(t.Context(), path)
	if err != nil {
		t.Fatalf("a dead one: %v", err)
	}
	defer l.Close() //nolint:errcheck // the test is over
	if _, err := unixhttp.Listen(t.Context(), path); !fault.Is(err, fault.Conflict) {
		t.Errorf("a second listener: %v, want a conflict", err)
	}
}

func TestListenRefuses(t *testing.T) {
	t.Parallel()
	dir := privateDir(t)
	open := filepath.Join(dir, "open")
	if err := errors.Join(os.Mkdir(open, 0o700), os.Chmod(open, 0o755), os.WriteFile(filepath.Join(dir, "file"), nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	for path, kind := range map[string]fault.Kind{
		filepath.Join(dir, strings.Repeat("x", 100)): fault.Invalid,
		filepath.Join(open, "a.sock"):                fault.Denied,
		filepath.Join(dir, "none", "a.sock"):         fault.Denied,
		filepath.Join(dir, "file"):                   fault.Conflict,
	} {
		if _, err := unixhttp.Listen(t.Context(), path); !fault.Is(err, kind) {
			t.Errorf("%s: got %v, want %s", path, err, kind)
		}
	}
}

func TestPeerUID(t *testing.T) {
	t.Parallel()
	path := filepath.Join(privateDir(t), "a.sock")
	l, err := unixhttp.Listen(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() //nolint:errcheck // the test is over
	var d net.Dialer
	c, err := d.DialContext(t.Context(), "unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if uid, err := unixhttp.PeerUID(conn.(*net.UnixConn)); err != nil || uid != os.Getuid() {
		t.Errorf("got %d, %v, want %d", uid, err, os.Getuid())
	}
}

// Another user who got as far as the socket is not spoken to.
func TestOtherUsersAreCutOff(t *testing.T) {
	t.Parallel()
	path := filepath.Join(privateDir(t), "a.sock")
	l, err := unixhttp.Listen(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	l.ServeOnly(os.Getuid() + 1) // for it, this process is another user's
	accepted := make(chan error, 1)
	go func() {
		conn, err := l.Accept()
		if err == nil {
			err = conn.Close()
			accepted <- errors.Join(errors.New("a connection of another user is accepted"), err)
			return
		}
		accepted <- nil
	}()
	var d net.Dialer
	c, err := d.DialContext(t.Context(), "unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if n, err := c.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) && !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("read %d bytes, %v, want to be cut off", n, err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if err := <-accepted; err != nil {
		t.Error(err)
	}
}

func TestErrorsCrossTheSocket(t *testing.T) {
	t.Parallel()
	path := filepath.Join(privateDir(t), "a.sock")
	l, err := unixhttp.Listen(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	failures := map[string]error{
		"/denied": fault.New(fault.Denied, "no", "ask"), "/locked": fault.New(fault.Locked, "key", "unlock"),
		"/plain": errors.New("defect"), "/unsupported": errors.ErrUnsupported,
	}
	srv := &http.Server{Handler: unixhttp.Guard(unixhttp.Handle(func(_ http.ResponseWriter, r *http.Request) error {
		if r.URL.Path == "/panic" {
			panic("boom")
		}
		return failures[r.URL.Path]
	}), 1<<10, slog.New(slog.DiscardHandler))}
	go srv.Serve(l)   //nolint:errcheck // it is closed
	defer srv.Close() //nolint:errcheck // the test is over
	c := unixhttp.Client(path)
	get := func(p string) (int, error) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://vexa"+p, nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := c.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		return res.StatusCode, unixhttp.ReadError(res)
	}
	for p, want := range map[string]struct {
		status int
		kind   fault.Kind
		hint   string
	}{
		"/denied": {403, fault.Denied, "ask"}, "/locked": {423, fault.Locked, "unlock"}, "/plain": {500, fault.Internal, ""},
		"/panic": {500, fault.Internal, ""},
	} {
		status, err := get(p)
		if status != want.status || !fault.Is(err, want.kind) || fault.HintOf(err) != want.hint {
			t.Errorf("%s: got %d %v", p, status, err)
		}
	}
	if _, err := get("/unsupported"); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("got %v, want unsupported", err)
	}
	if status, err := get("/fine"); status != 200 || err != nil {
		t.Errorf("a success: %d, %v", status, err)
	}
}
