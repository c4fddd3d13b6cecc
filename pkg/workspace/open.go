package workspace

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/internal/atomicfile"
	"github.com/vexa-ai/vexa/pkg/workspace/blob"
	"github.com/vexa-ai/vexa/pkg/workspace/bucket"
	"github.com/vexa-ai/vexa/pkg/workspace/git"
)

// opened is what a store keeps of a workspace that is in use.
type opened struct {
	repo   *git.Repo
	bucket *bucket.Bucket
	id     string    // of the workspace
	used   time.Time // by somebody, for what is in it
	rest   func()    // ends keepUp, and waits for it; nil: it was not begun
}

func (o *opened) close() error {
	if o.rest != nil {
		o.rest()
	}
	o.repo.Close()
	return o.bucket.Close()
}

// openRepo opens the workspace of a record: its repository follows its bucket, and what
// waits in its inbox is taken up.
func (s *Store) openRepo(ctx context.Context, rec record) (*repo, error) {
	r, err := s.handle(ctx, rec)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	if o := s.opens[rec.ID]; o != nil {
		o.used = time.Now()
	}
	s.mu.Unlock()
	if err := r.follow(ctx); err != nil {
		return r, err
	}
	s.watch(ctx, *r)
	r.receive(ctx, r.store.receiveFor)
	return r, nil
}

// handle returns the repository and the bucket of a workspace, the same each
// time, so that the process that reads its objects is kept. The repository may
// not be there yet. It counts as no use of the workspace: see ShutIdle.
func (s *Store) handle(ctx context.Context, rec record) (*repo, error) {
	if err := rec.readable(); err != nil {
		return nil, err
	}
	o, err := s.kept(rec.ID)
	if err != nil {
		return nil, err
	}
	if o != nil && o.bucket.Gone() {
		s.retire(rec.ID, o.bucket)
		o = nil
	}
	if o == nil {
		b, err := s.bucketOf(ctx, rec)
		if err != nil {
			return nil, err
		}
		if o, err = s.keep(rec.ID, b); err != nil {
			return nil, err
		}
	}
	return &repo{Repo: o.repo, store: s, bucket: o.bucket, id: rec.ID, name: rec.Name}, nil
}

// kept returns what is open of a workspace, nil where nothing is.
func (s *Store) kept(id string) (*opened, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, errShut()
	}
	return s.opens[id], nil
}

func errShut() error {
	return fault.New(fault.Locked, "the workspaces are closed", "open them with: vexa unlock")
}

// bucketOf opens the bucket of a workspace.
func (s *Store) bucketOf(ctx context.Context, rec record) (*bucket.Bucket, error) {
	ws, err := s.contract(rec)
	if err != nil {
		return nil, err
	}
	if ws.Encryption.Scheme == schemeNone {
		if ws, err = s.migrate(ctx, rec); err != nil {
			return nil, fault.Wrap(fault.KindOf(err), "encrypt workspace "+rec.Name, err)
		}
	}
	b, err := s.opt.Buckets.Open(ctx, ws.Bucket)
	if fault.Is(err, fault.NotFound) { // the workspace is there, and its disk is not
		return nil, &fault.Error{
			Kind: fault.Failed, Msg: "open workspace " + rec.Name, Err: err,
			Hint: "see that its disk is mounted, and try again; or bring it back from a backup: vexa workspace restore " + rec.Name + " --from BACKUP",
		}
	}
	if err != nil {
		return nil, fault.Wrap(fault.KindOf(err), "open workspace "+rec.Name, err)
	}
	return b, nil
}

// keep notes what was opened, unless somebody else did meanwhile.
func (s *Store) keep(id string, b *bucket.Bucket) (*opened, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.opens[id]
	if s.closed {
		return nil, errors.Join(errShut(), b.Close())
	}
	if o != nil {
		return o, b.Close()
	}
	o = &opened{id: id, repo: s.opt.Git.Repo(s.repoDir(id)), bucket: b, used: time.Now()}
	s.opens[id] = o
	return o, nil
}

