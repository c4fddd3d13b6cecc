// Package s3test runs a real S3 server for tests: the one that .ci/s3 pins, over
// a directory of the test.
package s3test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"golang.org/x/sys/unix"

	"github.com/vexa-ai/vexa/pkg/internal/require"
)

// The credentials of every server, and its region.
const (
	AccessKey = "vexa-access-key"
	SecretKey = "vexa-secret-key-4f81d0"
	Region    = "us-east-1"
)

// readyTimeout is how long a server may take until it answers.
const readyTimeout = 30 * time.Second

// Server is a running server on the loopback interface. It is safe for concurrent
// use.
type Server struct {
	// URL is http://127.0.0.1:PORT.
	URL     string
	client  *minio.Client
	buckets atomic.Int64
}

// Start starts a server that is stopped, and its files removed, at the end of the
// test. Without one the test is skipped, or where VEXA_TEST_REQUIRE names "s3"
// failed.
func Start(tb testing.TB) *Server {
	tb.Helper()
	program, err := build()
	if err != nil {
		require.Missing(tb, "s3", err.Error())
	}
	for try := range 3 { // another program may take the port in between
		if s := start(tb, program); s != nil {
			return s
		}
		tb.Logf("the S3 server did not start, attempt %d", try+1)
	}
	tb.Fatal("the S3 server does not start")
	return nil
}

// build finds the server, once for all tests of the process. It may take minutes
// on a machine that has not built it before.
var build = sync.OnceValues(func() (string, error) { //nolint:gochecknoglobals // what is built once
	root, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(root, "go.mod")); err == nil {
			break
		}
		if root == filepath.Dir(root) {
			return "", errors.New("not in the source tree")
		}
		root = filepath.Dir(root)
	}
	var stderr bytes.Buffer
	cmd := exec.Command(filepath.Join(root, ".ci", "s3"))
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", errors.New(".ci/s3: " + err.Error() + ": " + strings.TrimSpace(stderr.String()))
	}
	return strings.TrimSpace(string(out)), nil
})

// start starts a server on a free port, or returns nil where it ended at once.
func start(tb testing.TB, program string) *Server {
	tb.Helper()
	dir := tb.TempDir()
	port := freePort(tb)
	args := []string{"--port", "127.0.0.1:" + strconv.Itoa(port), "--quiet", "posix"}
	if !keepsAttributes(dir) {
		sidecar := tb.TempDir()
		args = append(args, "--sidecar", sidecar)
	}
	var log bytes.Buffer
	cmd := exec.Command(program, append(args, dir)...)
	cmd.Env = []string{"ROOT_ACCESS_KEY=" + AccessKey, "ROOT_SECRET_KEY=" + SecretKey, "VGW_REGION=" + Region}
	cmd.Stdout, cmd.Stderr = &log, &log
	cmd.Dir = dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(ended)
	}()
	tb.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-ended
		if tb.Failed() {
			tb.Logf("the S3 server said: %s", log.String())
		}
	})
	s := &Server{URL: "http://127.0.0.1:" + strconv.Itoa(port)}
	client, err := minio.New(strings.TrimPrefix(s.URL, "http://"), &minio.Options{
		Creds: credentials.NewStaticV4(AccessKey, SecretKey, ""), Region: Region, BucketLookup: minio.BucketLookupPath,
	})
	if err != nil {
		tb.Fatal(err)
	}
	s.client = client
	if !s.ready(tb, ended) {
		return nil
	}
	return s
}

// freePort returns a port that is free now.
func freePort(tb testing.TB) int {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port //nolint:forcetypeassert // that of a TCP listener
}

// keepsAttributes reports whether files in dir have extended attributes, where
// the server has what it knows of a blob.
func keepsAttributes(dir string) bool {
	return unix.Setxattr(dir, "user.vexa", []byte("1"), 0) == nil
}

// ready waits until the server answers a signed request, or reports false where
// it ended.
func (s *Server) ready(tb testing.TB, ended <-chan struct{}) bool {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), readyTimeout)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ended:
			return false
		case <-ctx.Done():
			tb.Fatal("the S3 server does not answer")
		case <-tick.C:
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL, nil)
		if err != nil {
			tb.Fatal(err)
		}
		resp, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			continue
		}
		resp.Body.Close()
		if _, err := s.client.ListBuckets(ctx); err == nil {
			return true
		}
	}
}

// Client is a bare client of the server, for what a store does not do.
func (s *Server) Client() *minio.Client { return s.client }

// Bucket makes a new bucket and returns its name.
func (s *Server) Bucket(tb testing.TB) string {
	tb.Helper()
	name := "bucket-" + strconv.FormatInt(s.buckets.Add(1), 10)
	if err := s.client.MakeBucket(tb.Context(), name, minio.MakeBucketOptions{Region: Region}); err != nil {
		tb.Fatal(err)
	}
	return name
}

// Env is an environment in which the server is found, at endpoint where that is
// not "": the URL of what stands before the server.
func (s *Server) Env(endpoint string) func(string) string {
	if endpoint == "" {
		endpoint = s.URL
	}
	env := map[string]string{
		"AWS_ENDPOINT_URL": endpoint, "AWS_REGION": Region,
		"AWS_ACCESS_KEY_ID": AccessKey, "AWS_SECRET_ACCESS_KEY": SecretKey,
	}
	return func(name string) string { return env[name] }
}
