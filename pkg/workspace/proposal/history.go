package proposal

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/signature"
	"github.com/vexa-ai/vexa/pkg/workspace/git"
	"github.com/vexa-ai/vexa/pkg/workspace/object"
)

// maxEvents is how many events of a proposal are read.
const maxEvents = 20_000

// Event is one event of a proposal's history.
type Event struct {
	Kind   string
	Commit string
	Raw    []byte    // the commit
	Time   time.Time // by the clock of who made it
	Text   string    // the comment that it brought; untrusted
}

// Events reads the history of a proposal, the oldest first, back to the commit that
// opened it.
func (f *Files) Events(ctx context.Context, repo *git.Repo) ([]Event, error) {
	r := reader{repo}
	var out []Event
	at, raw, c, review := f.Tip, f.Raw, f.Commit, byName(f.Review)
	for {
		kind := Trailer(c.Message, TrailerEvent)
		if Trailer(c.Message, TrailerID) != f.ID || !known(kind) || len(c.Parents) == 0 || len(out) == maxEvents {
			return nil, fault.New(fault.Invalid, "the history of the proposal "+f.ID+" is broken at commit "+at.String()[:12], "git log "+Ref(f.ID)+" in a clone shows who wrote it")
		}
		e := Event{Kind: kind, Commit: at.String(), Raw: raw, Time: c.Committer.Time}
		if kind == Opened {
			if err := f.begins(ctx, r, c); err != nil {
				return nil, err
			}
			out = append(out, e)
			slices.Reverse(out)
			return out, nil
		}
		at = c.Parents[0]
		var err error
		if raw, c, err = r.commitOf(ctx, at); err != nil {
			return nil, err
		}
		before, err := r.reviewOf(ctx, c.Tree)
		if err != nil {
			return nil, err
		}
		if e.Text, err = r.commentOf(ctx, before, review); err != nil {
			return nil, err
		}
		out, review = append(out, e), before
	}
}

// begins verifies that a proposal begins with a commit: its one parent is the source
// that it proposes, and no event. Else it could hide what was before.
func (f *Files) begins(ctx context.Context, r reader, c object.Commit) error {
	hidden := fault.New(fault.Invalid, "the history of the proposal "+f.ID+" begins twice", "git log "+Ref(f.ID)+" in a clone shows who wrote it")
	top, err := r.entriesOf(ctx, c.Tree)
	if err != nil {
		return err
	}
	text, err := r.blobOf(ctx, top[TextFile], MaxText)
	if err != nil {
		return err
	}
	first, _, err := DecodeText(text)
	if err != nil {
		return err
	}
	_, parent, err := r.commitOf(ctx, c.Parents[0])
	if err != nil {
		return err
	}
	if len(c.Parents) != 1 || first.Source != c.Parents[0].String() || Trailer(parent.Message, TrailerID) == f.ID && known(Trailer(parent.Message, TrailerEvent)) {
		return hidden
	}
	return nil
}

// reviewOf lists the comments of a proposal whose files are a tree.
func (r reader) reviewOf(ctx context.Context, root object.ID) (map[string]object.TreeEntry, error) {
	top, err := r.entriesOf(ctx, root)
	if err != nil {
		return nil, err
	}
	list, err := r.listOf(ctx, top[ReviewDir], MaxComments)
	return byName(list), err
}

// commentOf returns the comment that an event brought, which has these where the one
// before had those; "" where it brought none.
func (r reader) commentOf(ctx context.Context, before, after map[string]object.TreeEntry) (string, error) {
	var said []string
	for _, name := range slices.Sorted(maps.Keys(after)) {
		if _, old := before[name]; old {
			continue
		}
		text, err := r.blobOf(ctx, after[name], MaxComment)
		if err != nil {
			return "", err
		}
		said = append(said, strings.TrimSpace(string(text)))
	}
	return strings.Join(said, "\n\n"), nil
}

// SignedBy returns the key whose signature a commit carries.
func SignedBy(raw []byte) (signature.Key, error) {
	content, armoured, err := object.CutSignature(raw)
	if err != nil {
		return signature.Key{}, err
	}
	if armoured == nil {
		return signature.Key{}, fault.New(fault.Denied, "it is not signed", "")
	}
	key, err := signature.KeyOf(armoured)
	if err != nil {
		return key, err
	}
	return key, key.Verify(SignatureNamespace, content, armoured)
}
