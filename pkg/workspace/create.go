package workspace

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/vexa-ai/vexa/pkg/contract/unitv1"
	"github.com/vexa-ai/vexa/pkg/contract/workspacev1"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/internal/atomicfile"
	"github.com/vexa-ai/vexa/pkg/workspace/blob"
	"github.com/vexa-ai/vexa/pkg/workspace/bucket"
	"github.com/vexa-ai/vexa/pkg/workspace/object"
	"github.com/vexa-ai/vexa/pkg/workspace/tree"
)

// CreateRequest says what a new workspace is like.
type CreateRequest struct {
	Name        string
	From        string // a directory, absolute: its files are the first commit
	Bucket      string // URL below which it rests; empty: on this machine
	PostQuantum bool
	Author      Author
}

// Create makes a workspace. Its first commit is empty, or holds the files of
// the directory From, less what a walk refuses (Info.Rejected). It returns
// fault.Conflict where the name is taken.
func (s *Store) Create(ctx context.Context, req CreateRequest) (Info, error) {
	if req.From != "" && !filepath.IsAbs(req.From) {
		return Info{}, fault.New(fault.Invalid, "not an absolute path: "+strconv.Quote(req.From), "")
	}
	rec, unlock, err := s.reserve(ctx, req.Name)
	if err != nil {
		return Info{}, err
	}
	defer unlock()
	got, err := s.make(ctx, rec, req)
	if err != nil {
		return Info{}, err
	}
	info, err := s.info(ctx, rec)
	info.Files, info.Rejected = got.files, got.rejected
	return info, err
}

// imported is what a workspace begins with.
type imported struct {
	files    int
	rejected []Rejected
}

// Add registers a workspace whose bucket is there already, on this machine or
// elsewhere. It returns fault.Conflict where the name is taken or the bucket is
// registered under another one.
func (s *Store) Add(ctx context.Context, name, url string) (Info, error) {
	rec, unlock, err := s.reserve(ctx, name)
	if err != nil {
		return Info{}, err
	}
	defer unlock()
	b, err := s.opt.Buckets.Open(ctx, url)
	if err != nil {
		return Info{}, err
	}
	defer b.Close()
	st, err := b.Head(ctx)
	if err != nil {
		return Info{}, err
	}
	if err := s.unknownBucket(b); err != nil {
		return Info{}, err
	}
	if err := b.Probe(ctx); err != nil && !errors.Is(err, blob.ErrDenied) { // who may only read it pushes nothing
		return Info{}, err
	}
	if err := s.register(rec, b, contractOf(rec.ID, b.URL(), st)); err != nil {
		return Info{}, err
	}
	return s.info(ctx, rec)
}

// unknownBucket refuses a bucket that is registered.
func (s *Store) unknownBucket(b *bucket.Bucket) error {
	records, err := s.records()
	if err != nil {
		return err
	}
	for _, r := range records {
		ws, err := s.contract(r)
		if err == nil && (ws.Bucket == b.URL() || r.Bucket == b.ID()) {
			return fault.New(fault.Conflict, "the bucket "+b.URL()+" is workspace "+r.Name+" already, which is at "+ws.Bucket, "use that: vexa workspace show "+r.Name)
		}
	}
	return nil
}

// reserve checks a name and returns a record for it, with the registry locked.
func (s *Store) reserve(ctx context.Context, name string) (record, func(), error) {
	if !nameForm.MatchString(name) {
		return record{}, nil, fault.New(fault.Invalid, "not a workspace name: "+strconv.Quote(name), "use up to 64 of a-z, 0-9, '.', '_' and '-', a letter or digit first")
	}
	unlock, err := s.lock(ctx, filepath.Join(s.opt.Root, ".lock"))
	if err != nil {
		return record{}, nil, err
	}
	rec, err := s.newRecord(ctx, name)
	if err != nil {
		unlock()
		return record{}, nil, err
	}
	return rec, unlock, nil
}

func (s *Store) newRecord(ctx context.Context, name string) (record, error) {
	if err := s.clearLeftovers(ctx); err != nil {
		return record{}, err
	}
	records, err := s.records()
	if err != nil {
		return record{}, err
	}
	for _, r := range records {
		if r.Name == name || r.ID == name {
			return record{}, fault.New(fault.Conflict, "there is a workspace "+name+" already", "choose another name, or use it: vexa workspace show "+name)
		}
	}
	rec := record{ID: strings.ToLower(s.opt.NewID()), Name: name, CreatedAt: s.opt.Now().UTC()}
	if !idForm.MatchString(rec.ID) {
		return record{}, fault.Newf(fault.Internal, "not a workspace id: %q", rec.ID)
	}
	return rec, nil
}

// clearLeftovers removes what killed makers left; the registry's lock is held.
func (s *Store) clearLeftovers(ctx context.Context) error {
	entries, err := os.ReadDir(s.opt.Root)
	if err != nil {
		return err
	}
	for _, e := range entries {
		id, ok := strings.CutPrefix(e.Name(), makingPrefix)
		if !ok {
			continue
		}
		if _, err := os.Stat(s.dir(id)); errors.Is(err, fs.ErrNotExist) {
			if err := s.opt.Buckets.Discard(ctx, id); err != nil {
				return err
			}
		}
		if err := errors.Join(os.RemoveAll(filepath.Join(s.opt.Root, e.Name())), os.RemoveAll(s.openDir(id))); err != nil {
			return err
		}
	}
	return nil
}

