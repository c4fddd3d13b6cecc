package bucket

import (
	"maps"
	"slices"
	"strings"

	"github.com/vexa-ai/vexa/pkg/contract/manifestv1"
)

// State is one verified generation of a bucket. It is immutable.
type State struct {
	Generation   int64
	SHA256       string // of its manifest
	ObjectFormat string // sha1 | sha256
	Head         string // the ref that HEAD means; need not exist
	Refs         map[string]string
	Packs        []manifestv1.Pack // in the order in which they are applied
	Membership   manifestv1.Membership
	Time         string // RFC 3339, by the writer's clock

	manifest manifestv1.Manifest
	snapshot *manifestv1.Snapshot // nil: the manifest says all
	anchor   manifestv1.Anchor    // the manifest that has the membership
	retired  []manifestv1.Retired
}

// newState applies a manifest to its snapshot.
func newState(s *signed, snapshot *manifestv1.Snapshot, m manifestv1.Membership) *State {
	st := &State{
		Generation: s.Generation, SHA256: s.sha256, ObjectFormat: s.ObjectFormat, Head: s.Head,
		Refs: make(map[string]string, len(s.Refs)), Membership: m, Time: s.Time,
		manifest: s.Manifest, snapshot: snapshot, anchor: anchorOf(s),
	}
	if snapshot != nil {
		dropped := setOf(s.Dropped)
		for _, r := range snapshot.Refs {
			st.Refs[r.Name] = r.ID
		}
		for _, p := range snapshot.Packs {
			if !dropped[p.SHA256] {
				st.Packs = append(st.Packs, p)
			}
		}
		st.retired = append(st.retired, snapshot.Retired...)
	}
	for _, name := range s.Deleted {
		delete(st.Refs, name)
	}
	for _, r := range s.Refs {
		st.Refs[r.Name] = r.ID
	}
	st.Packs = append(st.Packs, s.Packs...)
	st.retired = append(st.retired, s.Retired...)
	sortPacks(st.Packs)
	return st
}

// anchorOf names the manifest whose membership is in force after s.
func anchorOf(s *signed) manifestv1.Anchor {
	if s.Membership != nil || s.Anchor == nil {
		return s.anchor()
	}
	return *s.Anchor
}

// Epoch returns the epoch whose key new objects are encrypted to.
func (s *State) Epoch() int { return s.manifest.Epoch }

