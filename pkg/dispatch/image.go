package dispatch

import (
	"context"

	"github.com/vexa-ai/vexa/pkg/audit"
	"github.com/vexa-ai/vexa/pkg/contract/runtimev1"
	"github.com/vexa-ai/vexa/pkg/contract/wsv2"
	"github.com/vexa-ai/vexa/pkg/runner"
)

// findImage finds out what the container is made of, and reports whether that is known
// now. Where its program has to be asked first, the container is made when it has
// answered: nobody who wants to stop the dispatch waits for that.
func (r *run) findImage(ctx context.Context, tries int) bool {
	ref, ask, err := r.m.images(ctx, r.plan.manifest)
	switch {
	case err != nil:
		r.refuseImage(ctx, err)
		return false
	case ask != nil:
		r.askFirst(ctx, tries, ref, ask)
		return false
	}
	r.spec.Image = ref
	return true
}

// askFirst asks the program of an image whether it is the one that the manifest means.
func (r *run) askFirst(ctx context.Context, tries int, ref string, ask func(context.Context, runner.Try) error) {
	u, token := r.plan.Unit, r.token
	err := r.m.audit.Record(ctx, audit.Event{
		Unit: u.ID, Subject: u.Identity.Subject, Launcher: u.Identity.Launcher, Boundary: audit.Runtime, Action: "probe", Effect: audit.Allow,
	})
	if err != nil {
		r.refuseImage(ctx, err)
		return
	}
	r.publish(ctx, "", wsv2.State{State: string(runtimev1.Starting), Detail: "asks the program of runner " + u.Runner + " for its version"})
	asking, cancel := context.WithCancel(ctx)
	go func() {
		select {
		case <-r.done: // it was stopped
		case <-asking.Done():
		}
		cancel()
	}()
	go func() {
		defer cancel()
		err := ask(asking, func(ctx context.Context, argv []string) (int, error) {
			return r.m.runtime.Try(ctx, u.ID, token, ref, argv)
		})
		r.post(func(ctx context.Context) {
			switch {
			case r.over || r.asked != "" || r.broken != nil:
			case err != nil:
				r.refuseImage(ctx, err)
			default:
				r.spec.Image = ref
				r.create(ctx, tries)
			}
		})
	}()
}

// refuseImage ends a dispatch for which there is no right image.
func (r *run) refuseImage(ctx context.Context, err error) {
	err = joined(err, r.noteStart(ctx, err))
	r.m.log.ErrorContext(ctx, "start unit", "unit", r.id(), "error", err)
	r.failStart(ctx, r.imageWanted(err))
}

// keepImage is findImage for a container that is there: nothing is asked, and another
// image that has the name now changes nothing. Without an answer its clock is not touched.
func (r *run) keepImage(ctx context.Context) {
	ref, _, err := r.m.images(ctx, r.plan.manifest)
	if err != nil {
		r.m.log.WarnContext(ctx, "the image of a container is not known any more", "unit", r.id(), "error", err)
		r.spec.WorkloadID = ""
		return
	}
	r.spec.Image = ref
}
