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
	"time"

	"github.com/vexa-ai/vexa/pkg/contract/proposalv1"
	"github.com/vexa-ai/vexa/pkg/internal/atomicfile"
	"github.com/vexa-ai/vexa/pkg/workspace/bucket"
	"github.com/vexa-ai/vexa/pkg/workspace/git"
	"github.com/vexa-ai/vexa/pkg/workspace/inbox"
	"github.com/vexa-ai/vexa/pkg/workspace/proposal"
)

// Status says how a workspace stands.
type Status struct {
	Info       Info // without Files
	Open       bool
	Behind     int64 // generations that the open repository has not followed yet
	Ahead      int   // commits on the branches of dispatches that main does not hold
	Members    int
	Inbox      int // deliveries that were not taken up
	Proposals  int // that are open; -1: it is not known while the workspace is not
	Policy     int // version of the membership with its rights: one more with each change
	Epoch      int
	Packs      int
	Unverified int // packs that this installation has not looked into yet
	Backup     *LastBackup
}

// LastBackup is the last backup of a workspace that this installation made.
type LastBackup struct {
	Time       time.Time `json:"time"`
	URL        string    `json:"url"`
	Generation int64     `json:"generation"`
}

// backupFile notes it in the workspace's directory of the registry.
const backupFile = "backup.json"

// Status looks at a workspace without opening it or bringing it up to date.
func (s *Store) Status(ctx context.Context, nameOrID string) (Status, error) {
	rec, r, err := s.bucketIn(ctx, nameOrID)
	if err != nil {
		return Status{}, err
	}
	var out Status
	if out.Info, err = s.info(ctx, rec); err != nil {
		return out, err
	}
	st, err := r.known(ctx) // info has just looked
	if err != nil {
		return out, err
	}
	for _, m := range st.Membership.Members {
		if m.Until == 0 {
			out.Members++
		}
	}
	out.Policy, out.Epoch, out.Packs = st.Membership.Version, st.Epoch(), len(st.Packs)
	if out.Inbox, err = r.delivered(ctx, st); err != nil {
		return out, err
	}
	left, err := r.bucket.Unverified(st)
	if err != nil {
		return out, err
	}
	out.Unverified = len(left)
	if st.HasBelow(proposal.Space) {
		out.Proposals = -1
	}
	if out.Backup, err = s.lastBackup(rec.ID); err != nil {
		return out, err
	}
	seen, err := r.seen()
	if errors.Is(err, fs.ErrNotExist) {
		return out, nil
	}
	if err != nil {
		return out, err
	}
	out.Open, out.Behind = true, st.Generation-seen.Generation
	if out.Proposals, err = r.openProposals(ctx); err != nil {
		return out, err
	}
	if out.Info.Unmerged, err = r.unmerged(ctx); err != nil || len(out.Info.Unmerged) == 0 {
		return out, err
	}
	res, err := r.Run(ctx, git.Cmd{Args: []string{"rev-list", "--count", "--glob=" + refBranches + "*", "--not", refMain}})
	if err != nil {
		return out, err
	}
	out.Ahead, err = strconv.Atoi(strings.TrimSpace(string(res.Stdout)))
	return out, err
}

// delivered counts the deliveries that were not taken up.
func (r *repo) delivered(ctx context.Context, st *bucket.State) (int, error) {
	if !inbox.Open(st.Membership) {
		return 0, nil
	}
	list, err := inbox.Of(r.bucket).List(ctx)
	n := 0
	for _, e := range list {
		if e.Named {
			n++
		}
	}
	return n, err
}

// openProposals counts the proposals that the repository has and that are open.
func (r *repo) openProposals(ctx context.Context) (int, error) {
	refs, err := r.refsBelow(proposal.Space)
	if err != nil {
		return 0, err
	}
	n := 0
	for name, tip := range refs {
		f, err := r.readProposal(ctx, strings.TrimPrefix(name, proposal.Space), tip)
		if ctx.Err() != nil {
			return 0, context.Cause(ctx)
		}
		if err != nil || f.Status == proposalv1.StatusOpen { // one that cannot be read wants a look
			n++
		}
	}
	return n, nil
}

// lastBackup reads the note of the last backup; nil where there is none, or one
// that cannot be read.
func (s *Store) lastBackup(id string) (*LastBackup, error) {
	data, err := os.ReadFile(filepath.Join(s.dir(id), backupFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil //nolint:nilnil // there is none
	}
	if err != nil {
		return nil, err
	}
	var b LastBackup
	if err := json.Unmarshal(data, &b); err != nil {
		return nil, nil //nolint:nilnil,nilerr // a note that is damaged says nothing
	}
	return &b, nil
}

func (s *Store) noteBackup(id string, b LastBackup) error {
	data, err := json.Marshal(b)
	if err != nil {
		return err
	}
	return atomicfile.Replace(filepath.Join(s.dir(id), backupFile), append(data, '\n'), 0o600)
}
