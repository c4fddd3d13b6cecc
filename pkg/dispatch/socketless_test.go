package dispatch_test

import (
	"os"
	"testing"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/contract/wsv2"
	"github.com/vexa-ai/vexa/pkg/dispatch"
)

// TestStopWithoutASocket: the machine was restarted, which took the unit's
// directory, and its turn is ended before the kernel answers.
func TestStopWithoutASocket(t *testing.T) {
	t.Parallel()
	for name, interrupt := range map[string]bool{"stop": false, "interrupt": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStack(t)
			st := s.start(api.StartRequest{Text: "echo started; exec sleep 600", Runner: "text", Limits: limits(60)})
			s.waitForWord(st.Unit)
			s.m.Abandon()
			for _, c := range s.driver.All() {
				must(t, s.driver.Remove(t.Context(), c.ID))
			}
			must(t, os.RemoveAll(s.home.Unit(st.Unit)))
			kernel := &downRuntime{}
			kernel.down.Store(true)
			s.restart(func(o *dispatch.Options) { kernel.Runtime = o.Runtime; o.Runtime = kernel })
			s.eventually("the daemon to ask", func() bool { return kernel.refused.Load() > 0 })
			_, err := s.m.Stop(t.Context(), st.Unit, interrupt)
			must(t, err)
			if d := done(t, s.turn(st)); d.Outcome != wsv2.OutcomeInterrupted {
				t.Errorf("turn-done %+v", d)
			}
			kernel.down.Store(false)
			s.ended(st.Unit)
		})
	}
}
