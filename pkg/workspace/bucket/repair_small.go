package bucket

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/vexa-ai/vexa/pkg/contract/manifestv1"
	"github.com/vexa-ai/vexa/pkg/workspace/blob"
)

// Small blobs come back byte for byte: manifests by their hashes, which later
// ones, the pin and the log say, from this installation's copies or from where
// somebody moved them to; and so do keyrings, snapshots and logs.

// mapKeys is maps.Keys.
func mapKeys[K comparable, V any](m map[K]V) func(func(K) bool) { return maps.Keys(m) }

// small finds out which small blobs can be put back.
func (r *repair) small(ctx context.Context) error {
	in := r.in
	r.plain()
	wanted := map[int64]string{}
	for _, h := range in.holes {
		if h.sha256 != "" {
			wanted[h.generation] = h.sha256
		}
	}
	r.wantSeen(wanted)
	for _, l := range in.links {
		if l.stray != nil && wanted[l.stray.Generation] == "" && in.links[l.stray.Generation] != nil && in.links[l.stray.Generation].signed == nil {
			wanted[l.stray.Generation] = l.sum // what is in its place is none
		}
	}
	for _, g := range slices.Sorted(maps.Keys(wanted)) {
		if err := r.manifest(ctx, g, wanted[g]); err != nil {
			return err
		}
	}
	if err := r.keyrings(ctx); err != nil {
		return err
	}
	for _, hash := range slices.Sorted(maps.Keys(in.bad)) {
		if stored := r.b.local.cached(hash); stored != nil {
			r.over.put[objectName(hash)] = stored
			r.act(objectName(hash), 0, "put back from this installation's copy")
		}
	}
	r.impossible()
	return nil
}

// plain has the two files written again that are not encrypted.
func (r *repair) plain() {
	for _, f := range r.in.report.Findings {
		if r.handled[f.Object] {
			continue
		}
		if f.Object == formatName {
			r.over.put[formatName] = formatOf(r.b.id)
			r.act(formatName, 0, "written again")
		}
		if f.Object == hintName {
			r.act(hintName, 0, "written again")
		}
	}
}

// wantSeen adds the manifests that this installation has seen and that are not
// there, or not what they were: the newest, and those that say who the members
// are.
func (r *repair) wantSeen(wanted map[int64]string) {
	p := r.in.pin
	if p.Generation == 0 || p.Unverified {
		return
	}
	wanted[p.Generation] = p.SHA256
	for at := &p.Anchor; at != nil && at.Generation > 0; {
		wanted[at.Generation] = at.SHA256
		stored := r.b.local.cached(at.SHA256)
		if stored == nil {
			return
		}
		l := r.in.open(at.Generation, stored)
		if l.signed == nil {
			return
		}
		at = l.signed.Anchor
	}
}

// manifest puts back the manifest of a generation that had a hash, where there
// is a copy and what is stored is not a manifest that a member signed.
func (r *repair) manifest(ctx context.Context, g int64, hash string) error {
	in, name := r.in, manifestName(g)
	l := in.links[g]
	if l != nil && l.sum == hash {
		return nil
	}
	if l != nil && l.signed != nil && in.b.signedByMember(ctx, l.signed) == nil {
		return nil // two histories: that is not for a repair to decide
	}
	if stored := r.b.local.cached(hash); stored != nil {
		r.over.put[name] = stored
		r.act(name, g, "put back from this installation's copy")
		return nil
	}
	from, ok := in.sums[hash]
	if !ok {
		return nil
	}
	stored, err := blob.ReadAll(ctx, r.b.store, manifestName(from), maxManifest)
	if err != nil || sum(stored) != hash {
		return nil //nolint:nilerr // it was there a moment ago; without it the repair is another
	}
	r.over.put[name] = stored
	r.act(name, g, "put back from "+manifestName(from)+", where it does not belong")
	return nil
}

