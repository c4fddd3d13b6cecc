package workspace

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/vexa-ai/vexa/pkg/contract/manifestv1"
	"github.com/vexa-ai/vexa/pkg/contract/proposalv1"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/signature"
	"github.com/vexa-ai/vexa/pkg/workspace/bucket"
	"github.com/vexa-ai/vexa/pkg/workspace/object"
	"github.com/vexa-ai/vexa/pkg/workspace/proposal"
)

// event is one event of a proposal that is to be written: the proposal as it is
// afterwards, and what happened.
type event struct {
	kind  string
	after proposalv1.Proposal
	body  string
	paths []proposalv1.Conflict
	what  string // first line of the commit's message

	comment  string
	approval *signedFile // a new one
	void     bool        // the approvals that were given are for something else now
	source   object.ID   // a new commit that it is about; zero: the same
}

// signedFile is an approval with its signature.
type signedFile struct {
	name           string // without an ending
	text, armoured []byte
}

// next is an event that leaves everything as it was.
func (p *proposing) next(kind string) event {
	f := p.files
	return event{kind: kind, after: f.Proposal, body: f.Body, paths: f.Conflicts}
}

// write adds the objects of an event to the pack and returns its commit, signed by
// this installation.
func (p *proposing) write(e event) (object.ID, error) {
	text, err := proposal.EncodeText(e.after, e.body)
	if err != nil {
		return object.ID{}, err
	}
	conflicts, err := proposal.EncodeConflicts(e.paths)
	if err != nil {
		return object.ID{}, err
	}
	result, err := object.ParseID(e.after.Result)
	if err != nil {
		return object.ID{}, err
	}
	w := &eventWriter{pack: p.pack}
	root := []object.TreeEntry{w.file(proposal.TextFile, text), w.file(proposal.ConflictsFile, conflicts)}
	if e.after.Result == object.EmptyTree {
		w.add(object.KindTree, nil)
	}
	root = append(root, object.TreeEntry{Name: proposal.ResultDir, Mode: object.ModeDir, ID: result})
	var review, approvals []object.TreeEntry
	if p.files != nil {
		review = slices.Clone(p.files.Review)
		if !e.void {
			approvals = slices.Clone(p.files.Signed)
		}
	}
	if e.comment != "" && len(review) >= proposal.MaxComments {
		return object.ID{}, fault.Newf(fault.Conflict, "the proposal %s has %d comments, which is as many as there can be", e.after.ID, len(review)).WithHint("reject it, and open another one")
	}
	if e.comment != "" {
		if len(e.comment) > proposal.MaxComment || !utf8.ValidString(e.comment) {
			return object.ID{}, fault.New(fault.Invalid, "a comment is text of at most 1 MiB", "")
		}
		review = append(review, w.file(p.store.opt.NewID()+".md", []byte(strings.TrimSpace(e.comment)+"\n")))
	}
	if a := e.approval; a != nil {
		approvals = slices.DeleteFunc(approvals, func(x object.TreeEntry) bool { return x.Name == a.name+".json" || x.Name == a.name+".json.sig" })
		approvals = append(approvals, w.file(a.name+".json", a.text), w.file(a.name+".json.sig", a.armoured))
	}
	root = append(root, w.dir(proposal.ReviewDir, review)...)
	root = append(root, w.dir(proposal.ApprovalsDir, approvals)...)
	tree := w.add(object.KindTree, object.EncodeTree(root))
	if w.err != nil {
		return object.ID{}, w.err
	}
	return p.signedCommit(tree, p.parents(e), e.message(p.by))
}

// parents are the event before, and the commit that a proposal is about, so that
// it is kept as long as the proposal.
func (p *proposing) parents(e event) []object.ID {
	var out []object.ID
	if p.files != nil {
		out = append(out, p.files.Tip)
	}
	if !e.source.IsZero() {
		out = append(out, e.source)
	}
	return out
}

func (e event) message(by Author) message {
	return message{subject: cmp.Or(e.what, e.after.Title), trailers: [][2]string{
		{proposal.TrailerID, e.after.ID},
		{proposal.TrailerEvent, e.kind},
		{trailerSubject, by.Subject},
	}}
}

