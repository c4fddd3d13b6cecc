package bucket

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/workspace/blob"
	"github.com/vexa-ai/vexa/pkg/workspace/git"
)

// RepairOptions says how a bucket is repaired.
type RepairOptions struct {
	Git     *git.Git
	Scratch string // absolute, of this person alone, in memory, with room for the repository
	// Remote is the remote of the clone that is this bucket; empty: every one.
	Remote string
	DryRun bool // say what would be done and do nothing
	// PassOver passes over generations, too, that only may be damaged: no keyring
	// that opens here opens them, and others may have one that does.
	PassOver bool
	// Progress is called with the bytes that were read and those that will be.
	Progress func(done, total int64)
}

// Action is one thing that a repair does.
type Action struct {
	Object     string // the blob's name; of packs to come and refs what they are
	Generation int64  // 0: none
	What       string // is done
}

// String is the action in one line.
func (a Action) String() string {
	if a.Generation == 0 {
		return a.Object + ": " + a.What
	}
	return fmt.Sprintf("%s (generation %d): %s", a.Object, a.Generation, a.What)
}

// MovedRef is a ref that was taken from the clone, since generations were lost.
type MovedRef struct {
	Ref      string
	Old, New string // object ids
	From     string // the clone's ref
}

// Repaired is what a repair did, or would do.
type Repaired struct {
	Actions []Action
	State   *State // the newest generation afterwards; nil: it was a dry run, or there is none that can be read
	Moved   []MovedRef
	// Broken are the refs that cannot be made whole, with their ids: they point
	// where they did, and another clone may have what is missing.
	Broken map[string]string
	// Offered are refs of the clone that the bucket does not have. They may have
	// been in generations that were lost: whoever wants them pushes them.
	Offered []string
	// Left is what is still wrong, with what can be done about it.
	Left []Finding
}

// Repair puts right what is wrong with the bucket, as far as that can be done
// with what this installation knows and with a clone; from may be nil. Blobs
// come back as they were where there is a copy of them. Packs that are damaged
// are replaced by new ones of what the clone has. Where the newest manifests are
// lost the history goes on from the newest that can be read, and branches that
// the clone has newer are taken from it. Everything is thought out before
// anything is done, and nothing is removed but what is provably not what it
// should be. The error is fault.Denied where the bucket is not damaged but has
// two histories, which is not for a repair to decide; fault.Conflict where
// somebody pushed meanwhile: then it may be made again.
func (b *Bucket) Repair(ctx context.Context, from *Repo, opt RepairOptions) (Repaired, error) {
	if err := checkScratch(opt.Git, opt.Scratch); err != nil {
		return Repaired{}, err
	}
	r := &repair{b: b, from: from, opt: opt, handled: map[string]bool{}, over: &overlay{Store: b.store, put: map[string][]byte{}, remove: map[string]bool{}}}
	defer r.close()
	for _, step := range []func(context.Context) error{r.look, r.refuse, r.smallOnes, r.refuse, r.refuseMembers, r.refuseSealed, r.rebuild, r.packs, r.plan} {
		if err := step(ctx); err != nil {
			return Repaired{}, err
		}
	}
	r.leftovers()
	if opt.DryRun {
		return r.out, nil
	}
	return r.out, r.do(ctx)
}

// repair is one repair under way.
type repair struct {
	b    *Bucket
	from *Repo
	opt  RepairOptions
	out  Repaired

	first   *inspection // before anything
	in      *inspection // with the small blobs put right
	over    *overlay
	handled map[string]bool // objects of findings

	state *State // that the next generation builds on
	lost  bool   // refs may be newer than the state says
	work  change
	repo  *scratchRepo
	fresh []freshPack
	// remade are the paths of the indexes that were made again, by their packs.
	remade map[string]string
}

func (r *repair) close() {
	if r.repo != nil {
		r.repo.Close()
	}
}

// act notes something to do about an object.
func (r *repair) act(object string, generation int64, what string) {
	r.handled[object] = true
	r.out.Actions = append(r.out.Actions, Action{Object: object, Generation: generation, What: what})
}

func (r *repair) look(ctx context.Context) (err error) {
	r.first, err = r.b.inspect(ctx, VerifyOptions{Progress: r.opt.Progress})
	r.in = r.first
	return err
}

// smallOnes finds out which small blobs can be put back, those included that
// are only missed once others are back.
func (r *repair) smallOnes(ctx context.Context) error {
	const most = 8
	for range most {
		before := len(r.over.put) + len(r.over.remove)
		if err := r.small(ctx); err != nil {
			return err
		}
		if len(r.over.put)+len(r.over.remove) == before {
			return nil
		}
		if err := r.lookAgain(ctx); err != nil {
			return err
		}
	}
	return nil
}

