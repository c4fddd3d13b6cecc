// Package workspace keeps the workspaces of an installation: Git repositories
// that agents work on through disposable checkouts, and that only this package
// ever commits to.
//
// A dispatch gets its own checkout and its own branch. What a turn leaves in
// the checkout is read by package tree, never by git, and becomes a commit on
// that branch, which is then merged into main; a change that conflicts stays on
// its branch and is reported. History only grows: an undo is a commit too.
//
// On disk a workspace is Root/<id>/ with workspace.json (workspace.v1),
// record.json (its name, the host's own), repo.git (bare) and lock files.
// Everything that moves a ref holds the workspace's lock, which works across
// processes, and makes the objects durable first; a process killed at any
// instant leaves a sound repository.
package workspace

import (
	"context"
	"path/filepath"
	"regexp"
	"sync"
	"time"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/workspace/git"
	"github.com/vexa-ai/vexa/pkg/workspace/tree"
)

// Options configures a Store.
type Options struct {
	Root   string           // directory of the workspaces, 0700
	Packs  string           // directory of the pack caches; default: beside each repository. Best on the checkouts' file system, where packs are then shared by hard link
	Git    *git.Git         // the hardened git
	Now    func() time.Time // clock of commits
	NewID  func() string    // ULIDs
	Limits tree.Limits      // what one seal or import takes
}

// Store is the registry of workspaces and everything done to them. It is safe
// for concurrent use, by several processes too.
//
// Wherever a method takes a workspace, its name and its id both do.
type Store struct {
	opt Options

	mu     sync.Mutex
	locks  map[string]chan struct{} // by path
	repos  map[string]*git.Repo     // by id
	closed bool

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
	nameForm = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,63}$`)
	idForm   = regexp.MustCompile(`^[a-z0-9]{8,40}$`)
	unitForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$`)
)

// Open opens the store at opt.Root, making the directory where it is missing.
func Open(opt Options) (*Store, error) {
	if opt.Git == nil || opt.Now == nil || opt.NewID == nil || !filepath.IsAbs(opt.Root) {
		return nil, fault.New(fault.Internal, "a workspace store needs git, a clock, ids and an absolute root", "")
	}
	if opt.Packs != "" && !filepath.IsAbs(opt.Packs) {
		return nil, fault.New(fault.Internal, "the pack cache's directory is not absolute", "")
	}
	if err := makePrivate(opt.Root); err != nil {
		return nil, err
	}
	s := &Store{opt: opt, locks: make(map[string]chan struct{}), repos: make(map[string]*git.Repo), step: func(string) {}}
	return s, nil
}

func (s *Store) dir(id string) string     { return filepath.Join(s.opt.Root, id) }
func (s *Store) repoDir(id string) string { return filepath.Join(s.dir(id), "repo.git") }

// packsDir is where the packs that containers may see are kept.
func (s *Store) packsDir(id string) string {
	if s.opt.Packs != "" {
		return filepath.Join(s.opt.Packs, id)
	}
	return filepath.Join(s.dir(id), "packs")
}

// open finds a workspace and checks that its repository's configuration is the
// one Vexa writes.
func (s *Store) open(ctx context.Context, nameOrID string) (*repo, error) {
	rec, err := s.find(ctx, nameOrID)
	if err != nil {
		return nil, err
	}
	return s.openRepo(rec)
}
