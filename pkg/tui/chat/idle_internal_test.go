package chat

import (
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/vexa-ai/vexa/pkg/api"
)

// resets notes what a ticker was set to, and when.
type resets struct {
	began time.Time
	at    []string
}

func (r *resets) Reset(every time.Duration) {
	r.at = append(r.at, time.Since(r.began).String()+": "+every.String())
}

// The screen is looked after less often once nothing has happened for a while, and at once
// as often as ever when something does.
func TestTheScreenRests(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := &resets{began: time.Now()}
		p := &pulse{of: r}
		p.beat()
		time.Sleep(200 * time.Millisecond)
		p.beat()
		time.Sleep(10 * time.Second)
		p.beat()
		p.beat()
		time.Sleep(10 * time.Second)
		synctest.Wait()
		want := []string{"450ms: 1s", "10.2s: 2ms", "10.23s: 8.333333ms", "10.48s: 1s"}
		if diff := cmp.Diff(want, r.at); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// Bubble Tea has the ticker that is slowed down: a version that has it no more ticks all day.
func TestBubbleTeaHasATicker(t *testing.T) {
	t.Parallel()
	if f, ok := reflect.TypeFor[tea.Program]().FieldByName("ticker"); !ok || f.Type != reflect.TypeFor[*time.Ticker]() {
		t.Errorf("%+v", f)
	}
	if tickerOf(tea.NewProgram(nil)) != nil {
		t.Error("one that does not run has a ticker")
	}
}

// What is asked each second, and brings nothing new, does not keep the screen awake.
func TestAskingIsNothingNew(t *testing.T) {
	t.Parallel()
	m, n := New(t.Context(), Options{Theme: None}), 0
	m.happens = func() { n++ }
	locked := statusMsg{status: api.Status{Locked: true}}
	for i, step := range []struct {
		msg  tea.Msg
		want int
	}{{locked, 1}, {checkMsg{}, 1}, {locked, 1}, {tea.KeyPressMsg{Code: 'x', Text: "x"}, 2}, {statusMsg{}, 3}} {
		m.Update(step.msg)
		if n != step.want {
			t.Fatalf("%d: %d", i, n)
		}
	}
}
