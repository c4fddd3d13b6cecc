package bucket

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/vexa-ai/vexa/pkg/contract/manifestv1"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/seal"
	"github.com/vexa-ai/vexa/pkg/workspace/blob"
)

// namedKeyrings holds the keyrings that are stored to those that the
// memberships name.
func (in *inspection) namedKeyrings(context.Context) error {
	byName, named := map[string]*ring{}, map[string]string{}
	for _, r := range in.rings {
		if r.name != "" {
			byName[r.name] = r
		}
	}
	var newest *ring
	for i, a := range in.anchors() {
		s := in.b.anchors[a.SHA256]
		if s == nil || s.Membership == nil {
			continue
		}
		k := s.Membership.Keyring
		named[k.Name] = k.SHA256
		f := Finding{
			Object: k.Name, Generation: a.Generation, Kind: KindMissing, What: "the keyring of that generation's members is not stored", Repair: restores,
			Readable: "everything: a newer keyring has its keys, too; whoever is no member any more needs it for what was before",
		}
		r := byName[k.Name]
		if i == 0 {
			newest = r
			f.Readable = "everything by installations that have a copy; by others nothing from that generation on"
		}
		switch {
		case r == nil:
			in.find(f)
		case r.sum != k.SHA256:
			f.Kind, f.What = KindDamaged, "it is not the one that the manifest names"
			if r.ids != nil {
				f.Kind, f.What = KindPlace, "an old or foreign keyring was put in its place"
			}
			in.find(f)
		}
	}
	for _, r := range in.rings {
		if r.name != "" && r.ids != nil && named[r.name] == "" {
			in.strange(r, newest, named)
		}
	}
	return nil
}

// strange looks at a keyring that no manifest names. Those of changes that were
// cut short have keys of the bucket.
func (in *inspection) strange(r, newest *ring, named map[string]string) {
	f := Finding{Object: r.name, Kind: KindForeign, Readable: "everything: no manifest names it", Repair: "ask who has access to the storage; nobody uses it"}
	for name, hash := range named {
		if r.sum == hash {
			f.What = "it is a copy of " + name + " under a name of its own"
			in.find(f)
			return
		}
	}
	ours := func(id *seal.Identity) bool {
		return newest == nil || slices.ContainsFunc(newest.ids, func(k *seal.Identity) bool { return k.Recipient() == id.Recipient() })
	}
	if newest != nil && newest.ids != nil && !slices.ContainsFunc(r.ids, ours) {
		f.What = "it is encrypted to this installation and has no key of the bucket: somebody put it there"
		in.find(f)
	}
}

// newest finds the newest generation of which everything can be read but packs.
func (in *inspection) newest(ctx context.Context) error {
	const most = 256 // back from the head
	var failed []Finding
	for _, s := range in.good[:min(len(in.good), most)] {
		m, err := in.b.membership(ctx, s)
		if err != nil {
			return err
		}
		snap, f, err := in.snapshot(ctx, s)
		if err != nil {
			return err
		}
		if f != nil {
			failed = append(failed, *f)
			continue
		}
		in.state = newState(s, snap, *m)
		in.report.Generation = s.Generation
		break
	}
	for _, f := range failed {
		f.Readable = upTo(in.report.Generation + 1)
		in.find(f)
	}
	return nil
}

// snapshot reads the snapshot of a manifest from the storage, or says what is
// wrong with it.
func (in *inspection) snapshot(ctx context.Context, s *signed) (*manifestv1.Snapshot, *Finding, error) {
	if s.Snapshot == nil {
		return nil, nil, nil
	}
	plain, f, err := in.small(ctx, *s.Snapshot)
	if err != nil {
		return nil, nil, err
	}
	if f == nil {
		out, err := decodeSnapshot(plain, s, in.b.id, true)
		if err == nil {
			return out, nil, nil
		}
		f = &Finding{Kind: KindForged, What: err.Error()}
	}
	f.Object, f.Generation = objectName(s.Snapshot.SHA256), s.Generation
	f.Repair = "vexa workspace repair NAME --from CLONE"
	in.bad[s.Snapshot.SHA256] = f.Kind
	return nil, f, nil
}

