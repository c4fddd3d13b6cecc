// Package workspace keeps the workspaces of an installation: Git repositories
// that agents work on through disposable checkouts, and that only this package
// ever commits to.
package workspace

import (
	"context"
	"errors"
	"time"

	"github.com/vexa-ai/vexa/pkg/workspace/git"
)

// Options configures a Store.
type Options struct {
	Root  string           // directory of the workspaces, 0700
	Packs string           // directory of the pack caches; default: beside each repository. Best on the checkouts' file system
	Git   *git.Git         // the hardened git
	Now   func() time.Time // clock of commits
	NewID func() string    // ULIDs
}

// Store is the registry of workspaces and everything done to them. It is safe
// for concurrent use, by several processes too.
type Store struct{ opt Options }

// Checkout is one working tree of a workspace.
type Checkout struct{}

// Open opens the store at opt.Root, making it where it is missing.
func Open(opt Options) (*Store, error) { return &Store{opt: opt}, nil }

var errSoon = errors.New("workspace: in progress")

// Create makes a workspace; with from, that directory's files are its first commit.
func (s *Store) Create(ctx context.Context, name, from string, author Author) (Info, error) {
	return Info{}, errSoon
}

// List returns the workspaces by name.
func (s *Store) List(ctx context.Context) ([]Info, error) { return nil, errSoon }

// Lookup finds a workspace by name or id.
func (s *Store) Lookup(ctx context.Context, nameOrID string) (Info, error) { return Info{}, errSoon }

// Checkout makes a working tree.
func (s *Store) Checkout(ctx context.Context, req CheckoutRequest) (*Checkout, error) {
	return nil, errSoon
}

// OpenCheckout finds a checkout again by its Meta directory.
func (s *Store) OpenCheckout(ctx context.Context, meta string) (*Checkout, error) {
	return nil, errSoon
}

// Release removes a checkout, and its branch where main holds it.
func (s *Store) Release(ctx context.Context, c *Checkout, keepBranch bool) error { return errSoon }

// Seal commits what a turn left in the checkout and merges it into main.
func (s *Store) Seal(ctx context.Context, req SealRequest) (Sealed, error) { return Sealed{}, errSoon }

// Log returns commits, newest first.
func (s *Store) Log(ctx context.Context, id string, q LogQuery) ([]Commit, error) { return nil, errSoon }

// Files lists the files of a commit's tree.
func (s *Store) Files(ctx context.Context, id, rev string) ([]FileEntry, error) { return nil, errSoon }

// ReadFile returns the bytes of one file.
func (s *Store) ReadFile(ctx context.Context, id, rev, path string) ([]byte, error) {
	return nil, errSoon
}

// Diff returns the unified diff between two commits.
func (s *Store) Diff(ctx context.Context, id, from, to string) (string, error) { return "", errSoon }

// Undo makes a commit that takes changes back.
func (s *Store) Undo(ctx context.Context, id string, req UndoRequest) (Undone, error) {
	return Undone{}, errSoon
}

// Unmerged lists the branches that main does not hold.
func (s *Store) Unmerged(ctx context.Context, id string) ([]string, error) { return nil, errSoon }