// retire has the next one who uses a workspace open its bucket anew: a storage that
// failed to make something durable does not take more until then, and one that is gone
// nothing at all. Others may be reading from what was open, which is therefore closed with
// the idle ones. Where was is not what is open, somebody opened it anew already; nil: no
// matter which.
func (s *Store) retire(id string, was *bucket.Bucket) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if o := s.opens[id]; o != nil && (was == nil || o.bucket == was) {
		delete(s.opens, id)
		o.used = time.Now()
		s.retired = append(s.retired, o)
	}
}

// forget closes what is open of a workspace.
func (s *Store) forget(id string) error {
	s.mu.Lock()
	var all []*opened
	if o := s.opens[id]; o != nil {
		all = append(all, o)
	}
	delete(s.opens, id)
	s.retired = slices.DeleteFunc(s.retired, func(o *opened) bool {
		if o.id == id {
			all = append(all, o)
		}
		return o.id == id
	})
	s.mu.Unlock()
	var errs []error
	for _, o := range all {
		errs = append(errs, o.close())
	}
	return errors.Join(errs...)
}

// head returns the newest generation of the bucket. Where its storage does not
// answer, because its disk went and came back, say, the next one opens it anew.
func (r *repo) head(ctx context.Context) (*bucket.State, error) {
	st, err := r.bucket.Head(ctx)
	if errors.Is(err, blob.ErrUnavailable) {
		r.store.retire(r.id, r.bucket)
	}
	return st, err
}

// known is the newest generation that was looked at here, without another look.
func (r *repo) known(ctx context.Context) (*bucket.State, error) {
	if st := r.bucket.Known(); st != nil {
		return st, nil
	}
	return r.head(ctx)
}

// follow brings the repository up to the bucket.
func (r *repo) follow(ctx context.Context) error {
	st, err := r.head(ctx)
	if err != nil {
		return fault.Wrap(fault.KindOf(err), "open workspace "+r.name, err)
	}
	if seen, err := r.seen(); err == nil && seen == r.mark(st) {
		return checkRepo(r.Dir(), r.name)
	}
	unlock, err := r.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	return r.sync(ctx, st)
}

// seen is what a repository notes of the bucket that it follows: everything of
// that generation is in it.
type seen struct {
	Bucket     string `json:"bucket"`
	Generation int64  `json:"generation"`
	SHA256     string `json:"sha256"`
}

const seenFile = "seen.json"

// followed is what the file says: besides, where the branches of dispatches were in the
// bucket, so that what is only here can be told from what somebody else brought.
type followed struct {
	seen
	Branches map[string]string `json:"branches,omitempty"`
}

func (r *repo) mark(st *bucket.State) seen {
	return seen{Bucket: r.bucket.ID(), Generation: st.Generation, SHA256: st.SHA256}
}

func (r *repo) seen() (seen, error) {
	n, err := r.followed()
	return n.seen, err
}

func (r *repo) followed() (followed, error) {
	var n followed
	data, err := os.ReadFile(filepath.Join(r.store.openDir(r.id), seenFile))
	if err != nil {
		return n, err
	}
	return n, json.Unmarshal(data, &n)
}

func (r *repo) writeSeen(st *bucket.State) error {
	n := followed{seen: r.mark(st), Branches: map[string]string{}}
	for name, id := range st.Refs {
		if strings.HasPrefix(name, refBranches) {
			n.Branches[name] = id
		}
	}
	data, err := json.Marshal(n)
	if err != nil {
		return err
	}
	return atomicfile.Replace(filepath.Join(r.store.openDir(r.id), seenFile), data, 0o600)
}

