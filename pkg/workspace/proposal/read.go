package proposal

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/vexa-ai/vexa/pkg/contract/proposalv1"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/workspace/git"
	"github.com/vexa-ai/vexa/pkg/workspace/object"
)

// Files are what the newest commit of a proposal says. Any member may have written
// it.
type Files struct {
	proposalv1.Proposal
	Body      string
	Conflicts []proposalv1.Conflict
	Approvals []Signed
	Broken    map[string]string // of approvals, by name: why it is none

	Tip    object.ID
	Raw    []byte // the commit
	Commit object.Commit

	Review, Signed []object.TreeEntry // of the directories of comments and approvals
}

// maxSigned is the most that is read of an approval or its signature, in bytes.
const maxSigned = 64 << 10

// Read reads the proposal of an id at a commit. It is fault.Invalid where what it
// says breaks its contract.
func Read(ctx context.Context, r *git.Repo, id string, tip object.ID) (*Files, error) {
	f := &Files{Tip: tip, Broken: map[string]string{}}
	if err := f.fill(ctx, reader{r}, id); err != nil {
		if ctx.Err() != nil {
			return nil, err
		}
		return nil, &fault.Error{Kind: fault.Invalid, Msg: "the proposal " + id + " is damaged", Hint: "git log " + Ref(id) + " in a clone shows who wrote it", Err: err}
	}
	return f, nil
}

// IsMerge reports whether a commit is the merge of a proposal's sides, with its
// result.
func (f *Files) IsMerge(c object.Commit) bool {
	return len(c.Parents) == 2 && c.Parents[0].String() == f.From && c.Parents[1].String() == f.Source && c.Tree.String() == f.Result
}

// reader reads objects of a repository.
type reader struct{ *git.Repo }

func (f *Files) fill(ctx context.Context, r reader, id string) (err error) {
	if f.Raw, f.Commit, err = r.commitOf(ctx, f.Tip); err != nil {
		return err
	}
	root, err := r.entriesOf(ctx, f.Commit.Tree)
	if err != nil {
		return err
	}
	text, err := r.blobOf(ctx, root[TextFile], MaxText)
	if err != nil {
		return fmt.Errorf("%s: %w", TextFile, err)
	}
	if f.Proposal, f.Body, err = DecodeText(text); err != nil {
		return err
	}
	if f.ID != id {
		return errors.New("it says that it is another one")
	}
	for _, ref := range []string{f.Target, f.Branch} {
		if ref != "" && !strings.HasPrefix(ref, "refs/heads/") {
			return errors.New("it is not about branches")
		}
	}
	if result := root[ResultDir]; f.Result != object.EmptyTree && (result.Mode != object.ModeDir || result.ID.String() != f.Result) {
		return errors.New("the files of its result are others than it says")
	}
	text, err = r.blobOf(ctx, root[ConflictsFile], MaxConflicts)
	if err != nil {
		return fmt.Errorf("%s: %w", ConflictsFile, err)
	}
	if f.Conflicts, err = DecodeConflicts(text); err != nil {
		return err
	}
	if f.Review, err = r.listOf(ctx, root[ReviewDir], MaxComments); err != nil {
		return err
	}
	if f.Signed, err = r.listOf(ctx, root[ApprovalsDir], 2*MaxApprovals); err != nil {
		return err
	}
	return f.fillApprovals(ctx, r)
}

func (f *Files) fillApprovals(ctx context.Context, r reader) error {
	entries := byName(f.Signed)
	for _, e := range f.Signed {
		name, ok := strings.CutSuffix(e.Name, ".json")
		if !ok {
			continue
		}
		text, err := r.blobOf(ctx, e, maxSigned)
		if err != nil {
			return err
		}
		armoured, err := r.blobOf(ctx, entries[e.Name+".sig"], maxSigned)
		if err != nil && ctx.Err() != nil {
			return err
		}
		a, err := Verify(name, text, armoured)
		if err != nil {
			f.Broken[name] = err.Error()
			continue
		}
		f.Approvals = append(f.Approvals, a)
	}
	return nil
}

// commitOf reads a commit.
func (r reader) commitOf(ctx context.Context, id object.ID) (raw []byte, c object.Commit, err error) {
	if raw, err = r.Object(ctx, id.String(), "commit", object.MaxCommit); err != nil {
		return nil, c, err
	}
	c, err = object.ParseCommit(raw)
	return raw, c, err
}

// listOf lists a directory of an entry, which need not be there.
func (r reader) listOf(ctx context.Context, e object.TreeEntry, most int) ([]object.TreeEntry, error) {
	if e.ID.IsZero() {
		return nil, nil
	}
	data, err := r.Object(ctx, e.ID.String(), "tree", object.MaxTree)
	if err != nil {
		return nil, err
	}
	list, err := object.ParseTree(data)
	if err == nil && len(list) > most {
		return nil, fmt.Errorf("%s has %d files", e.Name, len(list))
	}
	return list, err
}

// entriesOf returns the entries of a tree by name.
func (r reader) entriesOf(ctx context.Context, id object.ID) (map[string]object.TreeEntry, error) {
	list, err := r.listOf(ctx, object.TreeEntry{ID: id}, 100)
	return byName(list), err
}

func byName(list []object.TreeEntry) map[string]object.TreeEntry {
	out := make(map[string]object.TreeEntry, len(list))
	for _, e := range list {
		out[e.Name] = e
	}
	return out
}

// blobOf reads the file of an entry.
func (r reader) blobOf(ctx context.Context, e object.TreeEntry, most int64) ([]byte, error) {
	if e.Mode != object.ModeFile {
		return nil, errors.New("it is missing")
	}
	return r.Object(ctx, e.ID.String(), "blob", most)
}
