package workspace

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"github.com/vexa-ai/vexa/pkg/contract/unitv1"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/internal/atomicfile"
	"github.com/vexa-ai/vexa/pkg/internal/removetree"
	"github.com/vexa-ai/vexa/pkg/workspace/object"
	"github.com/vexa-ai/vexa/pkg/workspace/tree"
)

// Checkout is one working tree of a workspace, made for one dispatch. Its
// methods are safe for concurrent use.
type Checkout struct {
	mu    sync.Mutex // held by a seal
	note  note
	index *tree.Index // of the commit note.Tip
}

// note is checkout.json in the Meta directory: all that a seal needs, also of a
// later daemon.
type note struct {
	Workspace string      `json:"workspace"` // id
	Unit      string      `json:"unit"`
	Dir       string      `json:"dir"`
	History   string      `json:"history"`
	Meta      string      `json:"meta"`
	Mode      unitv1.Mode `json:"mode"`
	Base      string      `json:"base"`   // commit of main that was checked out
	Tip       string      `json:"tip"`    // commit that the stored index belongs to
	Merged    bool        `json:"merged"` // main was seen to hold it
}

const (
	noteFile  = "checkout.json"
	indexFile = "index"
)

// Workspace returns the workspace's id.
func (c *Checkout) Workspace() string { return c.note.Workspace }

// Unit returns the dispatch's id.
func (c *Checkout) Unit() string { return c.note.Unit }

// Dir returns the directory of the working tree.
func (c *Checkout) Dir() string { return c.note.Dir }

// History returns the directory that is mounted as the checkout's history.
func (c *Checkout) History() string { return c.note.History }

// Mode returns how the workspace was granted.
func (c *Checkout) Mode() unitv1.Mode { return c.note.Mode }

// Base returns the commit of main that was checked out.
func (c *Checkout) Base() string { return c.note.Base }

// Branch returns the dispatch's branch, "vexa/<unit>"; empty for a read-only
// checkout.
func (c *Checkout) Branch() string {
	if c.note.Mode != unitv1.ReadWrite {
		return ""
	}
	return branchSpace + c.note.Unit
}

func (c *Checkout) ref() string { return refBranches + c.note.Unit }

// HistoryMount is where a container finds the history of a workspace. The
// checkout's disposable .git refers to it.
func HistoryMount(workspaceID string) string { return "/.vexa/history/" + workspaceID }

// Checkout writes main's tree to req.Dir, with a disposable .git that reads its
// objects from the history mount, the packs of main's history to req.History,
// and what a later seal needs to req.Meta; with mode rw it makes the dispatch's
// branch. It fails whole: what it had made is removed again.
func (s *Store) Checkout(ctx context.Context, req CheckoutRequest) (*Checkout, error) {
	r, err := s.open(ctx, req.Workspace)
	if err != nil {
		return nil, err
	}
	if err := checkCheckout(req); err != nil {
		return nil, err
	}
	if req.Mode == unitv1.ReadWrite {
		if err := r.mayWrite(ctx); err != nil {
			return nil, err
		}
	}
	c := &Checkout{note: note{
		Workspace: r.id, Unit: req.Unit, Dir: req.Dir, History: req.History, Meta: req.Meta, Mode: req.Mode, Merged: true,
	}}
	for _, dir := range []string{req.Dir, req.History, req.Meta} {
		if err := makeEmpty(dir); err != nil {
			return nil, err
		}
	}
	if err := s.fill(ctx, r, c); err != nil {
		return nil, errors.Join(err, c.remove())
	}
	return c, nil
}

// mayWrite refuses what could not be saved in the end: a dispatch's branch lands on
// main, or where they conflict stays beside it.
func (r *repo) mayWrite(ctx context.Context) error {
	st, err := r.head(ctx)
	if err != nil {
		return err
	}
	for _, ref := range []string{refMain, refBranches + "x"} {
		may, err := r.bucket.MayWrite(ctx, st, ref)
		if err != nil {
			return err
		}
		if !may {
			return fault.New(fault.Denied, "this installation may not write "+strings.TrimSuffix(ref, "x")+" of workspace "+r.name+", where an agent's work goes", "grant it read-only: -w "+r.name+":ro; or ask an administrator for the right: vexa workspace member list "+r.name)
		}
	}
	return nil
}

func checkCheckout(req CheckoutRequest) error {
	if !unitForm.MatchString(req.Unit) {
		return fault.New(fault.Invalid, "not a dispatch id: "+strconv.Quote(req.Unit), "")
	}
	if req.Mode != unitv1.ReadOnly && req.Mode != unitv1.ReadWrite {
		return fault.New(fault.Invalid, "not a mode: "+strconv.Quote(string(req.Mode)), "use ro or rw")
	}
	for _, dir := range []string{req.Dir, req.History, req.Meta} {
		if !filepath.IsAbs(dir) {
			return fault.New(fault.Invalid, "not an absolute path: "+strconv.Quote(dir), "")
		}
	}
	return nil
}

// makeEmpty makes a directory, or takes an empty one.
func makeEmpty(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // its parent is private; the container's user reads it
		return fault.Wrap(fault.Internal, "make the checkout", err)
	}
	list, err := os.ReadDir(dir)
	if err != nil {
		return fault.Wrap(fault.Internal, "make the checkout", err)
	}
	if len(list) > 0 {
		return fault.New(fault.Conflict, dir+" is not empty", "a checkout needs directories of its own")
	}
	return os.Chmod(dir, 0o755) //nolint:gosec // likewise
}

