package bucket

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/vexa-ai/vexa/pkg/contract/manifestv1"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/workspace/blob"
)

// history finds the newest manifest that is believed and walks from it to the
// first.
func (in *inspection) history(ctx context.Context) error {
	generations := slices.Sorted(maps.Keys(in.links))
	for _, g := range slices.Backward(generations) {
		l := in.links[g]
		if l.signed == nil {
			in.find(in.ofManifest(g, l.kind, l.what))
			continue
		}
		if err := in.believe(ctx, l); err != nil {
			if kind := fault.KindOf(err); kind != fault.Denied && kind != fault.Invalid {
				return err
			}
			in.find(in.ofManifest(g, kindOfRefusal(err), err.Error()))
			continue
		}
		in.head = l.signed
		break
	}
	in.rollback()
	if in.head == nil {
		in.stop = true
		in.find(Finding{
			Object: manifests, Kind: KindMissing, What: "there is no manifest that can be believed", Readable: "nothing of any generation",
			Repair: "vexa workspace restore NAME --from BACKUP",
		})
		return nil
	}
	if err := in.readLog(ctx); err != nil {
		return err
	}
	if err := in.walk(ctx); err != nil {
		return err
	}
	return in.checkAnchors(ctx)
}

// believe returns why a manifest is not what it says, as far as that can be said
// without all of those before it: a gap in the history is found elsewhere.
func (in *inspection) believe(ctx context.Context, l *link) error {
	s := l.signed
	var err error
	if in.pin.Generation > 0 && s.Generation < in.pin.Generation {
		err = in.b.firstContact(ctx, s)
	} else {
		err = in.b.follows(ctx, s, in.pin)
	}
	if err == nil || !fault.Is(err, fault.Invalid) {
		return err
	}
	since := in.pin.Anchor
	if s.Generation <= in.pin.Generation || in.pin.Unverified {
		since = manifestv1.Anchor{}
	}
	return cmp.Or(in.b.signedByMember(ctx, s), in.b.membersSince(ctx, s, since))
}

// kindOfRefusal is the kind of finding that a manifest is which is not believed.
func kindOfRefusal(err error) string {
	switch {
	case errors.Is(err, errNotMember):
		return KindSigner
	case fault.Is(err, fault.Invalid): // what it builds on is damaged
		return KindNotWhole
	default:
		return KindHistory
	}
}

// rollback says where the newest that is stored is older than what was seen.
func (in *inspection) rollback() {
	at := int64(0)
	if in.head != nil {
		at = in.head.Generation
	}
	if in.report.Newest >= in.pin.Generation || in.pin.Generation == 0 {
		return
	}
	in.find(Finding{
		Object: manifestName(in.pin.Generation), Generation: in.pin.Generation, Kind: KindHistory,
		What:     fmt.Sprintf("this installation has seen it (%.12s), and the newest that is stored is %d: the bucket was set back", in.pin.SHA256, in.report.Newest),
		Readable: upTo(at + 1), Repair: "vexa workspace repair NAME --from CLONE goes on from what a clone has; " + accepts,
	})
	in.holes = append(in.holes, hole{generation: in.pin.Generation, sha256: in.pin.SHA256})
}

// ofManifest is a finding about a manifest.
func (in *inspection) ofManifest(g int64, kind, what string) Finding {
	readable := "the newest generation, and those before it, but for this one: whoever saw nothing newer than it cannot tell whether the newest follows"
	if in.head == nil {
		before := int64(0)
		for at := range in.links {
			if at < g {
				before = max(before, at)
			}
		}
		readable = upTo(before + 1)
	}
	repair := "vexa workspace repair NAME --from CLONE"
	if kind == KindSigner {
		repair = "ask the members who this is; " + repair + " passes over it"
	}
	if kind == KindHistory {
		repair = "ask who else pushes, and keep both; " + repair + "; " + accepts
	}
	return Finding{Object: manifestName(g), Generation: g, Kind: kind, What: what, Readable: readable, Repair: repair}
}

// readLog reads the hashes of the manifests that were removed, from the storage.
func (in *inspection) readLog(ctx context.Context) error {
	l := in.head.Log
	if l == nil {
		return nil
	}
	text, f, err := in.small(ctx, manifestv1.Object{SHA256: l.SHA256, Size: l.Size})
	if err != nil {
		return err
	}
	if f == nil {
		if in.log, err = decodeLog(text); err == nil {
			return nil
		}
		in.log = map[int64]string{}
		f = &Finding{Kind: KindForged, What: err.Error()}
	}
	f.Object, f.Generation = objectName(l.SHA256), l.Generation
	f.Readable = "everything; but whoever saw nothing newer than that generation cannot tell whether the newest follows from it"
	f.Repair = "vexa workspace repair NAME writes it again, from this installation's copy or from what is known"
	in.find(*f)
	in.bad[l.SHA256] = f.Kind
	return nil
}

// walk goes from the head to the first generation.
func (in *inspection) walk(ctx context.Context) error {
	at := in.head // nil: what is below hangs on nothing
	in.good = append(in.good, at)
	known := slices.Collect(maps.Keys(in.links))
	for g := range in.log {
		if in.links[g] == nil {
			known = append(known, g)
		}
	}
	slices.Sort(known)
	for want := predecessor(at); want.Generation > 0; {
		if err := ctx.Err(); err != nil {
			return err
		}
		if at != nil && at.Repairs != nil {
			in.report.Repaired += int(at.Generation - at.Repairs.Generation - 1)
		}
		want.SHA256 = cmp.Or(want.SHA256, in.log[want.Generation])
		if want.Generation == in.pin.Generation {
			want.SHA256 = cmp.Or(want.SHA256, in.pin.SHA256)
		}
		next, err := in.visit(ctx, at, want, known)
		if err != nil {
			return err
		}
		if at = next.signed; at != nil {
			in.good = append(in.good, at)
			next.below = predecessor(at)
		}
		want = next.below
	}
	return nil
}