// eventWriter adds files and directories to a pack, until one fails.
type eventWriter struct {
	pack *object.Pack
	err  error
}

func (w *eventWriter) add(kind object.Kind, data []byte) object.ID {
	if w.err != nil {
		return object.ID{}
	}
	id, err := w.pack.Add(kind, data)
	w.err = err
	return id
}

func (w *eventWriter) file(name string, data []byte) object.TreeEntry {
	return object.TreeEntry{Name: name, Mode: object.ModeFile, ID: w.add(object.KindBlob, data)}
}

func (w *eventWriter) dir(name string, entries []object.TreeEntry) []object.TreeEntry {
	if len(entries) == 0 {
		return nil
	}
	return []object.TreeEntry{{Name: name, Mode: object.ModeDir, ID: w.add(object.KindTree, object.EncodeTree(entries))}}
}

// signedCommit adds a commit to the pack that this installation signs.
func (p *proposing) signedCommit(root object.ID, parents []object.ID, msg message) (object.ID, error) {
	commit := p.store.commit(p.by, root, parents, msg)
	armoured, err := p.signer.Sign(proposal.SignatureNamespace, commit)
	if err != nil {
		return object.ID{}, err
	}
	if commit, err = object.AddSignature(commit, armoured); err != nil {
		return object.ID{}, err
	}
	return p.pack.Add(object.KindCommit, commit)
}

// proposing begins a change of a proposal, nil: of a new one, for a subject. It is
// fault.Denied where this installation is no member.
func (r *repo) proposing(ctx context.Context, st *bucket.State, f *proposal.Files, subject string) (*proposing, error) {
	signer, err := r.bucket.Signer(ctx)
	if err != nil {
		return nil, err
	}
	who, ok := bucket.MemberWith(st.Membership, signer.Key())
	if !ok {
		return nil, fault.New(fault.Denied, "this installation is no member of "+r.name+" that may say anything", "ask an administrator: vexa workspace member list "+r.name)
	}
	return &proposing{store: r.store, repo: r, state: st, files: f, signer: signer, self: who, by: Author{Name: who.Name, Subject: subject}}, nil
}

// changeProposal runs fn on the proposal of an id as it is in the newest state,
// again where others were faster, and publishes what it makes. fn may return an
// event without a kind: there is nothing to do.
func (s *Store) changeProposal(ctx context.Context, nameOrID, id string, by Author, fn func(*proposing) (event, error)) (Proposal, error) {
	r, err := s.open(ctx, nameOrID)
	if err != nil {
		return Proposal{}, err
	}
	return r.changeProposal(ctx, id, by, fn)
}

// changeProposal is Store.changeProposal of an open workspace.
func (r *repo) changeProposal(ctx context.Context, id string, by Author, fn func(*proposing) (event, error)) (Proposal, error) {
	err := r.change(ctx, func() error {
		st, err := r.current(ctx)
		if err != nil {
			return err
		}
		f, err := r.findProposal(ctx, id)
		if err != nil {
			return err
		}
		id = f.ID
		p, err := r.proposing(ctx, st, f, by.Subject)
		if err != nil {
			return err
		}
		return p.run(ctx, fn)
	})
	if err != nil {
		return Proposal{}, err
	}
	return r.changed(ctx, id)
}

// current returns the newest state, with what others stored since the workspace was
// opened. Its lock is held.
func (r *repo) current(ctx context.Context) (*bucket.State, error) {
	st, err := r.head(ctx)
	if err != nil {
		return nil, err
	}
	if seen, err := r.seen(); err == nil && seen == r.mark(st) {
		return st, nil
	}
	if err := r.sync(ctx, st); err != nil {
		return nil, err
	}
	return r.head(ctx)
}

// changed returns a proposal as it is after a change, without another look at the
// storage.
func (r *repo) changed(ctx context.Context, id string) (Proposal, error) {
	st, err := r.known(ctx)
	if err != nil {
		return Proposal{}, err
	}
	f, err := r.findProposal(ctx, id)
	if err != nil {
		return Proposal{}, err
	}
	return r.detail(ctx, st, f)
}