// keyrings puts back the keyrings that memberships name.
func (r *repair) keyrings(ctx context.Context) error {
	in := r.in
	for _, a := range in.anchors() {
		s := in.b.anchors[a.SHA256]
		if s == nil || s.Membership == nil {
			continue
		}
		k := s.Membership.Keyring
		if slices.ContainsFunc(in.rings, func(g *ring) bool { return g.name == k.Name && g.sum == k.SHA256 }) {
			continue
		}
		if _, stored, err := r.b.local.keyring(); err == nil && sum(stored) == k.SHA256 {
			r.over.put[k.Name] = stored
			r.act(k.Name, a.Generation, "put back from this installation's copy")
			continue
		}
		for _, other := range in.rings {
			if other.name == "" || other.sum != k.SHA256 {
				continue
			}
			stored, err := r.b.readKeyring(ctx, other.name)
			if err != nil {
				return err
			}
			r.over.put[k.Name] = stored
			r.act(k.Name, a.Generation, "put back from "+other.name+", where it does not belong")
		}
	}
	return nil
}

// impossible removes manifests so far ahead that no push was there: what is
// damaged may name a generation after which there is none.
func (r *repair) impossible() {
	const far = 1 << 32
	if r.in.head == nil {
		return
	}
	before := max(r.in.pin.Generation, r.in.head.Generation)
	for _, g := range slices.Sorted(maps.Keys(r.in.links)) {
		if g >= before+far {
			r.over.remove[manifestName(g)] = true
			r.act(manifestName(g), g, fmt.Sprintf("removed: no member made it, and the newest generation is %d", before))
		}
	}
}

// rebuild decides what the next generation builds on.
func (r *repair) rebuild(context.Context) error {
	in := r.in
	if in.head == nil {
		return nil
	}
	r.state = in.state
	top := max(in.report.Newest, in.pin.Generation)
	if top > in.head.Generation {
		r.lost = true
		base := in.head.anchor()
		r.work.repairs, r.work.over = &base, &manifestv1.Anchor{Generation: top, SHA256: in.pin.SHA256}
		if l := in.links[top]; l != nil {
			r.work.over.SHA256 = l.sum
		}
		what := fmt.Sprintf("passed over: generation %d follows on %d, the newest that can be read", top+1, base.Generation)
		for _, g := range slices.Sorted(maps.Keys(in.links)) {
			if g > base.Generation {
				r.act(manifestName(g), g, what)
			}
		}
		if in.links[top] == nil {
			r.act(manifestName(top), top, what)
		}
	}
	if in.state == nil || in.state.Generation < in.head.Generation {
		return r.resnap()
	}
	return nil
}

// resnap makes a state of the newest manifest where its snapshot is lost: of the
// newest that can be read before, and of what changed since the lost one.
func (r *repair) resnap() error {
	in := r.in
	r.lost = true
	r.work.snapshot = true
	pseudo := &manifestv1.Snapshot{Bucket: r.b.id, Generation: in.head.Generation}
	what := "made again from what the newest manifest says: what was not changed since is lost, but for what the clone has"
	if st := in.state; st != nil {
		for _, name := range slices.Sorted(maps.Keys(st.Refs)) {
			pseudo.Refs = append(pseudo.Refs, manifestv1.Ref{Name: name, ID: st.Refs[name]})
		}
		pseudo.Packs, pseudo.Retired = st.Packs, st.retired
		what = fmt.Sprintf("made again from generation %d and what changed since: what the generation that made it changed is lost, but for what the clone has", st.Generation)
	}
	m := in.head.Membership
	if m == nil {
		s := in.b.anchors[in.head.Anchor.SHA256]
		if s == nil {
			return r.b.missing(manifestName(in.head.Anchor.Generation), "the manifest", "it says who the members are, and no later generation can be verified without it")
		}
		m = s.Membership
	}
	r.state = newState(in.head, pseudo, *m)
	r.state.Packs = slices.CompactFunc(r.state.Packs, func(a, b manifestv1.Pack) bool { return a.SHA256 == b.SHA256 })
	r.act(objectName(in.head.Snapshot.SHA256), in.head.Generation, what)
	return nil
}