// make builds the workspace: a note that it is being made, its repository, its
// bucket, and last its entry in the registry.
func (s *Store) make(ctx context.Context, rec record, req CreateRequest) (got imported, err error) {
	if err := os.Mkdir(filepath.Join(s.opt.Root, makingPrefix+rec.ID), 0o700); err != nil {
		return got, err
	}
	if err := errors.Join(makePrivate(s.openDir(rec.ID)), initRepo(s.repoDir(rec.ID))); err != nil {
		return got, err
	}
	url, err := s.opt.Buckets.Place(rec.ID, req.Bucket)
	if err != nil {
		return got, err
	}
	r := &repo{Repo: s.opt.Git.Repo(s.repoDir(rec.ID)), store: s, id: rec.ID, name: rec.Name}
	defer r.Close()
	got, err = s.firstCommit(ctx, r, req, func() (err error) {
		r.bucket, err = s.opt.Buckets.Create(ctx, url, CreateBucket{PostQuantum: req.PostQuantum})
		if err != nil {
			return err
		}
		st, err := r.bucket.Head(ctx)
		if err != nil {
			return err
		}
		return r.writeSeen(st)
	})
	if r.bucket != nil {
		defer r.bucket.Close()
	}
	if err != nil {
		return got, errors.Join(err, s.clearLeftovers(context.WithoutCancel(ctx)))
	}
	s.step("made")
	st, err := r.bucket.Head(ctx)
	if err != nil {
		return got, err
	}
	return got, s.register(rec, r.bucket, contractOf(rec.ID, r.bucket.URL(), st))
}

// register makes the entry of a workspace in the registry.
func (s *Store) register(rec record, b *bucket.Bucket, ws workspacev1.Workspace) error {
	rec.Bucket = b.ID()
	tmp := filepath.Join(s.opt.Root, makingPrefix+rec.ID)
	if err := os.MkdirAll(tmp, 0o700); err != nil {
		return err
	}
	err := errors.Join(s.writeRecord(tmp, rec), writeContract(tmp, ws))
	if err != nil {
		return err
	}
	if err := os.Rename(tmp, s.dir(rec.ID)); err != nil {
		return err
	}
	return atomicfile.SyncDir(s.opt.Root)
}

// contractOf describes a workspace whose bucket is at a generation. It names the
// key of the epoch, and nobody's own: who the members are rests in the bucket alone.
func contractOf(id, url string, st *bucket.State) workspacev1.Workspace {
	return encryptedTo(id, url, st.Membership.Recipient, st.Epoch())
}

func encryptedTo(id, url, recipient string, epoch int) workspacev1.Workspace {
	return workspacev1.Workspace{ID: id, Bucket: url, Mode: string(unitv1.ReadWrite), Encryption: workspacev1.Encryption{
		Scheme: schemeAge, Recipients: []string{recipient}, KeyGeneration: epoch,
	}}
}

// describe notes which key a workspace is encrypted to now. The bucket has it, so
// that to fail here is no failure of what was done.
func (s *Store) describe(ctx context.Context, rec record, r *repo, st *bucket.State) {
	if err := writeContract(s.dir(rec.ID), contractOf(rec.ID, r.bucket.URL(), st)); err != nil {
		s.opt.Log.WarnContext(ctx, "the description of a workspace was not written", "workspace", rec.ID, "error", err)
	}
}

// firstCommit commits the files of req.From, or none, as main. Once the commit
// is made, and before it is pushed, ready is called.
func (s *Store) firstCommit(ctx context.Context, r *repo, req CreateRequest, ready func() error) (got imported, err error) {
	pack := object.NewPack(r.packDir(), nil)
	defer pack.Abort()
	msg := "Create workspace " + r.name
	var root object.ID
	if req.From == "" {
		root, err = pack.Add(object.KindTree, nil)
	} else {
		msg = "Import files into workspace " + r.name
		var res tree.Result
		if res, err = tree.Walk(ctx, req.From, tree.Options{Limits: s.opt.Limits}, pack); err == nil {
			root = res.Index.Root.ID
			got = imported{files: tree.Changed(&tree.Index{}, res.Index), rejected: fromTree(res.Rejected)}
		}
	}
	if errors.Is(err, fs.ErrNotExist) {
		return got, fault.New(fault.NotFound, "there is no directory "+req.From, "name one that exists, or leave --from out for an empty workspace")
	}
	if err != nil {
		return got, err
	}
	id, err := pack.Add(object.KindCommit, s.commit(req.Author, root, nil, message{subject: msg, trailers: [][2]string{{trailerSubject, req.Author.Subject}}}))
	if err != nil {
		return got, err
	}
	if _, err := pack.Finish(); err != nil {
		return got, err
	}
	if err := ready(); err != nil {
		return got, err
	}
	// git packs it anew, with deltas and an index that others need not make.
	return got, r.publish(ctx, []move{{ref: refMain, to: id}}, nil)
}

func fromTree(list []tree.Rejected) []Rejected {
	var out []Rejected
	for _, r := range list {
		out = append(out, Rejected(r))
	}
	return out
}