// sync brings objects and refs of a generation into the repository, which is
// made where it is missing. The workspace's lock is held.
func (r *repo) sync(ctx context.Context, st *bucket.State) error {
	was, err := r.followed()
	if err != nil { // it was never filled, or the bucket was restored
		was = followed{}
	}
	_, herr := os.Stat(filepath.Join(r.Dir(), "HEAD"))
	fresh := herr != nil || err == nil && was.Bucket != r.bucket.ID()
	if fresh {
		was = followed{}
		if err := r.lay(); err != nil {
			return fault.Wrap(fault.Internal, "open workspace "+r.name, err)
		}
	}
	if err := checkRepo(r.Dir(), r.name); err != nil {
		return err
	}
	if err := r.room(st, was.Generation); err != nil {
		return err
	}
	got, err := r.bucket.Fetch(ctx, r.asBucketRepo(), bucket.FetchOptions{Since: was.Generation})
	if err != nil {
		return fault.Wrap(fault.KindOf(err), "open workspace "+r.name, err)
	}
	if fresh {
		err = r.packRefs(got.State.Refs)
	} else {
		err = r.followRefs(ctx, got.State.Refs, was.Branches)
	}
	if err != nil {
		return fault.Wrap(fault.Internal, "open workspace "+r.name, err)
	}
	return r.writeSeen(got.State)
}

func (r *repo) asBucketRepo() *bucket.Repo {
	return &bucket.Repo{Repo: r.Repo, Format: "sha1", Objects: filepath.Join(r.Dir(), "objects")}
}

// lay makes an empty repository in place of what a killed process left.
func (r *repo) lay() error {
	if err := os.RemoveAll(r.Dir()); err != nil {
		return err
	}
	if err := makePrivate(r.store.openDir(r.id)); err != nil {
		return err
	}
	return initRepo(r.Dir())
}

// room refuses to open what the storage of open workspaces does not hold.
func (r *repo) room(now *bucket.State, since int64) error {
	var need int64
	for _, p := range now.Packs {
		if p.Generation > since {
			need += p.Size
		}
		if p.Index != nil && p.Generation > since {
			need += p.Index.Size
		}
	}
	return r.roomFor(need)
}

// roomFor refuses what the storage of open workspaces does not hold, in bytes.
func (r *repo) roomFor(need int64) error {
	var st unix.Statfs_t
	if err := unix.Statfs(r.store.openDir(r.id), &st); err != nil {
		return fault.Wrap(fault.Internal, "look for room to open workspace "+r.name, err)
	}
	free := int64(st.Bavail) * st.Bsize
	if need <= free {
		return nil
	}
	return fault.New(fault.Failed, fmt.Sprintf("workspace %s needs %d MB to open, and %s has %d MB left", r.name, need>>20, r.store.opt.Repos, free>>20),
		"close another workspace: vexa workspace close NAME; or set VEXA_PLAINTEXT_DIR to a place with more room")
}

// packRefs writes the refs of a repository that has none yet as one file.
func (r *repo) packRefs(refs map[string]string) error {
	var text strings.Builder
	text.WriteString("# pack-refs with: sorted \n")
	for _, name := range slices.Sorted(maps.Keys(refs)) {
		text.WriteString(refs[name] + " " + name + "\n")
	}
	return os.WriteFile(filepath.Join(r.Dir(), "packed-refs"), []byte(text.String()), 0o600)
}

// followRefs moves the repository's refs to what the bucket has. The branches of
// dispatches may be ahead of it, or not in it at all: those move that are where they
// were in the bucket.
func (r *repo) followRefs(ctx context.Context, refs, branches map[string]string) error {
	have, err := r.refsBelow("refs/")
	if err != nil {
		return err
	}
	for name, id := range refs {
		now := have[name]
		if now.String() == id || strings.HasPrefix(name, refBranches) && !now.IsZero() && branches[name] != now.String() {
			continue
		}
		err := r.writeRef(name, id)
		if errors.Is(err, unix.ENAMETOOLONG) { // somebody's own client made it
			if err = r.packRefs(refs); err == nil {
				continue
			}
		}
		if err != nil {
			return err
		}
	}
	for name, id := range have {
		if refs[name] != "" || strings.HasPrefix(name, refBranches) {
			continue
		}
		if err := r.deleteRef(ctx, name, id); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
