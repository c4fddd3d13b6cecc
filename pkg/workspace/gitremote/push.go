package gitremote

import (
	"context"
	"errors"
	"maps"
	"strings"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/workspace/bucket"
)

// push brings refs into the bucket and tells git what became of each.
func (h *helper) push(ctx context.Context, specs []string) error {
	if err := h.open(ctx); err != nil {
		return err
	}
	updates, err := h.updates(ctx, specs)
	if err != nil {
		return err
	}
	b := h.opt.Bucket
	st, results, err := b.Push(ctx, h.repo, updates, bucket.PushOptions{Atomic: h.atomic, DryRun: h.dryRun})
	if err != nil {
		return err
	}
	clear(h.leases)
	h.answer(results)
	if h.dryRun {
		return nil
	}
	if err := h.pushed(st, updates, results); err != nil {
		return err
	}
	if h.opt.Tidy != nil && len(st.Packs) > manyPacks {
		h.opt.Tidy()
	}
	return nil
}

// answer tells git what became of each ref.
func (h *helper) answer(results []bucket.Result) {
	for _, r := range results {
		if r.Err == nil {
			h.say("ok " + r.Ref)
		} else {
			h.say("error " + r.Ref + " " + reason(r.Err))
		}
	}
	h.say("")
}

// reason is an error in the words that git knows.
func reason(err error) string {
	if errors.Is(err, bucket.ErrNonFastForward) {
		return "non-fast forward"
	}
	return err.Error()
}

// pushed notes that the repository has everything of a generation: it had
// everything before, and the refs are what its own push made of them, whoever
// else pushed.
func (h *helper) pushed(st *bucket.State, updates []bucket.Update, results []bucket.Result) error {
	before := h.listed
	if before == nil {
		return nil
	}
	refs := maps.Clone(before.Refs)
	for i, u := range updates {
		switch {
		case results[i].Err != nil:
		case u.New == "":
			delete(refs, u.Ref)
		default:
			refs[u.Ref] = u.New
		}
	}
	if !maps.Equal(refs, st.Refs) {
		return nil
	}
	since, err := readSeen(h.repo, h.opt.Bucket.ID())
	if err != nil {
		return err
	}
	if since < before.Generation && len(before.Packs) > 0 {
		return nil
	}
	return writeSeen(h.repo, h.opt.Bucket.ID(), st.Generation)
}

// updates reads what git wants to push: [+]<source>:<destination>. A source may
// be any expression that names an object, and a destination has no colon.
func (h *helper) updates(ctx context.Context, specs []string) ([]bucket.Update, error) {
	out := make([]bucket.Update, 0, len(specs))
	var names []string
	for _, spec := range specs {
		u := bucket.Update{Force: h.force}
		if rest, ok := strings.CutPrefix(spec, "+"); ok {
			u.Force, spec = true, rest
		}
		colon := strings.LastIndexByte(spec, ':')
		if colon < 0 {
			return nil, fault.Newf(fault.Invalid, "git wants to push %.200q", spec)
		}
		src, dst := spec[:colon], spec[colon+1:]
		u.Ref = dst
		if lease, ok := h.leases[dst]; ok {
			u.Lease = &lease
		}
		names = append(names, src)
		out = append(out, u)
	}
	ids, err := h.repo.Resolve(ctx, names)
	if err != nil {
		return nil, err
	}
	for i := range out {
		out[i].New = ids[i]
	}
	return out, nil
}