// visited is what became of one generation on the way.
type visited struct {
	signed *signed           // it is good
	below  manifestv1.Anchor // else where the way goes on
}

// visit looks at one generation on the way: at is the one above it, where that
// is good, and known are those of which anything is known, sorted.
func (in *inspection) visit(ctx context.Context, at *signed, want manifestv1.Anchor, known []int64) (visited, error) {
	l, removed := in.links[want.Generation], in.log[want.Generation]
	next := visited{below: manifestv1.Anchor{Generation: want.Generation - 1}}
	switch {
	case l == nil && removed == "":
		next.below.Generation = in.missing(want, known) - 1
		return next, nil
	case l == nil:
		if removed != want.SHA256 {
			in.find(in.ofManifest(want.Generation, KindForged, "the log of old generations says another hash of it than the generation after"))
		}
		return next, nil
	case l.sum != want.SHA256 && removed != "" && removed == want.SHA256:
		in.report.Repaired++ // it is damaged, and a repair noted what it was
		return next, nil
	}
	var err error
	next.signed, err = in.step(ctx, at, l, want)
	return next, err
}

// missing notes that generations are missing: the wanted one, and those below it
// of which nothing is known. It returns the lowest of them.
func (in *inspection) missing(want manifestv1.Anchor, known []int64) int64 {
	low := int64(1)
	if i, _ := slices.BinarySearch(known, want.Generation); i > 0 {
		low = known[i-1] + 1
	}
	if l := in.head.Log; l != nil && l.Generation >= want.Generation {
		in.report.Forgotten += int(want.Generation - low + 1)
		return low
	}
	what := fmt.Sprintf("generation %d is not stored, and no log says that it was removed", want.Generation)
	if low < want.Generation {
		what = fmt.Sprintf("generations %d to %d are not stored, and no log says that they were removed", low, want.Generation)
	}
	in.find(in.ofManifest(want.Generation, KindMissing, what))
	in.holes = append(in.holes, hole{generation: want.Generation, sha256: want.SHA256})
	return low
}

// step judges one manifest on the way, and returns it where it is good.
func (in *inspection) step(ctx context.Context, at *signed, l *link, want manifestv1.Anchor) (*signed, error) {
	g := want.Generation
	other := want.SHA256 != "" && l.sum != want.SHA256
	switch {
	case other && l.signed != nil:
		in.find(in.ofManifest(g, KindHistory, fmt.Sprintf("another manifest was in its place: it is %.12s, and the generation after builds on %.12s", l.sum, want.SHA256)))
	case other || l.signed == nil:
		what := cmp.Or(l.what, errChanged.Error())
		if where := in.sums[want.SHA256]; where > 0 {
			what += "; its bytes are those of " + manifestName(where)
		}
		in.find(in.ofManifest(g, cmp.Or(l.kind, KindDamaged), what))
	default:
		if at != nil {
			if err := in.b.anchored(ctx, at, l.signed); err != nil {
				in.find(in.ofManifest(at.Generation, kindOfRefusal(err), err.Error()))
			}
		}
		err := in.b.signedByMember(ctx, l.signed)
		if err == nil {
			return l.signed, nil
		}
		if kind := fault.KindOf(err); kind != fault.Denied && kind != fault.Invalid {
			return nil, err
		}
		in.find(in.ofManifest(g, kindOfRefusal(err), err.Error()))
	}
	in.holes = append(in.holes, hole{generation: g, sha256: want.SHA256})
	return nil, nil //nolint:nilnil // it is not good, which is noted
}

// checkAnchors makes sure that the manifests which say who the members are, are
// stored: nothing can be verified without them.
func (in *inspection) checkAnchors(ctx context.Context) error {
	for _, a := range in.anchors() {
		l := in.links[a.Generation]
		if l != nil && l.sum == a.SHA256 {
			continue
		}
		f := Finding{
			Object: manifestName(a.Generation), Generation: a.Generation, Kind: KindMissing, What: "it says who the members are",
			Readable: "by installations that have a copy everything; by others nothing",
			Repair:   "vexa workspace repair NAME on an installation that has a copy, such as this one; or vexa workspace restore NAME --from BACKUP",
		}
		if l != nil {
			f.Kind = cmp.Or(l.kind, KindHistory)
		}
		in.find(f)
		in.holes = append(in.holes, hole{generation: a.Generation, sha256: a.SHA256})
	}
	return ctx.Err()
}

// small reads an object that encrypt made, from the storage, or returns what is
// wrong with it: a finding without a place.
func (in *inspection) small(ctx context.Context, o manifestv1.Object) ([]byte, *Finding, error) {
	stored, err := blob.ReadAll(ctx, in.b.store, objectName(o.SHA256), min(o.Size, maxSnapshot))
	in.read(int64(len(stored)))
	switch {
	case errors.Is(err, blob.ErrNotExist):
		return nil, &Finding{Kind: KindMissing, What: "it is not stored"}, nil
	case err != nil && !fault.Is(err, fault.Invalid):
		return nil, nil, unreadable("read "+objectName(o.SHA256)+" of "+in.b.store.URL(), err)
	case err != nil || sum(stored) != o.SHA256: // longer, or another
		return nil, &Finding{Kind: KindDamaged, What: errChanged.Error()}, nil //nolint:nilerr // it is what was found
	}
	plain, err := decrypt(stored, in.b.epoch, maxSnapshot)
	if err != nil {
		return nil, &Finding{Kind: KindForged, What: err.Error()}, nil //nolint:nilerr // it is what was found
	}
	return plain, nil, nil
}
