package gitremote

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/workspace/bucket"
)

// list tells git the refs.
func (h *helper) list(ctx context.Context) error {
	if h.refused != "" {
		return h.refusal()
	}
	st, err := h.opt.Bucket.Head(ctx)
	if err != nil {
		return err
	}
	// git fetches nothing where it has every object of a ref already: what has to be
	// proven is, before it hears of any.
	if pending, err := h.opt.Bucket.Unproven(); err != nil || pending {
		if err == nil {
			st, err = h.prove(ctx)
		}
		if err != nil {
			return err
		}
	}
	h.listed = st
	if h.format {
		h.say(":object-format " + st.ObjectFormat)
	}
	if st.Refs[st.Head] != "" {
		h.say("@" + st.Head + " HEAD")
	}
	for _, name := range slices.Sorted(maps.Keys(st.Refs)) {
		h.say(st.Refs[name] + " " + name)
	}
	h.say("")
	return nil
}

// prove brings what is new, so that it can be verified who approved it, and returns
// the state that was.
func (h *helper) prove(ctx context.Context) (*bucket.State, error) {
	if err := h.open(ctx); err != nil {
		return nil, &fault.Error{
			Kind: fault.Denied, Err: err, Msg: "whether what others moved was approved has to be verified first, which takes a repository",
			Hint: "fetch in a clone, or look at the workspace: vexa workspace show NAME",
		}
	}
	since, err := readSeen(h.repo, h.opt.Bucket.ID())
	if err != nil {
		return nil, err
	}
	got, err := h.opt.Bucket.Fetch(ctx, h.repo, bucket.FetchOptions{Since: since, Keep: true})
	dropKeeps(got)
	return got.State, err
}

// fetch brings everything that the repository has not.
func (h *helper) fetch(ctx context.Context, wants []string) error {
	if h.refused != "" {
		return h.refusal()
	}
	if err := h.open(ctx); err != nil {
		return err
	}
	ids := make([]string, 0, len(wants))
	for _, w := range wants {
		id, _, _ := strings.Cut(w, " ")
		ids = append(ids, id)
	}
	since, err := readSeen(h.repo, h.opt.Bucket.ID())
	if err != nil {
		return err
	}
	paranoid := false
	if h.opt.Paranoid != nil {
		if paranoid, err = h.opt.Paranoid(ctx); err != nil {
			return err
		}
	}
	got, whole, err := h.bring(ctx, ids, bucket.FetchOptions{Since: since, Paranoid: paranoid, Keep: true})
	if err != nil {
		dropKeeps(got)
		return err
	}
	if err := writeSeen(h.repo, h.opt.Bucket.ID(), got.State.Generation); err != nil {
		return err
	}
	for i, keep := range got.Keeps {
		if i == 0 && !strings.Contains(keep, "\n") { // git takes one; the others go now
			h.say("lock " + keep)
		} else if err := removeKeep(keep); err != nil {
			return err
		}
	}
	if h.check && whole { // else git looks itself
		h.say("connectivity-ok")
	}
	h.say("")
	return nil
}

// bring fetches what is new since a generation, if there is one, and everything
// where that is not enough: a repository may have lost what nothing in it
// referred to. whole reports that all there is was fetched, so that everything is
// connected if it is in the bucket.
func (h *helper) bring(ctx context.Context, ids []string, opt bucket.FetchOptions) (got bucket.Fetched, whole bool, err error) {
	b := h.opt.Bucket
	if opt.Since > 0 {
		got, err = b.Fetch(ctx, h.repo, opt)
		if err == nil {
			ok, err := h.repo.Connected(ctx, ids)
			if err != nil || ok {
				return got, false, err
			}
		} else if !fault.Is(err, fault.Invalid) {
			return got, false, err
		}
		dropKeeps(got)
	}
	opt.Since = 0
	got, err = b.Fetch(ctx, h.repo, opt)
	return got, h.cloning && !opt.Paranoid, err
}
