package transcript_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/retention"
	"github.com/vexa-ai/vexa/pkg/stream"
	"github.com/vexa-ai/vexa/pkg/stream/streamtest"
	"github.com/vexa-ai/vexa/pkg/transcript"
)

// kept has a transcript of each of ten units, an hour apart.
func kept(t *testing.T, limits retention.Inference) (l *transcript.Log, streams *streamtest.Memory, units []string, now func(time.Time)) {
	t.Helper()
	at := start
	streams = streamtest.NewMemoryAt(func() time.Time { return at })
	l = transcript.Open(transcript.Options{Streams: streams, Setting: switched(true), Limits: limits, Now: func() time.Time { return at }})
	for i := range 10 {
		unit := fmt.Sprintf("01JDQ8Z5T6K3M9W2R4X7Y1A%03d", i)
		units = append(units, unit)
		r := begin(t, l.Writer(unit), strings.Repeat("x", 100))
		must(t, r.End(t.Context(), transcript.Ended{Outcome: "answered"}))
		_, err := streams.Append(t.Context(), "unit:"+unit+":out", []byte("a frame"))
		must(t, err)
		at = at.Add(time.Hour)
	}
	return l, streams, units, func(to time.Time) { at = to }
}

func units(t *testing.T, streams stream.Log) []string {
	t.Helper()
	topics, err := streams.Topics(t.Context())
	must(t, err)
	var out []string
	frames := 0
	for _, topic := range topics {
		if unit, ok := strings.CutSuffix(topic, ":inference"); ok {
			out = append(out, strings.TrimPrefix(unit, "unit:"))
		} else {
			frames++
		}
	}
	if frames != 10 {
		t.Errorf("%d topics of frames are left", frames)
	}
	return out
}

func alive(units ...string) func() map[string]bool {
	return func() map[string]bool {
		live := map[string]bool{}
		for _, u := range units {
			live[u] = true
		}
		return live
	}
}

func TestTrimAge(t *testing.T) {
	t.Parallel()
	l, streams, ids, now := kept(t, retention.Inference{Age: 5*time.Hour + time.Minute})
	must(t, l.Trim(t.Context(), start.Add(10*time.Hour), alive(ids[0])))
	if got, want := units(t, streams), append([]string{ids[0]}, ids[5:]...); !slices.Equal(got, want) {
		t.Errorf("left are %v, want %v", got, want)
	}
	// The request of the live one is too old all the same; its next one has the next number.
	for x, err := range l.Read(t.Context(), ids[0]) {
		t.Errorf("an old request is left: %+v, %v", x, err)
	}
	// A time of day that is years ahead of what is believed removes nothing.
	now(start.Add(10 * 366 * 24 * time.Hour))
	must(t, l.Trim(t.Context(), start.Add(10*time.Hour), alive(ids[0])))
	if got := units(t, streams); len(got) != 6 {
		t.Errorf("the clock was set: left are %v", got)
	}
}

func TestTrimBytes(t *testing.T) {
	t.Parallel()
	l, streams, ids, _ := kept(t, retention.Inference{})
	one, err := streams.Size(t.Context(), transcript.Topic(ids[0]))
	must(t, err)
	must(t, l.Trim(t.Context(), start, alive()))
	if got := units(t, streams); !slices.Equal(got, ids) {
		t.Errorf("without limits: %v", got)
	}
	l = open(streams, retention.Inference{Bytes: 3*one + 1})
	must(t, l.Trim(t.Context(), start, alive(ids[1], ids[9])))
	if got, want := units(t, streams), []string{ids[1], ids[6], ids[7], ids[8], ids[9]}; !slices.Equal(got, want) {
		t.Errorf("left are %v, want %v", got, want)
	}
}

// A request whose beginning was trimmed is not there, and what follows it is.
func TestReadBehindTrimmed(t *testing.T) {
	t.Parallel()
	const records = 3 // of one exchange
	for left := range 3 * records {
		streams := streamtest.NewMemory()
		l := open(streams, retention.Inference{})
		w := l.Writer(unit)
		for range 3 {
			must(t, begin(t, w, "body").End(t.Context(), transcript.Ended{Outcome: "answered"}))
		}
		must(t, streams.Trim(t.Context(), transcript.Topic(unit), stream.Policy{MaxEntries: max(left, 1)}))
		got := all(t, l)
		if len(got) != left/records {
			t.Errorf("of %d records: %+v", left, got)
		}
		for _, x := range got {
			if string(x.Request.Data) != "body" || x.Ended.Outcome != "answered" {
				t.Errorf("of %d records: %+v", left, x)
			}
		}
		if r := begin(t, open(streams.Reopen(), retention.Inference{}).Writer(unit), "next"); r.Number() != 4 {
			t.Errorf("the next number is %d", r.Number())
		}
	}
}
