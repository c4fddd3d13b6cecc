package bucket

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/seal"
	"github.com/vexa-ai/vexa/pkg/workspace/blob"
)

// RestoreOptions says how a bucket is restored.
type RestoreOptions struct {
	CopyOptions
	// State is Options.State: what this installation has seen of the bucket.
	State string
	// AcceptOlder takes a state that is older than the newest that was seen, or
	// another history; what was seen is forgotten. Other installations have to
	// accept it, too: see Bucket.Accept.
	AcceptOlder bool
	// Keys say of two manifests which differ whether the one in the place of the
	// bucket is damaged. Nil: then only one that is evidently none is replaced.
	Keys Keys
}

// Restore brings a bucket back from a backup: all of it into an empty store, and
// into one that has it what is missing or damaged there. Nothing that is whole
// is changed. It returns fault.Denied, having done nothing, where the bucket
// would be older afterwards than this installation has seen, and fault.Conflict
// where the two are of different buckets or histories.
func Restore(ctx context.Context, from, to blob.Store, opt RestoreOptions) (Copied, error) {
	r := &restore{copier: copier{from: from, to: to, opt: opt.CopyOptions}, opts: opt}
	r.opt.Check = true
	for _, step := range []func(context.Context) error{r.same, r.generations, r.older, r.format, r.keyrings, r.objects, r.beside, r.manifests, r.finish, r.accept} {
		if err := step(ctx); err != nil {
			return r.out, err
		}
	}
	return r.out, r.unsound()
}

type restore struct {
	copier
	opts RestoreOptions

	bring []int64 // generations that are missing, or damaged and replaced
	are   []int64 // in the backup
	after int64   // the newest, when it is done
	wrong []string
}

// same refuses another bucket.
func (r *restore) same(ctx context.Context) error {
	id, err := readFormat(ctx, r.from)
	if err != nil {
		return err
	}
	r.out.ID = id
	is, err := readFormat(ctx, r.to)
	switch {
	case fault.Is(err, fault.NotFound):
		return r.to.Probe(ctx)
	case fault.Is(err, fault.Invalid): // it is missing or damaged
		return nil
	case err != nil:
		return err
	case is != id:
		return fault.New(fault.Conflict, fmt.Sprintf("at %s is bucket %s, and the backup at %s is of bucket %s; nothing was restored", r.to.URL(), is, r.from.URL(), id), "restore it into an empty place, or find the backup of this one")
	}
	return nil
}

// generations decides which manifests are brought back.
func (r *restore) generations(ctx context.Context) (err error) {
	if r.are, err = generations(ctx, r.from); err != nil {
		return err
	}
	have, err := generations(ctx, r.to)
	if err != nil {
		return err
	}
	r.after = max(last(r.are), last(have))
	for _, g := range r.are {
		if _, there := slices.BinarySearch(have, g); !there {
			r.bring = append(r.bring, g)
			continue
		}
		damaged, err := r.damagedHere(ctx, g)
		if err != nil {
			return err
		}
		if damaged {
			r.bring = append(r.bring, g)
			r.wrong = append(r.wrong, manifestName(g))
		}
	}
	return nil
}

// damagedHere reports whether the manifest in the place of the bucket is damaged
// and that of the backup is not. Where both are whole and differ there are two
// histories.
func (r *restore) damagedHere(ctx context.Context, g int64) (bool, error) {
	name := manifestName(g)
	theirs, err := readSealed(ctx, r.from, name)
	if err != nil || theirs == nil {
		return false, err
	}
	ours, err := readSealed(ctx, r.to, name)
	if err != nil || ours == nil || sum(ours) == sum(theirs) {
		return ours == nil, err
	}
	oursGood, theirsGood, err := r.judge(ctx, g, ours, theirs)
	if err != nil {
		return false, err
	}
	if theirsGood && !oursGood {
		return true, nil
	}
	if oursGood && !theirsGood {
		return false, nil // the backup is damaged: what is here stays
	}
	return false, fault.New(fault.Conflict,
		fmt.Sprintf("%s is %.12s at %s, and %.12s in the backup at %s: they have two histories, and nothing says which is damaged; nothing was restored", name, sum(ours), r.to.URL(), sum(theirs), r.from.URL()),
		"restore the backup into an empty place and compare: vexa workspace verify NAME")
}

// judge tells which of two manifests is one: by what was seen, or by opening
// them.
func (r *restore) judge(ctx context.Context, g int64, ours, theirs []byte) (oursGood, theirsGood bool, err error) {
	p, err := r.local().readPin()
	if err != nil {
		return false, false, err
	}
	if p.Generation == g && !p.Unverified {
		return sum(ours) == p.SHA256, sum(theirs) == p.SHA256, nil
	}
	if r.opts.Keys == nil {
		return false, false, nil
	}
	ids, err := r.keys(ctx)
	if err != nil {
		return false, false, err
	}
	opens := func(stored []byte) bool {
		s, err := decodeManifest(stored, ids)
		return err == nil && s.Generation == g && s.Bucket == r.out.ID
	}
	return opens(ours), opens(theirs), nil
}

// keys returns all keys of all keyrings that open, of both stores.
func (r *restore) keys(ctx context.Context) ([]*seal.Identity, error) {
	var out []*seal.Identity
	for _, s := range []blob.Store{r.from, r.to} {
		b := &Bucket{opt: Options{Keys: r.opts.Keys}, store: s, id: r.out.ID}
		names, err := b.keyrings(ctx)
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			stored, err := readSealed(ctx, s, name)
			if err != nil || stored == nil {
				continue
			}
			ids, err := b.openKeyring(ctx, name, stored)
			if err != nil && !isFinding(err) {
				return nil, err
			}
			out = append(out, ids...)
		}
	}
	return out, nil
}

