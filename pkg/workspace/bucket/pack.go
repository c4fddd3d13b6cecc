package bucket

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/vexa-ai/vexa/pkg/contract/manifestv1"
	"github.com/vexa-ai/vexa/pkg/seal"
)

// pack stores what the ids reach and the bucket has not, once: while others are
// faster it is used again, unless the bucket lost something that it builds on, or
// so much time went by that it may be collected.
func (p *push) pack(ctx context.Context, st *State, ids []string) error {
	have := slices.Sorted(valuesOf(st.Refs))
	have = slices.Compact(have)
	now := packNames(st.Packs)
	if p.packed && p.b.usable(p.stored, st) && (contains(now, p.over) || contains(have, p.excluded)) {
		return nil
	}
	p.packed, p.packs, p.stored, p.over = true, nil, unnamedAfter(st), now
	p.excluded = slices.DeleteFunc(have, func(id string) bool { return p.types[id] == "" })
	missing := slices.DeleteFunc(slices.Clone(ids), func(id string) bool {
		_, found := slices.BinarySearch(have, id)
		return found
	})
	if len(missing) == 0 {
		return nil
	}
	to, err := seal.ParseRecipient(st.Membership.Recipient)
	if err != nil {
		return err
	}
	switch {
	case len(p.opt.Packs) > 0:
		err := p.takeAll(ctx, to)
		if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		// They were joined with others meanwhile: git knows where the objects are.
		p.opt.Packs, p.packed = nil, false
		clear(p.types)
		if err := p.look(ctx, st); err != nil {
			return err
		}
		return p.pack(ctx, st, ids)
	case len(st.Packs) == 0:
		return p.base(ctx, to, missing)
	default:
		return p.segment(ctx, to, missing)
	}
}

// packNames returns the packs' hashes, sorted.
func packNames(packs []manifestv1.Pack) []string {
	out := make([]string, len(packs))
	for i, p := range packs {
		out[i] = p.SHA256
	}
	slices.Sort(out)
	return out
}

// contains reports whether the sorted list has every one of the others.
func contains(list, others []string) bool {
	return !slices.ContainsFunc(others, func(s string) bool {
		_, found := slices.BinarySearch(list, s)
		return !found
	})
}

func valuesOf(m map[string]string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for _, v := range m {
			if !yield(v) {
				return
			}
		}
	}
}

// manyObjects is how many objects are worth an index: with more, whoever fetches
// them would spend longer to make it than it takes to read it.
const manyObjects = 4096

// segment stores a thin pack, or where that would be large a base.
func (p *push) segment(ctx context.Context, to seal.Recipient, ids []string) error {
	head := packHead{limit: manyObjects}
	o, err := p.b.storeObject(ctx, to, func(w io.Writer) error {
		head.w = w
		err := p.repo.packThin(ctx, ids, p.excluded, &head)
		if err == nil && head.objects() == 0 {
			return errEmpty
		}
		return err
	})
	if errors.Is(err, errEmpty) {
		return nil
	}
	if head.large {
		return p.base(ctx, to, ids)
	}
	if err != nil {
		return err
	}
	p.packs = append(p.packs, manifestv1.Pack{SHA256: o.SHA256, Size: o.Size, Kind: kindSegment, Objects: head.objects()})
	return nil
}

// errLarge ends a thin pack that is large.
var errLarge = errors.New("the pack is large")

// errEmpty: every object that a ref needs is in the bucket already.
var errEmpty = errors.New("the pack is empty")

// packHead passes a pack on and looks at its first bytes.
type packHead struct {
	w     io.Writer
	head  []byte
	limit int64 // of objects; 0: none
	large bool  // the pack has more, and was not passed on
}

const packHeadBytes = 12 // "PACK", version, number of objects

func (h *packHead) Write(b []byte) (int, error) {
	if n := packHeadBytes - len(h.head); n > 0 {
		h.head = append(h.head, b[:min(n, len(b))]...)
	}
	if h.limit > 0 && h.objects() > h.limit {
		h.large = true
		return 0, errLarge
	}
	return h.w.Write(b)
}

func (h *packHead) objects() int64 {
	if len(h.head) < packHeadBytes {
		return 0
	}
	return int64(binary.BigEndian.Uint32(h.head[8:]))
}

// base stores a pack that is whole by itself, with its index: whoever clones
// need not make one.
func (p *push) base(ctx context.Context, to seal.Recipient, ids []string) error {
	dir, drop, err := scratch(p.repo.Objects)
	if err != nil {
		return err
	}
	defer drop()
	pack, index, err := p.repo.packWhole(ctx, filepath.Join(dir, "pack"), revs(ids, p.excluded), "--revs")
	if err != nil || pack == "" {
		return err
	}
	stored, err := p.b.storePack(ctx, to, pack, index, p.repo.Progress)
	if err != nil {
		return err
	}
	p.packs = append(p.packs, stored)
	return nil
}

// takeAll stores the packs that the caller named.
func (p *push) takeAll(ctx context.Context, to seal.Recipient) error {
	for _, name := range p.opt.Packs {
		if err := p.take(ctx, to, filepath.Join(p.repo.Objects, "pack", name)); err != nil {
			return err
		}
	}
	return nil
}

// take stores a pack that is in the repository: it is whole by itself, and small
// enough that whoever fetches it makes its index.
func (p *push) take(ctx context.Context, to seal.Recipient, path string) error {
	f, err := os.Open(path + ".pack")
	if err != nil {
		return err
	}
	defer f.Close()
	var head packHead
	o, err := p.b.storeObject(ctx, to, func(w io.Writer) error {
		head.w = w
		_, err := io.Copy(&head, f)
		return err
	})
	if err != nil {
		return err
	}
	p.packs = append(p.packs, manifestv1.Pack{SHA256: o.SHA256, Size: o.Size, Kind: kindSegment, Objects: head.objects()})
	return nil
}

// storePack stores a pack and its index, and tells progress, which may be nil, how far it
// is.
func (b *Bucket) storePack(ctx context.Context, to seal.Recipient, pack, index string, progress io.Writer) (manifestv1.Pack, error) {
	out := manifestv1.Pack{Kind: kindBase}
	up := newUpload(progress, 0, b.opt.Now)
	var head packHead
	for _, f := range []struct {
		path string
		into func(manifestv1.Object)
	}{
		{pack, func(o manifestv1.Object) { out.SHA256, out.Size = o.SHA256, o.Size }},
		{index, func(o manifestv1.Object) { out.Index = &o }},
	} {
		o, err := b.storeObject(ctx, to, func(w io.Writer) error {
			file, err := os.Open(f.path)
			if err != nil {
				return err
			}
			defer file.Close()
			if f.path == pack {
				info, err := file.Stat()
				if err != nil {
					return err
				}
				up.total = info.Size()
				head.w = io.MultiWriter(w, up)
				w = &head
			}
			_, err = io.CopyBuffer(struct{ io.Writer }{w}, struct{ io.Reader }{file}, make([]byte, 1<<20))
			return err
		})
		if err != nil {
			return out, err
		}
		f.into(o)
	}
	up.end()
	out.Objects = head.objects()
	return out, nil
}