// proposing is a change of a proposal under way. The workspace's lock is held.
type proposing struct {
	store *Store
	repo  *repo
	state *bucket.State
	files *proposal.Files // as it is; nil: it is opened
	q     string          // quarantine: what is merged is here until it is needed
	pack  *object.Pack    // that is published

	believed bool // members signed its history

	signer signature.Signer  // this installation's key
	self   manifestv1.Member // that it is
	by     Author

	moves    []move // of other refs, together with the proposal's
	approved []string
}

// run publishes the event that fn makes, with the moves that it adds; one without a
// kind is none.
func (p *proposing) run(ctx context.Context, fn func(*proposing) (event, error)) error {
	m, name, e, err := p.make(ctx, fn)
	if err != nil || e.kind == "" {
		return err
	}
	packs := []string{name}
	if !e.source.IsZero() {
		packs = nil // the bucket may not have its commits
	}
	by := approved{refs: p.approved, policy: p.state.Membership.Version}
	if p.files == nil || e.after.From != p.files.From { // it was merged with what the target is
		by.base = map[string]string{e.after.Target: e.after.From}
	}
	return p.repo.publishApproved(ctx, append(p.moves, m), packs, by)
}

// make writes the event that fn makes into a pack, and returns the move that makes
// it the newest.
func (p *proposing) make(ctx context.Context, fn func(*proposing) (event, error)) (m move, pack string, e event, err error) {
	q, drop, err := p.repo.quarantine()
	if err != nil {
		return m, "", e, err
	}
	defer drop()
	p.q, p.pack = q, object.NewPack(p.repo.packDir(), nil)
	defer p.pack.Abort()
	if e, err = fn(p); err != nil || e.kind == "" {
		return m, "", e, err
	}
	m, pack, err = p.finish(ctx, e)
	return m, pack, e, err
}

// finish writes an event with what was merged for it into a pack, and returns the
// move that makes it the newest.
func (p *proposing) finish(ctx context.Context, e event) (move, string, error) {
	if err := p.addResult(ctx, e); err != nil {
		return move{}, "", err
	}
	tip, err := p.write(e)
	if err != nil {
		return move{}, "", err
	}
	name, err := p.pack.Finish()
	if err != nil {
		return move{}, "", err
	}
	m := move{ref: proposal.Ref(e.after.ID), to: tip}
	if p.files != nil {
		m.from = p.files.Tip
	}
	p.store.step("proposal")
	return m, name, nil
}

// addResult adds what is new of the result: what neither of its sides has, nor the
// result that was there before.
func (p *proposing) addResult(ctx context.Context, e event) error {
	if p.files != nil && p.files.Result == e.after.Result {
		return nil // it is there, in full
	}
	var sides []object.ID
	for _, text := range []string{e.after.From, e.after.Source} {
		id, err := parseID(text)
		if err != nil {
			return err
		}
		sides = append(sides, id)
	}
	var known []object.ID
	if p.files == nil || e.after.From != p.files.From || e.after.Source != p.files.Source {
		var err error
		if known, err = p.repo.treesOf(ctx, p.q, sides...); err != nil {
			return err
		}
	} // else the sides may be gone, as where main was set back: the result that was is not
	if p.files != nil {
		old, err := parseID(p.files.Result)
		if err != nil {
			return err
		}
		known = append(known, old)
	}
	result, err := parseID(e.after.Result)
	if err != nil {
		return err
	}
	return p.repo.addNew(ctx, p.q, p.pack, result, known...)
}

// mustBeOpen refuses what only an open proposal takes.
func (p *proposing) mustBeOpen() error {
	if p.files.Status == proposalv1.StatusOpen {
		return nil
	}
	return fault.New(fault.Conflict, "the proposal "+p.files.ID+" is not open: it is "+p.files.Status, "vexa proposal show "+p.repo.name+" "+p.files.ID)
}

// nothingToDo is an event that is none.
func nothingToDo() (event, error) { return event{}, nil }

// parseID reads an id of a proposal, which its contract has held to a form.
func parseID(text string) (object.ID, error) {
	id, err := object.ParseID(text)
	if err != nil {
		err = errors.Join(fault.New(fault.Invalid, "a proposal names an object of another format", ""), err)
	}
	return id, err
}
