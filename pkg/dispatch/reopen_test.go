package dispatch_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/broker"
	"github.com/vexa-ai/vexa/pkg/contract/runnerv2"
	"github.com/vexa-ai/vexa/pkg/dispatch"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/runner"
	"github.com/vexa-ai/vexa/pkg/workspace"
)

// noFiles is a process that can open nothing more, for its first few tries.
type noFiles struct {
	dispatch.Workspaces
	left *atomic.Int32
}

func (f noFiles) OpenCheckout(ctx context.Context, meta string) (*workspace.Checkout, error) {
	if f.left.Add(-1) >= 0 {
		return nil, fmt.Errorf("open %s: %w", meta, syscall.EMFILE)
	}
	return f.Workspaces.OpenCheckout(ctx, meta)
}

func again(o *dispatch.Options) { o.SaveAgain = 50 * time.Millisecond }

// What cannot be opened when the daemon comes back is not taken for nothing: it
// is left alone until it can be, whether its container lives or not.
func TestRestartWithoutFiles(t *testing.T) {
	t.Parallel()
	checkouts := func(o *dispatch.Options, left *atomic.Int32) { o.Workspaces = noFiles{o.Workspaces, left} }
	socket := func(o *dispatch.Options, left *atomic.Int32) {
		open := o.OpenSocket
		o.OpenSocket = func(ctx context.Context, q broker.Session) (dispatch.Socket, error) {
			if left.Add(-1) >= 0 {
				return nil, fmt.Errorf("socket: %w", syscall.EMFILE)
			}
			return open(ctx, q)
		}
	}
	for name, lack := range map[string]func(*dispatch.Options, *atomic.Int32){"checkout": checkouts, "socket": socket} {
		for _, lives := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, container lives %v", name, lives), func(t *testing.T) {
				t.Parallel()
				s := newStack(t)
				gate := s.home.State + "/gate"
				st := s.start(api.StartRequest{
					Text: "echo half > a.md; echo started; while [ ! -e " + gate + " ]; do sleep 0.02; done", Runner: "text", Limits: limits(0),
				})
				s.waitForWord(st.Unit)
				s.m.Abandon()
				for _, c := range s.driver.All() {
					if !lives {
						must(t, s.driver.Remove(t.Context(), c.ID))
					}
				}
				left := &atomic.Int32{}
				left.Store(2)
				s.restart(func(o *dispatch.Options) { again(o); lack(o, left) })
				s.eventually("another try", func() bool { return left.Load() < 0 })
				must(t, os.WriteFile(gate, nil, 0o600))
				if d := done(t, s.turn(st)); d.OK != lives {
					t.Errorf("turn-done %+v", d)
				}
				s.ended(st.Unit)
				if got := s.file("a.md"); got != "half\n" {
					t.Errorf("what was written is lost: %q", got)
				}
			})
		}
	}
}

// A container goes on whatever became of its image meanwhile: it is gone, another has its
// name, and whose program is of another version.
func TestRestartWithoutTheImage(t *testing.T) {
	t.Parallel()
	none := func(kind fault.Kind) dispatch.Images {
		return func(context.Context, runnerv2.Manifest) (string, func(context.Context, runner.Try) error, error) {
			return "", nil, fault.New(kind, "there is no such image", "")
		}
	}
	asks := func(context.Context, runnerv2.Manifest) (string, func(context.Context, runner.Try) error, error) {
		return "another", func(context.Context, runner.Try) error { return errors.New("a container that runs is asked again") }, nil
	}
	for name, images := range map[string]dispatch.Images{"gone": none(fault.NotFound), "another": none(fault.Invalid), "not known": asks} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStack(t)
			gate := s.home.State + "/gate"
			st := s.start(api.StartRequest{
				Text: "echo half > a.md; echo started; while [ ! -e " + gate + " ]; do sleep 0.02; done; echo whole > a.md", Runner: "text", Limits: limits(0),
			})
			s.waitForWord(st.Unit)
			s.restart(func(o *dispatch.Options) { again(o); o.Images = images })
			must(t, os.WriteFile(gate, nil, 0o600))
			if d := done(t, s.turn(st)); !d.OK {
				t.Errorf("turn-done %+v", d)
			}
			s.ended(st.Unit)
			if got := s.file("a.md"); got != "whole\n" {
				t.Errorf("what was written is %q", got)
			}
		})
	}
}
