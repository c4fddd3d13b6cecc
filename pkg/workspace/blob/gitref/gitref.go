// Package gitref keeps blobs in a plain Git repository at the other end of a
// network: at any forge, over ssh, or in a directory. All of them are one
// branch, refs/heads/vexa-bucket, whose newest tree holds each blob as a file of
// its name. Other branches of the repository are neither read nor touched.
//
// A blob of more than 64 MiB, which forges do not take, is a directory instead:
// NAME+ with the parts 00000, 00001 and so on, each of 64 MiB but the last. No
// name of a blob has a '+'.
//
// Each [Store.Create] and each [Store.Remove] is one commit and one push. Every
// commit has the same author, date and message, so that the history says
// nothing of who wrote or when. The push is never forced: a remote takes it only
// while the branch is where the commit began, which makes it the compare-and-swap
// that Create needs. Who loses begins again on what the winner left.
//
// What was removed stays in the history until [Store.Squash].
//
// The store keeps a copy of the branch on this machine, the cache: a private
// bare repository with ciphertext only. Several processes may use it at once.
// It remembers which commit it saw last. A remote that went back behind it, or
// has lost the branch, is not read from any more, until [Store.Probe] makes the
// cache forget; a store that is open and writes gives the remote back what it
// lost, unless somebody wrote something else there.
//
// How often the remote is asked: by Create once, the push, as long as nobody
// else writes; by List once; by Open and Stat once where the cache has no such
// blob, else not, as long as what it knows is fresh ([Options.Fresh]).
package gitref

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"time"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/workspace/git"
)

const (
	branch   = "refs/heads/vexa-bucket"
	incoming = "refs/vexa/incoming" // in the cache: what was fetched and not looked at yet

	defaultFresh = time.Minute
)

// Options of a store.
type Options struct {
	Git *git.Git
	// Cache is the absolute path of a directory that is this remote's alone. It
	// is made, 0700, where it is missing. Where nobody uses it it can be removed:
	// what the store remembers of the remote goes with it.
	Cache string
	// Env is the environment of the person as whom the remote is asked, as
	// os.Environ has it: with it git finds their credentials.
	Env []string
	// Prompt lets git and ssh ask on the terminal of this process.
	Prompt bool
	// Plain also takes http:// URLs to this machine itself.
	Plain bool
	// Fresh is for how long after the remote was asked Open and Stat answer from
	// the cache where it has the blob, so that one that another removed meanwhile
	// is still there. Default a minute; less than zero: not at all.
	Fresh time.Duration
}

// Store implements blob.Store. It is safe for concurrent use; what changes the
// remote or the cache runs one after the other, in this process and in others
// that have the same cache.
type Store struct {
	cache  *cache
	remote *git.Remote
	trees  trees
	fresh  time.Duration
	limits limits

	mu        sync.Mutex
	confirmed time.Time // since when at the latest the cache has what the remote had then; zero: unknown
	pending   map[string]*pending
	stages    map[*stage]struct{}
	readings  map[*reading]struct{}
	closed    bool
	calls     sync.WaitGroup
}

// Open returns the store at the remote url: https://HOST/REPO.git,
// ssh://USER@HOST/REPO.git, USER@HOST:REPO.git or file:///DIR/REPO.git. It asks
// nothing of the remote. The error is fault.Invalid where the URL or the cache
// will not do.
func Open(ctx context.Context, url string, opt Options) (*Store, error) {
	if opt.Git == nil {
		return nil, fault.New(fault.Internal, "a bucket at a Git remote needs git", "")
	}
	repo := opt.Git.Repo(opt.Cache)
	remote, err := repo.Remote(git.RemoteOptions{URL: url, Env: opt.Env, Prompt: opt.Prompt, Plain: opt.Plain})
	if err != nil {
		return nil, err
	}
	c, err := openCache(ctx, repo, remote.String())
	if err != nil {
		repo.Close()
		return nil, err
	}
	return &Store{
		cache: c, remote: remote, fresh: cmp.Or(opt.Fresh, defaultFresh), limits: defaultLimits(),
		pending: make(map[string]*pending), stages: make(map[*stage]struct{}), readings: make(map[*reading]struct{}),
	}, nil
}

// URL implements blob.Store: it is without who logs in.
func (s *Store) URL() string { return s.remote.String() }

// Close implements blob.Store. It waits for the calls in progress, and ends what
// is still being read or staged. What was committed and not followed by a Create
// is dropped.
func (s *Store) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	s.mu.Unlock()
	s.calls.Wait()
	s.mu.Lock()
	stages, readings := s.stages, s.readings
	s.stages, s.readings, s.pending = nil, nil, nil
	s.mu.Unlock()
	for st := range stages {
		st.Abort()
	}
	for r := range readings {
		_ = r.end(errClosed)
	}
	s.cache.repo.Close()
	return s.cache.spool.Remove()
}

var errClosed = errors.New("the store is closed")

// begin counts a call in; who gets no error calls s.calls.Done in the end.
func (s *Store) begin() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return errClosed
	}
	s.calls.Add(1)
	return nil
}
