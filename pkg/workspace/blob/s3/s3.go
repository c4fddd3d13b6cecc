// Package s3 is the adapter of package blob over S3 and what speaks its protocol.
//
// Whether a server really makes a blob only where there is none (If-None-Match
// on a PUT) is not in its name, so that [Store.Probe] tries it. What fails for
// now is asked again until the budget is used up; a PUT whose answer was lost is
// found again by its bytes.
package s3

import (
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/workspace/blob"
)

// Options say what is not in the URL. The zero value finds no credentials.
type Options struct {
	// Env looks up a variable of the environment, as os.Getenv does: AWS_* as
	// every S3 tool reads them. Nil is an empty environment. The variables of
	// proxies (HTTPS_PROXY) are read from the process's own.
	Env func(string) string
	// Home is the directory in which .aws/credentials and .aws/config are; ""
	// reads neither, unless AWS_SHARED_CREDENTIALS_FILE or AWS_CONFIG_FILE names
	// them.
	Home string
	// Instance allows to ask the machine's metadata service, or the token files
	// that a cluster mounts, for credentials where there are no others.
	Instance bool
	// Spool is the directory for what is staged and larger than 1 MiB, in files
	// without a name; "" is that of temporary files. It should not be in memory.
	Spool string
	// Budget is for how long a request that fails is tried again; 0 is 30
	// seconds.
	Budget time.Duration
	// Stall is for how long nothing may move before a request counts as failed;
	// 0 is 10 seconds.
	Stall time.Duration
}

const (
	defaultBudget = 30 * time.Second
	defaultStall  = 10 * time.Second
)

// Store is one prefix of one bucket.
type Store struct {
	address
	host   string // where it is, for messages
	spool  string
	budget time.Duration
	stall  time.Duration
	part   int64 // bytes of one part of an upload
	now    func() time.Time
	api    minio.Core
	creds  *credentials.Credentials
	close  func() // ends idle connections

	mu     sync.Mutex
	closed bool
	stages map[*stage]struct{}
}

var _ blob.Store = (*Store)(nil)

// Open returns the store at s3://BUCKET/PREFIX without asking the server
// anything. It fails with fault.Invalid where the URL or the configuration is
// malformed and with fault.Denied where there are no credentials.
func Open(raw string, opt Options) (*Store, error) {
	at, err := parseAddress(raw)
	if err != nil {
		return nil, err
	}
	set, err := readSettings(environment{env: opt.Env, home: opt.Home, instance: opt.Instance})
	if err != nil {
		return nil, err
	}
	s := &Store{
		address: at, host: set.endpoint.Host, spool: opt.Spool, part: partSize, now: time.Now,
		budget: opt.Budget, stall: opt.Stall, creds: set.creds, stages: map[*stage]struct{}{},
	}
	if s.spool == "" {
		s.spool = os.TempDir()
	}
	if s.budget <= 0 {
		s.budget = defaultBudget
	}
	if s.stall <= 0 {
		s.stall = defaultStall
	}
	transport := newTransport(set.roots, s.stall)
	s.close = transport.CloseIdleConnections
	s.api.Client, err = newClient(set, watch{transport, s.stall})
	if err != nil {
		return nil, err
	}
	return s, nil
}

// newClient makes the client, which repeats nothing: this package decides what
// is asked again.
func newClient(set settings, transport http.RoundTripper) (*minio.Client, error) {
	lookup := minio.BucketLookupPath
	if set.amazon {
		lookup = minio.BucketLookupAuto
	}
	c, err := minio.New(set.endpoint.Host, &minio.Options{
		Creds: set.creds, Secure: set.endpoint.Scheme == "https", Region: set.region,
		BucketLookup: lookup, Transport: transport, MaxRetries: 1,
	})
	if err != nil {
		return nil, invalidEndpoint()
	}
	return c, nil
}

// invalidEndpoint does not repeat the endpoint, in which somebody may have put a
// password.
func invalidEndpoint() error {
	return fault.New(fault.Invalid, "the S3 endpoint is not an http or https URL of a host", "set AWS_ENDPOINT_URL to something like https://s3.example.com")
}

// URL is s3://BUCKET/PREFIX. It holds no credential.
func (s *Store) URL() string {
	u := url.URL{Scheme: "s3", Host: s.bucket, Path: strings.TrimSuffix(s.prefix, "/")}
	return u.String()
}

// Close aborts what is staged and not committed. What is asked afterwards fails.
func (s *Store) Close() error {
	s.mu.Lock()
	s.closed = true
	var open []*stage
	for st := range s.stages {
		open = append(open, st)
	}
	s.mu.Unlock()
	for _, st := range open {
		st.drop()
	}
	s.close()
	return nil
}

// isClosed fails where Close was called.
func (s *Store) isClosed() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return fault.New(fault.Internal, s.URL()+" was closed", "")
	}
	return nil
}