func (r *restore) local() local { return local{dir: filepath.Join(r.opts.State, r.out.ID)} }

// older refuses to go back behind what this installation has seen.
func (r *restore) older(ctx context.Context) error {
	if r.opts.AcceptOlder || r.opts.State == "" {
		return nil
	}
	p, err := r.local().readPin()
	if err != nil || p.Generation == 0 {
		return err
	}
	if p.Generation > r.after {
		return fault.New(fault.Denied,
			fmt.Sprintf("the newest generation in the backup at %s is %d, and this installation has seen generation %d of the bucket: what came after %d would be lost; nothing was restored", r.from.URL(), r.after, p.Generation, r.after),
			"find a newer backup; or accept the older state: vexa workspace restore NAME --from BACKUP --accept-older")
	}
	if !slices.Contains(r.bring, p.Generation) {
		return nil
	}
	stored, err := readSealed(ctx, r.from, manifestName(p.Generation))
	if err != nil || stored == nil || sum(stored) == p.SHA256 {
		return err
	}
	return fault.New(fault.Denied,
		fmt.Sprintf("generation %d in the backup at %s is %.12s, and this installation has seen %.12s: the backup is of another history; nothing was restored", p.Generation, r.from.URL(), sum(stored), p.SHA256),
		"find another backup; or accept its history: vexa workspace restore NAME --from BACKUP --accept-older")
}

// format writes the bucket's first file where it is missing or damaged.
func (r *restore) format(ctx context.Context) error {
	data, err := blob.ReadAll(ctx, r.to, formatName, maxSmall)
	if err == nil && string(data) == string(formatOf(r.out.ID)) {
		return nil
	}
	if err != nil && !errors.Is(err, blob.ErrNotExist) && !fault.Is(err, fault.Invalid) {
		return unreadable("read "+formatName+" of "+r.to.URL(), err)
	}
	if !errors.Is(err, blob.ErrNotExist) {
		r.out.Replaced = append(r.out.Replaced, formatName)
		if err := r.to.Replace(ctx, formatName, formatOf(r.out.ID)); err != nil {
			return unreadable("write "+formatName+" at "+r.to.URL(), err)
		}
	}
	return r.create(ctx, formatName, formatOf(r.out.ID))
}

// keyrings brings keyrings back. A keyring never changes, so that one which
// differs from the backup's is damaged, or the backup's is; with a key the one
// that opens is kept.
func (r *restore) keyrings(ctx context.Context) error {
	if err := r.copier.keyrings(ctx); err != nil {
		return err
	}
	names, err := listed(ctx, r.from, keyrings)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(mapKeys(names)) {
		theirs, err := readSealed(ctx, r.from, name)
		if err != nil {
			return err
		}
		ours, err := readSealed(ctx, r.to, name)
		if err != nil {
			return err
		}
		if theirs == nil || ours != nil && sum(ours) == sum(theirs) {
			continue
		}
		if ours != nil && !r.opensOnly(ctx, name, theirs, ours) {
			continue // it is not for us to say which is right
		}
		if err := r.replaceSmall(ctx, name, theirs); err != nil {
			return err
		}
		r.did(func() { r.out.Keyrings++ }, int64(len(theirs)))
	}
	return nil
}

// opensOnly reports whether this person's key opens one keyring and not another.
func (r *restore) opensOnly(ctx context.Context, name string, one, other []byte) bool {
	if r.opts.Keys == nil {
		return false
	}
	b := &Bucket{opt: Options{Keys: r.opts.Keys}, store: r.to, id: r.out.ID}
	_, err := b.openKeyring(ctx, name, one)
	_, otherErr := b.openKeyring(ctx, name, other)
	return err == nil && otherErr != nil
}

// replaceSmall puts a small blob in the place of a damaged one, for good.
func (r *restore) replaceSmall(ctx context.Context, name string, data []byte) error {
	if err := r.to.Replace(ctx, name, data); err != nil {
		return unreadable("write "+name+" at "+r.to.URL(), err)
	}
	r.out.Replaced = append(r.out.Replaced, name)
	return r.create(ctx, name, data)
}

// manifests brings manifests back, in the order of their generations.
func (r *restore) manifests(ctx context.Context) error {
	for _, g := range r.bring {
		name := manifestName(g)
		if !slices.Contains(r.wrong, name) {
			if err := r.manifest(ctx, g); err != nil {
				return err
			}
			continue
		}
		data, err := readSealed(ctx, r.from, name)
		if err != nil {
			return err
		}
		if data == nil {
			r.out.Damaged = append(r.out.Damaged, name)
			continue
		}
		if err := r.replaceSmall(ctx, name, data); err != nil {
			return err
		}
		r.did(func() { r.out.Manifests++ }, int64(len(data)))
	}
	return nil
}

// accept makes the restored state the newest that this installation has seen.
func (r *restore) accept(ctx context.Context) error {
	if !r.opts.AcceptOlder || r.opts.State == "" {
		return nil
	}
	stored, err := readSealed(ctx, r.to, manifestName(r.out.Generation))
	if err != nil || stored == nil {
		return err
	}
	l := r.local()
	if err := os.MkdirAll(l.dir, 0o700); err != nil {
		return fault.Wrap(fault.Internal, "make the state of a bucket", err)
	}
	return l.reset(ctx, pin{Generation: r.out.Generation, SHA256: sum(stored), Unverified: true})
}
