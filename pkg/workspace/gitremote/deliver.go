package gitremote

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/workspace/bucket"
	"github.com/vexa-ai/vexa/pkg/workspace/inbox"
)

// blind is the answer to who may write and not read, and would read.
func (h *helper) blind() error {
	return fault.New(fault.Denied, "this installation writes the bucket at "+h.opt.Bucket.URL()+" and does not read it",
		"git push delivers to it; to read it ask an administrator: vexa workspace member list NAME")
}

// listDelivered tells git which refs were delivered from here: what is there it is not
// told.
func (h *helper) listDelivered(ctx context.Context, forPush bool) error {
	if !forPush {
		return h.blind()
	}
	n, err := h.inbox.Newest(ctx)
	if err != nil {
		return err
	}
	refs, err := h.inbox.Delivered(ctx)
	if err != nil {
		return err
	}
	if h.format {
		h.say(":object-format " + n.ObjectFormat)
	}
	for _, name := range slices.Sorted(maps.Keys(refs)) {
		h.say(refs[name] + " " + name)
	}
	h.say("")
	return nil
}

// deliver leaves refs in the inbox, and tells git what became of each.
func (h *helper) deliver(ctx context.Context, specs []string) error {
	if err := h.open(ctx); err != nil {
		return err
	}
	updates, err := h.updates(ctx, specs)
	if err != nil {
		return err
	}
	results, err := h.inbox.Push(ctx, h.repo, updates, inbox.PushOptions{Atomic: h.atomic, DryRun: h.dryRun})
	if err != nil {
		return err
	}
	clear(h.leases)
	h.answer(results)
	done := slices.ContainsFunc(results, func(r bucket.Result) bool { return r.Err == nil })
	if done && !h.quiet && !h.dryRun {
		fmt.Fprintln(h.opt.Err, "vexa: delivered; it is taken up when somebody who may write opens the workspace")
	}
	return nil
}
