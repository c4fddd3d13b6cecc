package workspace

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/vexa-ai/vexa/pkg/contract"
	"github.com/vexa-ai/vexa/pkg/contract/unitv1"
	"github.com/vexa-ai/vexa/pkg/contract/workspacev1"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/internal/atomicfile"
	"github.com/vexa-ai/vexa/pkg/workspace/git"
	"github.com/vexa-ai/vexa/pkg/workspace/object"
	"github.com/vexa-ai/vexa/pkg/workspace/tree"
)

// record is record.json: what the host alone knows of a workspace.
type record struct {
	ID        string    `json:"id"`
	Name      string    `json:"name"`
	CreatedAt time.Time `json:"createdAt"`
}

const (
	recordFile   = "record.json"
	contractFile = "workspace.json"
	makingPrefix = ".making-" // of a workspace that is being made
)

// Create makes a workspace. Its first commit is empty, or holds the files of
// the directory from, an absolute path, less what a walk refuses (Info.Rejected).
// It returns fault.Conflict where the name is taken.
func (s *Store) Create(ctx context.Context, name, from string, author Author) (Info, error) {
	if !nameForm.MatchString(name) {
		return Info{}, fault.New(fault.Invalid, "not a workspace name: "+strconv.Quote(name), "use up to 64 of a-z, 0-9, '.', '_' and '-', a letter or digit first")
	}
	if from != "" && !filepath.IsAbs(from) {
		return Info{}, fault.New(fault.Invalid, "not an absolute path: "+strconv.Quote(from), "")
	}
	unlock, err := s.lock(ctx, filepath.Join(s.opt.Root, ".lock"))
	if err != nil {
		return Info{}, err
	}
	defer unlock()
	if err := s.clearLeftovers(); err != nil {
		return Info{}, err
	}
	records, err := s.records()
	if err != nil {
		return Info{}, err
	}
	for _, r := range records {
		if r.Name == name || r.ID == name {
			return Info{}, fault.New(fault.Conflict, "there is a workspace "+name+" already", "choose another name, or use it: vexa workspace show "+name)
		}
	}
	rec := record{ID: strings.ToLower(s.opt.NewID()), Name: name, CreatedAt: s.opt.Now().UTC()}
	if !idForm.MatchString(rec.ID) {
		return Info{}, fault.Newf(fault.Internal, "not a workspace id: %q", rec.ID)
	}
	rejected, err := s.make(ctx, rec, from, author)
	if err != nil {
		return Info{}, err
	}
	info, err := s.info(ctx, rec)
	info.Rejected = rejected
	return info, err
}

// clearLeftovers removes what killed makers left; the registry's lock is held.
func (s *Store) clearLeftovers() error {
	entries, err := os.ReadDir(s.opt.Root)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), makingPrefix) {
			continue
		}
		if err := os.RemoveAll(filepath.Join(s.opt.Root, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

// make builds the workspace aside and renames it into place.
func (s *Store) make(ctx context.Context, rec record, from string, author Author) ([]Rejected, error) {
	tmp := filepath.Join(s.opt.Root, makingPrefix+rec.ID)
	if err := os.Mkdir(tmp, 0o700); err != nil {
		return nil, err
	}
	defer os.RemoveAll(tmp) //nolint:errcheck // gone after the rename
	dir := filepath.Join(tmp, "repo.git")
	if err := initRepo(dir); err != nil {
		return nil, err
	}
	r := &repo{Repo: s.opt.Git.Repo(dir), store: s, id: rec.ID, name: rec.Name}
	rejected, err := s.firstCommit(ctx, r, from, author)
	if err != nil {
		return nil, err
	}
	bucket := url.URL{Scheme: "file", Path: s.repoDir(rec.ID)}
	contractJSON, err := json.MarshalIndent(workspacev1.Workspace{
		ID: rec.ID, Bucket: bucket.String(), Mode: string(unitv1.ReadWrite),
		Encryption: workspacev1.Encryption{Scheme: "none", Recipients: []string{}},
	}, "", "  ")
	if err != nil {
		return nil, err
	}
	if err := contract.Validate("workspace.v1", contractJSON); err != nil {
		return nil, err
	}
	recordJSON, err := json.MarshalIndent(rec, "", "  ")
	if err != nil {
		return nil, err
	}
	err = errors.Join(
		atomicfile.WriteFile(filepath.Join(tmp, contractFile), append(contractJSON, '\n'), 0o600),
		atomicfile.WriteFile(filepath.Join(tmp, recordFile), append(recordJSON, '\n'), 0o600),
	)
	if err != nil {
		return nil, err
	}
	s.step("made")
	if err := os.Rename(tmp, s.dir(rec.ID)); err != nil {
		return nil, err
	}
	return rejected, atomicfile.SyncDir(s.opt.Root)
}

// firstCommit commits the files of from, or none, as main.
func (s *Store) firstCommit(ctx context.Context, r *repo, from string, author Author) ([]Rejected, error) {
	pack := object.NewPack(r.packDir(), nil)
	defer pack.Abort()
	msg := "Create workspace " + r.name
	var rejected []Rejected
	var root object.ID
	var err error
	if from == "" {
		root, err = pack.Add(object.KindTree, nil)
	} else {
		msg = "Import files into workspace " + r.name
		var res tree.Result
		if res, err = tree.Walk(ctx, from, tree.Options{Limits: s.opt.Limits}, pack); err == nil {
			root, rejected = res.Index.Root.ID, fromTree(res.Rejected)
		}
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fault.New(fault.NotFound, "there is no directory "+from, "name one that exists, or leave --from out for an empty workspace")
	}
	if err != nil {
		return nil, err
	}
	commit := s.commit(author, root, nil, message{subject: msg, trailers: [][2]string{{trailerSubject, author.Subject}}})
	id, err := pack.Add(object.KindCommit, commit)
	if err != nil {
		return nil, err
	}
	if _, err := pack.Finish(); err != nil {
		return nil, err
	}
	return rejected, r.setRef(refMain, id, object.ID{})
}

func fromTree(list []tree.Rejected) []Rejected {
	var out []Rejected
	for _, r := range list {
		out = append(out, Rejected(r))
	}
	return out
}

// records reads the registry.
func (s *Store) records() ([]record, error) {
	entries, err := os.ReadDir(s.opt.Root)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, "read the workspaces", err)
	}
	var out []record
	for _, e := range entries {
		if !e.IsDir() || !idForm.MatchString(e.Name()) {
			continue
		}
		rec, err := s.record(e.Name())
		if errors.Is(err, fs.ErrNotExist) {
			continue // not a workspace, or just removed
		}
		if err != nil {
			return nil, err
		}
		out = append(out, rec)
	}
	slices.SortFunc(out, func(a, b record) int { return cmp.Compare(a.Name, b.Name) })
	return out, nil
}

