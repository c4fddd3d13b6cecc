package bucket

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"strings"

	"github.com/vexa-ai/vexa/pkg/contract/manifestv1"
	"github.com/vexa-ai/vexa/pkg/internal/atomicfile"
	"github.com/vexa-ai/vexa/pkg/workspace/git"
)

// A clone takes packs with the indexes that were stored with them, which is what
// makes it fast; a member could have stored an index that shows other files than
// those that were committed. So an installation has git index each pack again,
// once, in the background, and remembers which it has.

// VerifyPacksOptions configures VerifyPacks.
type VerifyPacksOptions struct {
	Git     *git.Git
	Scratch string // absolute, of this person alone, in memory
	// Repo is a clone that has everything; its objects save memory and reading.
	// Nil: packs are looked at beside all those that they may build on.
	Repo     *Repo
	Progress func(done, total int) // packs; nil: nobody is told
}

// VerifiedPacks is what VerifyPacks did.
type VerifiedPacks struct {
	State    *State
	Checked  int // now
	Before   int // by this installation
	Findings []Finding
}

// VerifyPacks has git index every pack of the newest generation that this
// installation has not verified before, and compares the indexes. What was
// verified is remembered pack by pack, so that it can be ended at any time and
// goes on where it was. It is safe while others push, or verify, too.
func (b *Bucket) VerifyPacks(ctx context.Context, opt VerifyPacksOptions) (VerifiedPacks, error) {
	var out VerifiedPacks
	if err := checkScratch(opt.Git, opt.Scratch); err != nil {
		return out, err
	}
	st, err := b.Head(ctx)
	if err != nil {
		return out, err
	}
	out.State = st
	left, err := b.Unverified(st)
	if err != nil || len(left) == 0 {
		out.Before = len(st.Packs)
		return out, err
	}
	out.Before = len(st.Packs) - len(left)
	j := &packJob{b: b, opt: opt, state: st, left: setOf(packNames(left)), out: &out, borrow: opt.Repo != nil && opt.Repo.Format == st.ObjectFormat}
	if err := j.run(ctx); err != nil {
		return out, err
	}
	if len(out.Findings) > 0 && j.borrow { // the clone may lack what they build on
		out.Findings, j.borrow = nil, false
		if err := j.run(ctx); err != nil {
			return out, err
		}
	}
	return out, b.local.tidyVerified(ctx, st)
}

// packJob is one VerifyPacks under way.
type packJob struct {
	b      *Bucket
	opt    VerifyPacksOptions
	state  *State
	left   map[string]bool // packs, by hash
	borrow bool            // from the clone
	out    *VerifiedPacks
}

// run looks at the packs that are left.
func (j *packJob) run(ctx context.Context) error {
	from := ""
	if j.borrow {
		from = j.opt.Repo.Objects
	}
	repo, err := j.b.newScratchRepo(ctx, j.opt.Git, j.opt.Scratch, j.state.ObjectFormat, from)
	if err != nil {
		return err
	}
	defer repo.Close()
	total := j.out.Checked + len(j.left)
	for _, p := range j.state.Packs {
		if j.borrow && !j.left[p.SHA256] {
			continue
		}
		if len(j.left) == 0 {
			return nil
		}
		name, err := j.pack(ctx, repo, p)
		if err != nil {
			return err
		}
		if j.borrow && name != "" {
			repo.remove(name)
		}
		if j.opt.Progress != nil {
			j.opt.Progress(j.out.Checked, total)
		}
	}
	return nil
}

// pack looks at one pack and returns its name in the repository; empty where it
// is not there.
func (j *packJob) pack(ctx context.Context, repo *scratchRepo, p manifestv1.Pack) (string, error) {
	f := Finding{
		Object: objectName(p.SHA256), Generation: p.Generation, Kind: KindForged, Readable: readableWithout(p),
		Repair: "vexa workspace repair NAME --from CLONE; ask who pushed generation " + decimal(p.Generation),
	}
	got, err := repo.bring(ctx, p, true)
	if err == nil && p.Index != nil && j.left[p.SHA256] {
		if err = repo.sameIndex(ctx, got, p); err != nil {
			f.Object, f.Readable = objectName(p.Index.SHA256), withoutIndex
		}
	}
	switch {
	case err == nil:
	case isFinding(err):
		f.What = err.Error()
		if errors.Is(err, errGone) {
			f.Kind = KindMissing
		}
		j.out.Findings = append(j.out.Findings, f)
		return got.name, nil
	default:
		return "", err
	}
	if !j.left[p.SHA256] {
		return got.name, nil
	}
	delete(j.left, p.SHA256)
	j.out.Checked++
	return got.name, j.b.local.noteVerified(p)
}

// Unverified returns the packs of a state that this installation has not
// verified yet. Where there is none, what git shows of the state is what was
// committed.
func (b *Bucket) Unverified(st *State) ([]manifestv1.Pack, error) {
	done, err := b.local.verified()
	if err != nil {
		return nil, err
	}
	var left []manifestv1.Pack
	for _, p := range st.Packs {
		if !done[verifiedAs(p)] {
			left = append(left, p)
		}
	}
	return left, nil
}

// verifiedFile has one line for each pack that was verified: its hash and, of a
// base, that of its index.
const verifiedFile = "verified"

func verifiedAs(p manifestv1.Pack) string {
	if p.Index == nil {
		return p.SHA256
	}
	return p.SHA256 + " " + p.Index.SHA256
}

func (l local) verified() (map[string]bool, error) {
	text, err := os.ReadFile(l.path(verifiedFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil //nolint:nilnil // none
	}
	return setOf(strings.Split(string(text), "\n")), err
}

// noteVerified adds a line. Lines of several processes at once do not mix, and
// one that a crash cut short names no pack.
func (l local) noteVerified(p manifestv1.Pack) error {
	f, err := os.OpenFile(l.path(verifiedFile), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString("\n" + verifiedAs(p) + "\n")
	return errors.Join(err, f.Close())
}

// tidyVerified drops the lines of packs that are no longer there, once they are
// many. What another process adds meanwhile may be lost and is verified again.
func (l local) tidyVerified(ctx context.Context, st *State) error {
	const many = 1 << 16 // bytes, besides what is needed
	info, err := os.Stat(l.path(verifiedFile))
	if err != nil || info.Size() < many+int64(len(st.Packs))*256 {
		return nil
	}
	unlock, err := l.lock(ctx, lockFile)
	if err != nil {
		return err
	}
	defer unlock()
	done, err := l.verified()
	if err != nil {
		return err
	}
	var text bytes.Buffer
	for _, p := range st.Packs {
		if done[verifiedAs(p)] {
			text.WriteString(verifiedAs(p) + "\n")
		}
	}
	return atomicfile.WriteFile(l.path(verifiedFile), text.Bytes(), 0o600)
}
