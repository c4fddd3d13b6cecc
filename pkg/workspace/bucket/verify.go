package bucket

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/workspace/git"
)

// VerifyOptions says how thoroughly a bucket is verified.
type VerifyOptions struct {
	// Paranoid trusts no index: git indexes every pack again and walks from
	// every ref. It needs Git, and Scratch, an absolute directory of this person's
	// alone in memory, with room for the repository.
	Paranoid bool
	Git      *git.Git
	Scratch  string
	// Progress is called with the bytes that were read and those that will be,
	// as far as is known by then; nil: nobody is told.
	Progress func(done, total int64)
}

// The kinds of finding.
const (
	KindMissing  = "missing"  // it is not stored
	KindDamaged  = "damaged"  // its bytes are not those that were stored
	KindPlace    = "place"    // it is whole and belongs elsewhere
	KindSigner   = "signer"   // whoever signed it may not
	KindHistory  = "history"  // it does not follow from what was there: a fork, or an older state
	KindForged   = "forged"   // a member stored what is not true
	KindForeign  = "foreign"  // nothing refers to it and no member made it
	KindLocked   = "locked"   // no key of this installation opens it
	KindNotWhole = "notWhole" // it refers to what is not there
)

// Finding is one thing that is wrong with a bucket.
type Finding struct {
	Object     string // the blob's name; of a ref its own
	Generation int64  // it belongs to; 0: to none
	Kind       string // one of the kinds
	What       string // what is wrong
	Readable   string // what can be read nevertheless
	Repair     string // the next command
}

// String is the finding in one line.
func (f Finding) String() string {
	where := f.Object
	if f.Generation > 0 {
		where += fmt.Sprintf(" (generation %d)", f.Generation)
	}
	return where + " is " + f.Kind + ": " + f.What + "; " + f.Readable + "; " + f.Repair
}

// Report is what a verification found.
type Report struct {
	Findings   []Finding
	Healthy    bool  // there is no finding
	Newest     int64 // the newest generation that is stored
	Generation int64 // the newest that can be read; 0: none
	Seen       int64 // the newest that this installation has seen
	// What was checked.
	Manifests, Keyrings, Packs, Indexes, Refs int
	Bytes                                     int64 // that were read
	// Repaired is how many generations an earlier repair passed over, and Unused
	// how many objects nothing refers to: packs that were replaced, or of pushes
	// that were cut short.
	Repaired, Unused int
	// Forgotten is how many old generations a log once listed that was lost: who
	// saw one of them last cannot tell whether the newest follows.
	Forgotten int
}

// String lists the findings.
func (r Report) String() string {
	lines := make([]string, len(r.Findings))
	for i, f := range r.Findings {
		lines[i] = f.String()
	}
	return strings.Join(lines, "\n")
}

// Verify reads everything in the bucket that the newest generation and its
// history need and says what is wrong with it: it goes on after a finding. It
// changes nothing, but for noting which packs are verified, and is safe while others push. The error is
// that of a storage that does not answer, or of a key that is needed first.
func (b *Bucket) Verify(ctx context.Context, opt VerifyOptions) (Report, error) {
	if opt.Paranoid {
		if err := checkScratch(opt.Git, opt.Scratch); err != nil {
			return Report{}, err
		}
	}
	in, err := b.inspect(ctx, opt)
	if err != nil {
		return Report{}, err
	}
	return in.report, nil
}

// inspect is Verify that keeps what a repair builds on.
func (b *Bucket) inspect(ctx context.Context, opt VerifyOptions) (*inspection, error) {
	in, err := b.newInspection(opt)
	if err != nil {
		return nil, err
	}
	return in, in.run(ctx)
}

// run does all of it.
func (in *inspection) run(ctx context.Context) error {
	for _, step := range []func(context.Context) error{
		in.listing, in.format, in.keyrings, in.manifests, in.history, in.hint, in.namedKeyrings, in.newest, in.packs, in.unused, in.paranoid,
	} {
		if err := step(ctx); err != nil {
			return err
		}
		if in.stop {
			break
		}
	}
	slices.SortStableFunc(in.report.Findings, func(a, b Finding) int { return strings.Compare(a.Object, b.Object) })
	in.report.Healthy = len(in.report.Findings) == 0
	return nil
}

func checkScratch(g *git.Git, scratch string) error {
	if g == nil || !strings.HasPrefix(scratch, "/") {
		return fault.New(fault.Internal, "packs are indexed with git in an absolute directory", "")
	}
	return nil
}
