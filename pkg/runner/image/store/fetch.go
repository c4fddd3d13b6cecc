package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/vexa-ai/vexa/pkg/fault"
)

// Input is a file that an image is made of.
type Input struct {
	What   string   // for people: the package and its version
	Digest Digest   // of the file
	Size   int64    // bytes
	URLs   []string // where it may be had, tried in this order
	Hint   string   // what to do where it cannot be had
}

// Fetcher brings inputs into a cache.
type Fetcher struct {
	Cache   Cache
	Client  *http.Client      // nil where nothing is fetched; see NewClient
	Offline bool              // fetch nothing
	Stall   time.Duration     // without a byte for so long, a server does not answer
	Notice  func(input Input) // before a download
}

// Numbers of a download, each with its reason.
const (
	dialTimeout   = 10 * time.Second // a registry is near, or behind a proxy that is
	headerTimeout = 30 * time.Second // mirrors fetch what they do not have
	DefaultStall  = 60 * time.Second
	tries         = 2 // connections are reset; what is wrong for longer is said
)

// NewClient returns a client for registries. Proxies are those of the environment.
func NewClient() *http.Client {
	return &http.Client{Transport: &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: dialTimeout}).DialContext,
		TLSHandshakeTimeout:   dialTimeout,
		ResponseHeaderTimeout: headerTimeout,
		ForceAttemptHTTP2:     true,
	}}
}

// Get makes sure that the cache has an input, and reports how many bytes were
// fetched for it. Each URL is tried; the error is the last one's. A server that
// gives no answer is fault.Timeout, one that does not have the file
// fault.NotFound, other bytes than the lock's fault.Invalid. Offline, an input
// that the cache lacks is fault.NotFound.
func (f *Fetcher) Get(ctx context.Context, in Input) (fetched int64, err error) {
	held, err := f.Cache.Open(in.Digest)
	if err == nil {
		f.Cache.used(in.Digest)
		return 0, held.Close()
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return 0, err
	}
	if f.Offline {
		return 0, fault.New(fault.NotFound, in.What+" is not in the cache "+f.Cache.Dir, in.Hint)
	}
	if len(in.URLs) == 0 {
		return 0, fault.New(fault.NotFound, "it is not known where "+in.What+" can be had", in.Hint)
	}
	if f.Notice != nil {
		f.Notice(in)
	}
	for _, at := range in.URLs {
		if err = f.insist(ctx, in, at); err == nil {
			return in.Size, nil
		}
		if ctx.Err() != nil {
			return 0, fault.Wrap(fault.Interrupted, "download "+in.What, ctx.Err())
		}
	}
	return 0, err
}

// insist fetches an input from one place, again where it gave no answer.
func (f *Fetcher) insist(ctx context.Context, in Input, at string) (err error) {
	for range tries {
		if err = f.download(ctx, in, at); err == nil || ctx.Err() != nil || !fault.Is(err, fault.Timeout) {
			return err
		}
	}
	return err
}

// download fetches an input from one place.
func (f *Fetcher) download(ctx context.Context, in Input, at string) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
	if err != nil {
		return fault.Wrap(fault.Usage, "the address of "+in.What, err)
	}
	res, err := f.Client.Do(req)
	if err != nil {
		return f.silent(in, req.URL, unwrap(err))
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		kind := fault.Failed
		switch {
		case res.StatusCode == http.StatusNotFound || res.StatusCode == http.StatusGone:
			kind = fault.NotFound
		case res.StatusCode == http.StatusUnauthorized || res.StatusCode == http.StatusForbidden:
			kind = fault.Denied
		case res.StatusCode >= http.StatusInternalServerError:
			kind = fault.Timeout
		}
		return fault.New(kind, fmt.Sprintf("download %s: %s answers %s", in.What, req.URL.Host, res.Status), in.Hint)
	}
	body := &stalling{r: res.Body, wait: f.Stall, cancel: cancel}
	body.start()
	defer body.stop()
	err = f.Cache.Put(in.What, in.Digest, in.Size, body)
	if body.err != nil {
		return f.silent(in, req.URL, cause(ctx, body.err))
	}
	return err
}

// silent says that a server gave no whole answer.
func (f *Fetcher) silent(in Input, at *url.URL, err error) error {
	return &fault.Error{Kind: fault.Timeout, Msg: "download " + in.What + " from " + at.Host, Err: err, Hint: in.Hint}
}

// unwrap takes the URL off an error: the message names its host.
func unwrap(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	return err
}

func cause(ctx context.Context, err error) error {
	if c := context.Cause(ctx); c != nil {
		return c
	}
	return err
}

// stalling reads a body and gives up on one that stands still. It keeps the
// error of a read, to tell a server's fault from a disk's.
type stalling struct {
	r      io.Reader
	wait   time.Duration
	cancel context.CancelCauseFunc
	timer  *time.Timer
	err    error
}

var errStalled = errors.New("the server sends nothing any more")

func (s *stalling) start() {
	if s.wait <= 0 {
		s.wait = DefaultStall
	}
	s.timer = time.AfterFunc(s.wait, func() { s.cancel(errStalled) })
}

func (s *stalling) stop() { s.timer.Stop() }

func (s *stalling) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if n > 0 {
		s.timer.Reset(s.wait)
	}
	if err != nil && !errors.Is(err, io.EOF) {
		s.err = err
	}
	return n, err
}
