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