// fill does the work of Checkout. The note is written last: without it there is
// no checkout.
func (s *Store) fill(ctx context.Context, r *repo, c *Checkout) error {
	base, err := s.startHistory(ctx, r, c)
	if err != nil {
		return err
	}
	c.note.Base, c.note.Tip = base.String(), base.String()
	if c.index, err = r.readIndex(ctx, base); err != nil {
		return err
	}
	commit, err := r.readCommit(ctx, base)
	if err != nil {
		return err
	}
	if err := s.materialise(ctx, r, c, commit.Committer.Time); err != nil {
		return err
	}
	if c.note.Mode == unitv1.ReadWrite {
		if err := s.startBranch(ctx, r, c, base); err != nil {
			return err
		}
	}
	if err := c.save(true); err != nil {
		return err
	}
	return settle(ctx, c.index) // the time above counts
}

// startBranch makes the dispatch's branch at base. One that is left over from
// an earlier attempt is taken over, unless main lacks something of it.
func (s *Store) startBranch(ctx context.Context, r *repo, c *Checkout, base object.ID) error {
	unlock, err := r.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	old, err := r.ref(c.ref())
	if err != nil {
		return err
	}
	if !old.IsZero() {
		merged, err := r.isAncestor(ctx, old, base)
		if err != nil {
			return err
		}
		if !merged {
			return fault.New(fault.Conflict, "the branch "+c.Branch()+" exists and main does not hold it", "")
		}
	}
	return r.setRef(c.ref(), base, old)
}

// save stores the note, and the index where it changed. The index is only a
// cache: it carries a checksum and is not flushed.
func (c *Checkout) save(index bool) error {
	if index {
		data, err := c.index.MarshalBinary()
		if err != nil {
			return err
		}
		if err := atomicfile.Replace(filepath.Join(c.note.Meta, indexFile), data, 0o600); err != nil {
			return err
		}
	}
	data, err := json.MarshalIndent(c.note, "", "  ")
	if err != nil {
		return err
	}
	return atomicfile.WriteFile(filepath.Join(c.note.Meta, noteFile), append(data, '\n'), 0o600)
}

// OpenCheckout finds a checkout again by its Meta directory, after a restart of
// the daemon. It returns fault.NotFound where the directory holds none.
func (s *Store) OpenCheckout(ctx context.Context, meta string) (*Checkout, error) {
	data, err := os.ReadFile(filepath.Join(meta, noteFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fault.New(fault.NotFound, "there is no checkout in "+meta, "")
	}
	if err != nil {
		return nil, err
	}
	c := &Checkout{}
	if err := json.Unmarshal(data, &c.note); err != nil || c.note.Meta != meta || !unitForm.MatchString(c.note.Unit) {
		return nil, fault.New(fault.Invalid, filepath.Join(meta, noteFile)+" is damaged", "")
	}
	r, err := s.open(ctx, c.note.Workspace)
	if err == nil {
		err = s.loadIndex(ctx, r, c)
	}
	if fault.Is(err, fault.NotFound) { // there is a checkout, and it is needed
		err = fault.Wrap(fault.Internal, "the checkout in "+meta+" cannot be used", err)
	}
	if err != nil {
		return nil, err
	}
	return c, nil
}

// loadIndex reads the stored index where it belongs to the noted tip, and else
// lists the tip's tree: then a seal reads every file.
func (s *Store) loadIndex(ctx context.Context, r *repo, c *Checkout) error {
	tip, err := object.ParseID(c.note.Tip)
	if err != nil {
		return fault.New(fault.Invalid, "the note of a checkout is damaged", "")
	}
	root, err := r.treeOf(ctx, tip)
	if err != nil {
		return err
	}
	data, err := os.ReadFile(filepath.Join(c.note.Meta, indexFile))
	if err == nil {
		x := &tree.Index{}
		if x.UnmarshalBinary(data) == nil && x.Root.ID == root {
			c.index = x
			return nil
		}
	}
	c.index, err = r.readIndex(ctx, tip)
	return err
}

// Release removes a checkout's directories, and its branch where main holds
// it. With keepBranch the branch stays. The container must be gone.
func (s *Store) Release(ctx context.Context, c *Checkout, keepBranch bool) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	r, err := s.open(ctx, c.note.Workspace)
	if err != nil {
		return err
	}
	if c.note.Mode == unitv1.ReadWrite && !keepBranch {
		if err := s.dropBranch(ctx, r, c.ref()); err != nil {
			return err
		}
	}
	return errors.Join(c.remove(), s.tidy(ctx, r))
}

// dropBranch removes a branch that main holds.
func (s *Store) dropBranch(ctx context.Context, r *repo, name string) error {
	return r.change(ctx, func() error {
		tip, err := r.ref(name)
		if err != nil || tip.IsZero() {
			return err
		}
		merged, err := r.holds(ctx, tip)
		if err != nil || !merged {
			return err
		}
		st, err := r.bucket.Head(ctx)
		if err != nil {
			return err
		}
		if id := st.Refs[name]; id != "" {
			from, err := object.ParseID(id)
			if err != nil {
				return err
			}
			if held, err := r.holds(ctx, from); err != nil || !held {
				return err // somebody else moved it on
			}
			if err := r.publish(ctx, []move{{ref: name, from: from}}, nil); err != nil {
				return err
			}
		}
		return r.dropRef(ctx, name)
	})
}

// remove deletes the checkout's directories, the note first.
func (c *Checkout) remove() error {
	err := os.Remove(filepath.Join(c.note.Meta, noteFile))
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return errors.Join(err, removetree.All(c.note.Dir), removetree.All(c.note.History), removetree.All(c.note.Meta))
}
