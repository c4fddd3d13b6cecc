package dispatch_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/contract"
	"github.com/vexa-ai/vexa/pkg/contract/runtimev1"
	"github.com/vexa-ai/vexa/pkg/contract/wsv2"
	"github.com/vexa-ai/vexa/pkg/dispatch"
	"github.com/vexa-ai/vexa/pkg/fault"
)

// wideRuntime names containers as no frame may.
type wideRuntime struct{ dispatch.Runtime }

func (w wideRuntime) Create(ctx context.Context, spec runtimev1.Spec, token string) (runtimev1.Status, error) {
	st, err := w.Runtime.Create(ctx, spec, token)
	st.Container = strings.Repeat("c", 200)
	return st, err
}

// A frame of the host's own that breaks its contract does not reach the topic:
// there it says so instead, and the turn goes on to its end.
func TestHostFramesThatDrift(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	s.restart(func(o *dispatch.Options) { o.Runtime = wideRuntime{o.Runtime} })
	st := s.start(api.StartRequest{Text: "echo hello", Runner: "text", Limits: limits(0)})
	frames := s.turn(st)
	if d := done(t, frames); !d.OK {
		t.Errorf("turn-done %+v", d)
	}
	s.ended(st.Unit)
	entries, err := s.streams.Read(t.Context(), dispatch.OutTopic(st.Unit), "", 1000)
	must(t, err)
	for _, e := range entries {
		if err := contract.Validate("ws.v2#Frame", e.Payload); err != nil {
			t.Errorf("on the topic: %s: %v", e.Payload, err)
		}
	}
	said := body[wsv2.Error](frames)
	if len(said) == 0 || said[0].Code != string(fault.Internal) || !strings.Contains(said[0].Message, "/container") {
		t.Errorf("said %+v, want that a frame is left out and why", said)
	}
}

// Who waits for the end of a turn hears of it, whatever else is wrong with it.
func TestWhatIsSaidInsteadOfAFrame(t *testing.T) {
	t.Parallel()
	for _, b := range []wsv2.Body{wsv2.TurnDone{Session: "s", Outcome: "splendid", OK: true}, wsv2.State{State: "party"}} {
		said := dispatch.InsteadOf(b, fault.New(fault.Invalid, "why", ""))
		frame, err := json.Marshal(wsv2.Frame{Seq: 1, Unit: "01JZZZZZZZZZZZZZZZZZZZZZZY", Source: wsv2.Host, Body: said})
		must(t, err)
		if err := contract.Validate("ws.v2#Frame", frame); err != nil {
			t.Errorf("instead of %T: %v", b, err)
		}
		_, was := b.(wsv2.TurnDone)
		if d, is := said.(wsv2.TurnDone); is != was || d.OK {
			t.Errorf("instead of %T: %+v", b, said)
		}
	}
}

// A topic with a frame that breaks the contract is not continued, and its unit
// is saved and ended.
func TestTopicThatDrifted(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	st := s.start(api.StartRequest{Text: "echo half > a.md; echo started; exec sleep 600", Runner: "text", Limits: limits(60)})
	s.waitForWord(st.Unit)
	s.m.Abandon()
	_, err := s.streams.Append(t.Context(), dispatch.OutTopic(st.Unit), []byte(
		`{"seq":900,"ts":"2026-01-01T00:00:00Z","unit":"`+st.Unit+`","source":"host","type":"state","state":"party"}`))
	must(t, err)
	s.restart(nil)
	s.wantSavedAndEnded(st.Unit, "frames cannot be read")
}

// A unit that was recorded by a daemon with other ideas of a unit gets no
// container and keeps none; what it wrote is saved.
func TestRecordThatDrifted(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	st := s.start(api.StartRequest{Text: "echo half > a.md; echo started; exec sleep 600", Runner: "text", Limits: limits(60)})
	s.waitForWord(st.Unit)
	s.m.Abandon()
	records, err := s.records.Read(1, 100)
	must(t, err)
	for _, r := range records {
		drifted := bytes.Replace(r.Payload, []byte(`"trigger":"message"`), []byte(`"trigger":"whim"`), 1)
		if _, err := s.records.Append(t.Context(), drifted); err != nil {
			t.Fatal(err)
		}
	}
	s.restart(nil)
	s.wantSavedAndEnded(st.Unit, "record cannot be used: unit.v1")
}

func (s *stack) wantSavedAndEnded(unit, why string) {
	s.t.Helper()
	row := s.ended(unit)
	if row.StopReason != runtimev1.ReasonFailed || !strings.Contains(row.Detail, why) {
		s.t.Errorf("row %+v, want that %s", row, why)
	}
	if got := s.file("a.md"); got != "half\n" {
		s.t.Errorf("what was written is lost: %q", got)
	}
	if live := s.driver.All(); len(live) != 0 {
		s.t.Errorf("containers %+v", live)
	}
	if _, err := os.Stat(s.home.Unit(unit)); !os.IsNotExist(err) {
		s.t.Errorf("its directory is still there: %v", err)
	}
}