// HasBelow reports whether there is a ref whose name begins with the prefix.
func (s *State) HasBelow(prefix string) bool {
	for name := range s.Refs {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

// sortPacks puts packs in the order in which they are applied: those that are
// whole by themselves first, then thin ones in the order of their generations.
func sortPacks(packs []manifestv1.Pack) {
	slices.SortStableFunc(packs, func(a, b manifestv1.Pack) int {
		if a.Kind != b.Kind {
			return strings.Compare(a.Kind, b.Kind) // base before segment
		}
		return int(min(max(a.Generation-b.Generation, -1), 1))
	})
}

// newer returns the packs that have objects which a repository with everything
// of a generation may lack, in the order in which they are applied.
func (s *State) newer(than int64) []manifestv1.Pack {
	var out []manifestv1.Pack
	for _, p := range s.Packs {
		if p.Generation > than {
			out = append(out, p)
		}
	}
	return out
}

func setOf(list []string) map[string]bool {
	out := make(map[string]bool, len(list))
	for _, s := range list {
		out[s] = true
	}
	return out
}

// change is what the next generation does to a state.
type change struct {
	set        map[string]string // refs
	deleted    []string
	head       string // empty: as it is
	format     string // empty: as it is
	add        []manifestv1.Pack
	drop       []string // packs
	retire     []string // objects besides those of dropped packs
	log        *manifestv1.Log
	membership *manifestv1.Membership
	epoch      int                          // 0: as it is
	repairs    *manifestv1.Anchor           // see Manifest.Repairs
	over       *manifestv1.Anchor           // with repairs: the newest manifest that there was, which it comes after
	index      map[string]manifestv1.Object // of packs that stay, by the packs' hashes: their new indexes
	snapshot   bool                         // write one in any case
	collected  map[string]bool              // retired objects that are removed
}

// apply returns the manifest of the next generation, less its time. Its changes
// are since the state's snapshot, or a new snapshot of itself, which is returned.
func (s *State) apply(c change) (next manifestv1.Manifest, snapshot *manifestv1.Snapshot) {
	next = manifestv1.Manifest{
		Bucket: s.manifest.Bucket, Generation: s.Generation + 1, Previous: s.SHA256, Anchor: &s.anchor,
		Membership: c.membership, Epoch: s.manifest.Epoch, ObjectFormat: s.ObjectFormat, Head: s.Head,
		Snapshot: s.manifest.Snapshot, Log: s.manifest.Log, Repairs: c.repairs,
		Refs: []manifestv1.Ref{}, Packs: []manifestv1.Pack{},
	}
	if c.over != nil {
		next.Generation, next.Previous = c.over.Generation+1, c.over.SHA256
	}
	if c.head != "" {
		next.Head = c.head
	}
	if c.format != "" {
		next.ObjectFormat = c.format
	}
	if c.epoch != 0 {
		next.Epoch = c.epoch
	}
	if c.log != nil {
		next.Log = c.log
	}
	s.applyRefs(&next, c)
	s.applyPacks(&next, c)
	if c.snapshot || s.forgets(c) || s.tooLong(&next) {
		return s.compact(next, c)
	}
	return next, nil
}

// forgets reports whether the snapshot has something that is collected.
func (s *State) forgets(c change) bool {
	return s.snapshot != nil && slices.ContainsFunc(s.snapshot.Retired, func(r manifestv1.Retired) bool { return c.collected[r.SHA256] })
}

// applyRefs fills in the refs that differ from the snapshot's.
func (s *State) applyRefs(next *manifestv1.Manifest, c change) {
	set := make(map[string]string)
	for _, r := range s.manifest.Refs {
		set[r.Name] = r.ID
	}
	maps.Copy(set, c.set)
	for _, name := range c.deleted {
		delete(set, name)
	}
	for _, name := range slices.Sorted(maps.Keys(set)) {
		next.Refs = append(next.Refs, manifestv1.Ref{Name: name, ID: set[name]})
	}
	if s.snapshot == nil {
		return
	}
	gone := setOf(append(slices.Clone(s.manifest.Deleted), c.deleted...))
	for _, r := range s.snapshot.Refs {
		if _, set := set[r.Name]; gone[r.Name] && !set {
			next.Deleted = append(next.Deleted, r.Name)
		}
	}
}

// applyPacks does the same for packs, and notes what is no longer used.
func (s *State) applyPacks(next *manifestv1.Manifest, c change) {
	drop := setOf(c.drop)
	retire := func(hash string) {
		next.Retired = append(next.Retired, manifestv1.Retired{SHA256: hash, Generation: next.Generation})
	}
	for _, r := range s.manifest.Retired {
		if !c.collected[r.SHA256] {
			next.Retired = append(next.Retired, r)
		}
	}
	for _, p := range s.Packs {
		if !drop[p.SHA256] {
			continue
		}
		retire(p.SHA256)
		if p.Index != nil {
			retire(p.Index.SHA256)
		}
	}
	for _, hash := range c.retire {
		retire(hash)
	}
	next.Dropped = append(next.Dropped, s.manifest.Dropped...)
	packs := append(slices.Clone(s.manifest.Packs), s.leave(next, drop, c.index)...)
	for _, p := range append(packs, c.add...) {
		if drop[p.SHA256] {
			continue
		}
		if o, ok := c.index[p.SHA256]; ok && p.Index != nil {
			retire(p.Index.SHA256)
			p.Index = &o
		}
		next.Packs = append(next.Packs, p)
	}
}

// leave notes which packs of the snapshot are no longer to be taken from it, and
// returns those that stay with another index.
func (s *State) leave(next *manifestv1.Manifest, drop map[string]bool, index map[string]manifestv1.Object) []manifestv1.Pack {
	if s.snapshot == nil {
		return nil
	}
	var stay []manifestv1.Pack
	for _, p := range s.snapshot.Packs {
		_, reindexed := index[p.SHA256]
		if (!drop[p.SHA256] && !reindexed) || slices.Contains(next.Dropped, p.SHA256) {
			continue
		}
		next.Dropped = append(next.Dropped, p.SHA256)
		if reindexed {
			stay = append(stay, p)
		}
	}
	return stay
}

// shortest is how many changes since its snapshot a manifest may have at least
// before a new snapshot is worth its size. They are about 40 bytes each, and there
// are fewer where packs are joined in time.
const shortest = 64

// tooLong reports whether the changes since the snapshot are worth a new one:
// with the square root of its size as the limit, snapshots and changes cost
// about the same.
func (s *State) tooLong(next *manifestv1.Manifest) bool {
	changes := len(next.Refs) + len(next.Deleted) + len(next.Packs) + len(next.Dropped) + len(next.Retired)
	size := len(s.Refs) + len(s.Packs) + len(s.retired)
	return changes > shortest && changes*changes > size
}

// compact moves everything into a new snapshot, but for what this very change
// retires besides packs: a collection can forget that without another snapshot,
// which would retire this one, and so on forever.
func (s *State) compact(next manifestv1.Manifest, c change) (manifestv1.Manifest, *manifestv1.Snapshot) {
	retired := slices.Clone(c.retire)
	if next.Snapshot != nil {
		retired = append(retired, next.Snapshot.SHA256)
	}
	all := newState(&signed{Manifest: next}, s.snapshot, s.Membership)
	snap := &manifestv1.Snapshot{Bucket: next.Bucket, Generation: next.Generation, Refs: []manifestv1.Ref{}, Packs: []manifestv1.Pack{}}
	for _, name := range slices.Sorted(maps.Keys(all.Refs)) {
		snap.Refs = append(snap.Refs, manifestv1.Ref{Name: name, ID: all.Refs[name]})
	}
	snap.Packs = append(snap.Packs, all.Packs...)
	for _, r := range all.retired {
		if !c.collected[r.SHA256] && !slices.Contains(retired, r.SHA256) {
			snap.Retired = append(snap.Retired, r)
		}
	}
	next.Refs, next.Packs = []manifestv1.Ref{}, []manifestv1.Pack{}
	next.Deleted, next.Dropped, next.Retired = nil, nil, nil
	for _, hash := range retired {
		next.Retired = append(next.Retired, manifestv1.Retired{SHA256: hash, Generation: next.Generation})
	}
	return next, snap
}
