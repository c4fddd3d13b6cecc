// Package workspace keeps the workspaces of an installation: Git repositories
// that agents work on through disposable checkouts, and that only this package
// ever commits to.
//
// A dispatch gets its own checkout and its own branch. What a turn leaves in
// the checkout is read by package tree, never by git, and becomes a commit on
// that branch, which is then merged into main; a change that conflicts stays on
// its branch and is reported. History only grows: an undo is a commit too.
//
// A workspace rests in its bucket (package bucket), encrypted. On disk there is
// besides Root/<id>/ with workspace.json (workspace.v1), record.age (its name,
// encrypted) and lock files. In use it is Repos/<id>/repo.git, a bare repository
// in memory-backed storage that follows the bucket: what moves a ref holds the
// workspace's lock, which works across processes, and moves it in the bucket
// first. A process killed at any instant leaves a sound bucket, and a repository
// that is brought up to it.
package workspace

import (
	"context"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"github.com/vexa-ai/vexa/pkg/contract/manifestv1"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/internal/textform"
	"github.com/vexa-ai/vexa/pkg/workspace/bucket"
	"github.com/vexa-ai/vexa/pkg/workspace/git"
	"github.com/vexa-ai/vexa/pkg/workspace/tree"
)

// Options configures a Store.
type Options struct {
	Root    string           // directory of the registry, 0700
	Repos   string           // directory of the open repositories, 0700: they are readable, so that it is memory-backed
	Packs   string           // directory of the pack caches; default: beside each repository. Best on the checkouts' file system, where packs are then shared by hard link
	Buckets Buckets          // where workspaces rest
	Sealer  Sealer           // encrypts what the registry says of them
	Git     *git.Git         // the hardened git
	Now     func() time.Time // clock of commits
	NewID   func() string    // ULIDs
	Limits  tree.Limits      // what one seal or import takes
	Log     *slog.Logger     // nil: nothing is said
}

// Buckets makes and opens the buckets of workspaces, by their URLs.
type Buckets interface {
	Opener
	// Place returns the URL at which the bucket of a new workspace goes: below at,
	// a directory, an S3 prefix or a Git remote, or where that is empty on this
	// machine.
	Place(id, at string) (string, error)
	// Create makes a bucket whose one member is the person of this installation.
	Create(ctx context.Context, url string, opt CreateBucket) (*bucket.Bucket, error)
	// Members returns who the person of this installation is in a bucket, with
	// all of their keys, and their recovery key where there is one.
	Members(postQuantum bool) ([]manifestv1.Member, error)
	// Backup copies a bucket, see bucket.Backup. With check what is there already
	// is read, too.
	Backup(ctx context.Context, from, to string, check bool) (bucket.Copied, error)
	// Restore brings a bucket back from a copy, see bucket.Restore.
	Restore(ctx context.Context, from, to string, acceptOlder bool) (bucket.Copied, error)
	// Discard removes a bucket that Place placed and nobody used.
	Discard(ctx context.Context, id string) error
}

// Opener opens buckets that are there.
type Opener interface {
	Open(ctx context.Context, url string) (*bucket.Bucket, error)
	// OpenDamaged opens a bucket whose first file may be missing or damaged.
	OpenDamaged(ctx context.Context, url string) (*bucket.Bucket, error)
	// Join opens a bucket by the word of an invitation, see bucket.Join.
	Join(ctx context.Context, url string, c bucket.Checkpoint) (*bucket.Bucket, *bucket.State, error)
}

// CreateBucket says what a new bucket is like.
type CreateBucket struct {
	PostQuantum bool
}

// Sealer encrypts to the person of this installation; *seal.Identity is one.
type Sealer interface {
	SealBytes(data []byte) ([]byte, error)
	OpenBytes(sealed []byte) ([]byte, error)
}

// Store is the registry of workspaces and everything done to them. It is safe
// for concurrent use, by several processes too.
//
// Wherever a method takes a workspace, its name and its id both do.
type Store struct {
	opt Options

	mu      sync.Mutex
	locks   map[string]chan struct{} // by path
	opens   map[string]*opened       // by id
	retired []*opened                // to be closed
	left    map[string]time.Time     // by id: open on this machine and not in opens, since it was noticed
	cache   map[string]cachedRecord  // by id
	closed  bool

	refusals   map[string]refusal // by workspace and delivery
	receiveFor time.Duration      // see receiveAtOnce

	step func(string) // tests: called between the durable steps of a change
}

// The committer of everything that Vexa commits.
const (
	CommitterName  = "Vexa"
	CommitterEmail = "vexa@localhost"
)

// The refs of a workspace's repository.
const (
	refMain     = "refs/heads/main"
	branchSpace = "vexa/" // of the dispatches' branches
	refBranches = "refs/heads/" + branchSpace
)

var (
	nameForm = textform.Name{First: textform.Lower + textform.Digit, Rest: textform.Lower + textform.Digit + "._-", Max: 64}
	idForm   = textform.Name{First: textform.Lower + textform.Digit, Rest: textform.Lower + textform.Digit, Min: 8, Max: 40}
	unitForm = textform.Name{First: textform.Alnum, Rest: textform.Alnum + "_-", Max: 64}
)

// ValidName reports whether a workspace may have a name.
func ValidName(name string) bool { return nameForm.MatchString(name) }

// Open opens the store at opt.Root, making the directory where it is missing.
func Open(opt Options) (*Store, error) {
	if opt.Git == nil || opt.Now == nil || opt.NewID == nil || opt.Buckets == nil || opt.Sealer == nil || !filepath.IsAbs(opt.Root) || !filepath.IsAbs(opt.Repos) {
		return nil, fault.New(fault.Internal, "a workspace store needs git, a clock, ids, buckets, a sealer and absolute directories", "")
	}
	if opt.Packs != "" && !filepath.IsAbs(opt.Packs) {
		return nil, fault.New(fault.Internal, "the pack cache's directory is not absolute", "")
	}
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	for _, dir := range []string{opt.Root, opt.Repos} {
		if err := makePrivate(dir); err != nil {
			return nil, err
		}
	}
	return &Store{
		opt: opt, locks: make(map[string]chan struct{}), opens: make(map[string]*opened), left: make(map[string]time.Time),
		cache: make(map[string]cachedRecord), refusals: make(map[string]refusal), receiveFor: receiveAtOnce, step: func(string) {},
	}, nil
}

// dir holds what the registry knows of a workspace, openDir what is readable of
// it while it is open.
func (s *Store) dir(id string) string     { return filepath.Join(s.opt.Root, id) }
func (s *Store) openDir(id string) string { return filepath.Join(s.opt.Repos, id) }
func (s *Store) repoDir(id string) string { return filepath.Join(s.openDir(id), "repo.git") }

// packsDir is where the packs that containers may see are kept.
func (s *Store) packsDir(id string) string {
	if s.opt.Packs != "" {
		return filepath.Join(s.opt.Packs, id)
	}
	return filepath.Join(s.openDir(id), "packs")
}

// open finds a workspace and brings its repository up to its bucket.
func (s *Store) open(ctx context.Context, nameOrID string) (*repo, error) {
	rec, err := s.find(ctx, nameOrID)
	if err != nil {
		return nil, err
	}
	return s.openRepo(ctx, rec)
}