// packs reads every pack and index of the newest generation that can be read.
func (in *inspection) packs(ctx context.Context) error {
	if in.state == nil {
		return nil
	}
	for _, p := range in.state.Packs {
		in.total += p.Size
		if p.Index != nil {
			in.total += p.Index.Size
		}
	}
	for _, p := range in.state.Packs {
		if err := in.pack(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

// pack reads one pack, and its index.
func (in *inspection) pack(ctx context.Context, p manifestv1.Pack) error {
	if in.recall(p) {
		return nil
	}
	check := newPackCheck(in.state.ObjectFormat)
	f := Finding{
		Object: objectName(p.SHA256), Generation: p.Generation, Readable: readableWithout(p),
		Repair: "vexa workspace repair NAME --from CLONE, of a clone that has it; or vexa workspace restore NAME --from BACKUP",
	}
	id := ""
	err := in.through(ctx, manifestv1.Object{SHA256: p.SHA256, Size: p.Size}, f, func(r io.Reader) (err error) {
		if _, err = io.CopyBuffer(struct{ io.Writer }{check}, struct{ io.Reader }{r}, make([]byte, 256<<10)); err == nil {
			id, err = check.id(p.Objects)
		}
		return err
	})
	if err != nil {
		return err
	}
	in.report.Packs++
	if p.Index == nil {
		return nil
	}
	in.report.Indexes++
	f = Finding{
		Object: objectName(p.Index.SHA256), Generation: p.Generation, Readable: withoutIndex,
		Repair: "vexa workspace repair NAME makes it again from its pack",
	}
	return in.through(ctx, *p.Index, f, func(r io.Reader) error {
		if id == "" { // the pack is not there to compare with
			_, err := io.Copy(io.Discard, r)
			return err
		}
		return checkIndex(r, indexOf{format: in.state.ObjectFormat, objects: p.Objects, pack: id, bytes: check.n})
	})
}

// recall reports whether a pack was read before, and notes again what was wrong.
func (in *inspection) recall(p manifestv1.Pack) bool {
	if _, read := in.known[p.SHA256]; !read {
		return false
	}
	for _, o := range objectsOf(p) {
		if f := in.known[o.SHA256]; f != nil {
			in.bad[o.SHA256] = f.Kind
			in.find(*f)
		}
	}
	return true
}

// through has an object read to its end, and notes what is wrong with it.
func (in *inspection) through(ctx context.Context, o manifestv1.Object, f Finding, read func(io.Reader) error) error {
	r, err := in.b.openObject(ctx, o, in.b.epoch, "the object", f.Readable)
	if err == nil {
		src := &failing{r: r}
		if err = read(src); err != nil && src.err == nil {
			_, _ = io.Copy(io.Discard, src) // its error is kept
		}
		if err != nil && src.err == nil { // it is whole, as somebody stored it
			f.Kind, f.What = KindForged, err.Error()
		} else {
			err = src.err
		}
		r.Close()
	}
	in.read(o.Size)
	in.known[o.SHA256] = nil
	switch kind := fault.KindOf(err); {
	case err == nil:
		return nil
	case f.Kind != "":
	case errors.Is(err, errGone):
		f.Kind, f.What = KindMissing, "it is not stored"
		if still, err := in.stillUsed(ctx, o.SHA256); err != nil || !still {
			return err
		}
	case kind == fault.Invalid || kind == fault.Denied:
		f.Kind, f.What = KindDamaged, errChanged.Error()
		if f.What, err = in.whose(ctx, o); err != nil {
			return err
		}
	default:
		return err
	}
	in.bad[o.SHA256], in.known[o.SHA256] = f.Kind, &f
	in.find(f)
	return nil
}

// stillUsed reports whether the newest generation, which others may have made
// meanwhile, still needs an object.
func (in *inspection) stillUsed(ctx context.Context, hash string) (bool, error) {
	g, err := in.b.newest(ctx, in.head.Generation)
	if err != nil || g <= in.head.Generation {
		return true, err
	}
	st, err := in.b.load(ctx, g, pin{})
	if err != nil {
		return true, nil //nolint:nilerr // what is wrong with it the next verification says
	}
	return usedBy(st)[hash], nil
}

// usedBy returns the hashes of the objects that a state needs.
func usedBy(st *State) map[string]bool {
	out := map[string]bool{}
	for _, p := range st.Packs {
		out[p.SHA256] = true
		if p.Index != nil {
			out[p.Index.SHA256] = true
		}
	}
	if st.manifest.Snapshot != nil {
		out[st.manifest.Snapshot.SHA256] = true
	}
	if st.manifest.Log != nil {
		out[st.manifest.Log.SHA256] = true
	}
	return out
}

// whose says what the bytes of a damaged object are.
func (in *inspection) whose(ctx context.Context, o manifestv1.Object) (string, error) {
	r, err := in.b.store.Open(ctx, objectName(o.SHA256))
	if err != nil {
		return errChanged.Error(), nil
	}
	defer r.Close()
	h := sha256.New()
	n, err := io.Copy(h, io.LimitReader(r, in.stored[objectName(o.SHA256)].Size+1))
	in.read(n)
	if err != nil && !errors.Is(err, blob.ErrNotExist) {
		return "", unreadable("read "+objectName(o.SHA256)+" of "+in.b.store.URL(), err)
	}
	got := hex.EncodeToString(h.Sum(nil))
	switch {
	case got == o.SHA256:
		return "whoever stored it encrypted it to another key", nil
	case usedBy(in.state)[got]:
		return "its bytes are those of " + objectName(got), nil
	default:
		return fmt.Sprintf("%s: there are %d of %d", errChanged, n, o.Size), nil
	}
}

// unused counts the objects that nothing refers to. With Paranoid they are read.
func (in *inspection) unused(ctx context.Context) error {
	if in.state == nil {
		return nil
	}
	used := usedBy(in.state)
	retired := map[string]bool{}
	for _, r := range in.state.retired {
		retired[r.SHA256] = true
	}
	for name, info := range in.stored {
		hash := objectOf(name)
		if !strings.HasPrefix(name, objects) || used[hash] {
			continue
		}
		in.report.Unused++
		if !in.opt.Paranoid || hash == "" || retired[hash] {
			continue
		}
		got, err := hashOf(ctx, in.b.store, name, info.Size)
		in.read(info.Size)
		if errors.Is(err, blob.ErrNotExist) || err == nil && got == hash {
			continue
		}
		if err != nil {
			return unreadable("read "+name+" of "+in.b.store.URL(), err)
		}
		in.find(Finding{
			Object: name, Kind: KindDamaged, What: "its bytes are not those that its name says",
			Readable: "everything: nothing refers to it", Repair: "nothing has to be done: maintenance removes it in time",
		})
	}
	return nil
}

// hashOf returns the hash of a stored blob, of which no more than limit bytes and
// one are read.
func hashOf(ctx context.Context, s blob.Store, name string, limit int64) (string, error) {
	r, err := s.Open(ctx, name)
	if err != nil {
		return "", err
	}
	defer r.Close()
	h := sha256.New()
	if _, err := io.Copy(h, io.LimitReader(r, limit+1)); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