// lookAgain inspects the bucket as it will be with its small blobs put right.
// Packs are not read twice.
func (r *repair) lookAgain(ctx context.Context) error {
	in, err := r.b.newInspection(VerifyOptions{})
	if err != nil {
		return err
	}
	in.b.store = r.over
	in.known = r.first.known
	r.in = in
	return in.run(ctx)
}

// refuse ends a repair where the bucket has two histories.
func (r *repair) refuse(context.Context) error {
	for _, f := range r.in.report.Findings {
		l := r.in.links[f.Generation]
		if f.Kind != KindHistory || l == nil || l.signed == nil || f.Object != manifestName(f.Generation) {
			continue
		}
		if r.in.head == nil || f.Generation > r.in.head.Generation {
			return &fault.Error{
				Kind: fault.Denied, Err: errors.New(f.What),
				Msg:  fmt.Sprintf("%s is not damaged: a member signed another history, and a repair would drop one of the two; %s", r.b.where(f.Generation), f.Readable),
				Hint: "keep a backup of both, and ask who else pushes; " + accepts,
			}
		}
	}
	return nil
}

// refuseMembers ends a repair that would go back to an older list of members.
func (r *repair) refuseMembers(context.Context) error {
	head, seen := r.in.head, r.in.pin
	if head != nil && !seen.Unverified && seen.Anchor.Generation > head.Generation {
		return fault.New(fault.Denied,
			fmt.Sprintf("who the members are was changed in generation %d (%s), which is lost: to go on from generation %d of the bucket at %s would bring back who was removed; generations up to %d can still be read",
				seen.Anchor.Generation, manifestName(seen.Anchor.Generation), head.Generation, r.b.store.URL(), head.Generation),
			"repair it on another installation that has seen that generation; or vexa workspace restore NAME --from BACKUP")
	}
	return nil
}

// refuseSealed ends a repair that would pass over generations which others may
// read: what cannot be opened here need not be damaged.
func (r *repair) refuseSealed(context.Context) error {
	if r.in.head == nil || r.opt.PassOver {
		return nil
	}
	for _, g := range slices.Sorted(mapKeys(r.in.links)) {
		l := r.in.links[g]
		seen := g == r.in.pin.Generation && !r.in.pin.Unverified && l.sum != r.in.pin.SHA256 // it was another one
		if g <= r.in.head.Generation || !l.sealed || seen {
			continue
		}
		return fault.New(fault.Denied,
			fmt.Sprintf("%s cannot be opened here, and nothing says that it is damaged: its keyring may be missing, or not be for this installation, and others may read it; generations up to %d can still be read here", r.b.where(g), r.in.head.Generation),
			"ask the others whether they read it, and repair the bucket there, or "+restores+"; if nobody does: vexa workspace repair NAME --from CLONE --pass-over")
	}
	return nil
}

// leftovers are the findings that nothing is done about.
func (r *repair) leftovers() {
	for _, f := range r.in.report.Findings {
		if !r.handled[f.Object] {
			r.out.Left = append(r.out.Left, f)
		}
	}
}

// do does what was thought out: the small blobs, then packs and the generation
// that names them.
func (r *repair) do(ctx context.Context) error {
	for _, name := range slices.Sorted(mapKeys(r.over.put)) {
		if err := r.putBack(ctx, name, r.over.put[name]); err != nil {
			return err
		}
	}
	for name := range r.over.remove {
		if _, put := r.over.put[name]; put {
			continue
		}
		if err := r.b.store.Remove(ctx, name); err != nil {
			return unreadable("remove "+name+" of "+r.b.store.URL(), err)
		}
	}
	r.b.mu.Lock()
	defer r.b.mu.Unlock()
	if r.state == nil || !r.publishes() {
		r.out.State = r.in.state
		return r.writeHint(ctx)
	}
	st, err := r.publish(ctx)
	if errors.Is(err, blob.ErrExist) {
		return fault.New(fault.Conflict, "somebody pushed to the bucket at "+r.b.store.URL()+" while it was repaired; nothing was lost, and the repair is not made", "repair it again")
	}
	r.out.State = st
	return err
}

// putBack makes a small blob what it should be, at once and for good.
func (r *repair) putBack(ctx context.Context, name string, data []byte) error {
	if name != formatName {
		r.b.local.keepAnchor(sum(data), data) // where two have changed places, a crash must not cost the second
	}
	if err := r.b.store.Replace(ctx, name, data); err != nil {
		return unreadable("write "+name+" of "+r.b.store.URL(), err)
	}
	if err := r.b.store.Create(ctx, name, data); err != nil { // what is there is made durable
		return unreadable("write "+name+" of "+r.b.store.URL(), err)
	}
	return nil
}

func (r *repair) writeHint(ctx context.Context) error {
	if r.in.state == nil {
		return nil
	}
	return r.b.store.Replace(ctx, hintName, []byte(decimal(r.in.report.Newest)+"\n"))
}