func (s *Store) record(id string) (record, error) {
	path := filepath.Join(s.dir(id), recordFile)
	data, err := os.ReadFile(path)
	if err != nil {
		return record{}, err
	}
	var rec record
	if err := json.Unmarshal(data, &rec); err != nil || rec.ID != id || !nameForm.MatchString(rec.Name) {
		return rec, fault.New(fault.Invalid, path+" is damaged", "restore it from a backup")
	}
	return rec, nil
}

// find returns the record of the workspace with the name or id.
func (s *Store) find(ctx context.Context, nameOrID string) (record, error) {
	if err := ctx.Err(); err != nil {
		return record{}, err
	}
	missing := fault.New(fault.NotFound, "no workspace "+strconv.Quote(nameOrID), "vexa workspace list shows them; vexa workspace create makes one")
	if !nameForm.MatchString(nameOrID) {
		return record{}, missing
	}
	if idForm.MatchString(nameOrID) {
		rec, err := s.record(nameOrID)
		if !errors.Is(err, fs.ErrNotExist) {
			return rec, err
		}
	}
	records, err := s.records()
	if err != nil {
		return record{}, err
	}
	for _, rec := range records {
		if rec.Name == nameOrID {
			return rec, nil
		}
	}
	return record{}, missing
}

// Find returns the id and the name of the workspace with the name or id. It
// reads nothing but the registry.
func (s *Store) Find(ctx context.Context, nameOrID string) (id, name string, err error) {
	rec, err := s.find(ctx, nameOrID)
	return rec.ID, rec.Name, err
}

// List returns the workspaces by name, without Files and Unmerged.
func (s *Store) List(ctx context.Context) ([]Info, error) {
	records, err := s.records()
	if err != nil {
		return nil, err
	}
	out := make([]Info, 0, len(records))
	for _, rec := range records {
		info, err := s.info(ctx, rec)
		if err != nil {
			return nil, err
		}
		out = append(out, info)
	}
	return out, nil
}

// info reads what a List shows of a workspace.
func (s *Store) info(ctx context.Context, rec record) (Info, error) {
	data, err := os.ReadFile(filepath.Join(s.dir(rec.ID), contractFile))
	if err != nil {
		return Info{}, fault.Wrap(fault.Internal, "read the workspace "+rec.Name, err)
	}
	ws, err := contract.Decode[workspacev1.Workspace]("workspace.v1", data)
	if err != nil {
		return Info{}, err
	}
	r, err := s.openRepo(rec)
	if err != nil {
		return Info{}, err
	}
	head, err := r.ref(refMain)
	if err != nil {
		return Info{}, err
	}
	c, err := r.readCommit(ctx, head)
	if err != nil {
		return Info{}, err
	}
	return Info{
		ID: rec.ID, Name: rec.Name, Head: head.String(), CreatedAt: rec.CreatedAt, UpdatedAt: c.Committer.Time, Files: -1,
		Bucket: ws.Bucket, Mode: unitv1.Mode(ws.Mode), Encrypted: ws.Encryption.Scheme != "none",
	}, nil
}

// Lookup finds a workspace by name or id and describes it in full.
func (s *Store) Lookup(ctx context.Context, nameOrID string) (Info, error) {
	rec, err := s.find(ctx, nameOrID)
	if err != nil {
		return Info{}, err
	}
	info, err := s.info(ctx, rec)
	if err != nil {
		return Info{}, err
	}
	r, err := s.openRepo(rec)
	if err != nil {
		return Info{}, err
	}
	res, err := r.Run(ctx, git.Cmd{Args: []string{"ls-tree", "-r", "-z", "--full-tree", "--name-only", info.Head}})
	if err != nil {
		return Info{}, err
	}
	info.Files = strings.Count(string(res.Stdout), "\x00")
	info.Unmerged, err = r.unmerged(ctx)
	return info, err
}

// Unmerged lists the dispatches' branches that main does not hold, "vexa/<unit>".
func (s *Store) Unmerged(ctx context.Context, id string) ([]string, error) {
	r, err := s.open(ctx, id)
	if err != nil {
		return nil, err
	}
	return r.unmerged(ctx)
}

func (r *repo) unmerged(ctx context.Context) ([]string, error) {
	res, err := r.Run(ctx, git.Cmd{Args: []string{"for-each-ref", "--format=%(refname:lstrip=2)", "--no-merged=" + refMain, refBranches}})
	if err != nil {
		return nil, err
	}
	return strings.Fields(string(res.Stdout)), nil
}
