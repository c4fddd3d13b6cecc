package transcript_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/journal"
	"github.com/vexa-ai/vexa/pkg/retention"
	"github.com/vexa-ai/vexa/pkg/stream"
	streamjournal "github.com/vexa-ai/vexa/pkg/stream/journal"
	"github.com/vexa-ai/vexa/pkg/stream/streamtest"
	"github.com/vexa-ai/vexa/pkg/transcript"
)

const (
	unit   = "01JDQ8Z5T6K3M9W2R4X7Y1A0BC"
	secret = "canary/0123456789<abcdef>"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// switched is a setting.
type switched bool

func (s switched) On() (bool, error) { return bool(s), nil }

func open(log stream.Sized, limits retention.Inference) *transcript.Log {
	return transcript.Open(transcript.Options{Streams: log, Setting: switched(true), Limits: limits, Now: func() time.Time { return start }})
}

func sent(body string) transcript.Sent {
	return transcript.Sent{
		Turn: "t1", Provider: "claude", Model: "m1", Protocol: "anthropic-messages", Client: "openai-chat", URL: "https://api.example/v1/messages",
		Body: []byte(body), Secret: []byte(secret),
	}
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// all reads a unit's transcript.
func all(tb testing.TB, l *transcript.Log) []transcript.Exchange {
	tb.Helper()
	var out []transcript.Exchange
	for x, err := range l.Read(tb.Context(), unit) {
		must(tb, err)
		out = append(out, x)
	}
	return out
}

func begin(tb testing.TB, w *transcript.Writer, body string) *transcript.Recording {
	tb.Helper()
	r, err := w.Begin(tb.Context(), sent(body))
	must(tb, err)
	if r == nil {
		tb.Fatal("it is not recorded")
	}
	return r
}

// What was recorded is read as it was, two requests at once included, and goes on
// with the next number after a restart.
func TestRoundTrip(t *testing.T) {
	t.Parallel()
	streams := streamtest.NewMemory()
	w := open(streams, retention.Inference{}).Writer(unit)
	one, two := begin(t, w, "first request"), begin(t, w, "second request")
	two.Answer(t.Context(), []byte("second "))
	one.Answer(t.Context(), []byte("an attempt that broke"))
	must(t, one.Again(t.Context(), transcript.Attempt{Status: 503, Error: "overloaded"}))
	one.Answer(t.Context(), []byte("first answer"))
	two.Answer(t.Context(), []byte("answer"))
	must(t, two.End(t.Context(), transcript.Ended{Outcome: "answered", Status: 200, InputTokens: 5, OutputTokens: 7, Estimated: true}))
	must(t, one.End(t.Context(), transcript.Ended{Outcome: "failed", Status: 200, Error: "broke off"}))
	if one.Number() != 1 || two.Number() != 2 {
		t.Errorf("numbers %d, %d", one.Number(), two.Number())
	}
	later := open(streams.Reopen(), retention.Inference{})
	three := begin(t, later.Writer(unit), "third request")
	if three.Number() != 3 {
		t.Errorf("after a restart: number %d", three.Number())
	}
	base := transcript.Exchange{
		Turn: "t1", Provider: "claude", Model: "m1", Protocol: "anthropic-messages", Client: "openai-chat", URL: "https://api.example/v1/messages",
		Attempts: []transcript.Attempt{{At: start}},
	}
	want := []transcript.Exchange{base, base, base}
	body := func(s string) transcript.Body { return transcript.Body{Data: []byte(s), Bytes: int64(len(s))} }
	want[0].Number, want[0].Request, want[0].Answer = 1, body("first request"), body("first answer")
	want[0].Attempts = []transcript.Attempt{{At: start, Status: 503, Error: "overloaded"}, {At: start, Status: 200, Error: "broke off"}}
	want[0].EndedAt, want[0].Ended = start, transcript.Ended{Outcome: "failed", Status: 200, Error: "broke off"}
	want[1].Number, want[1].Request, want[1].Answer = 2, body("second request"), body("second answer")
	want[1].Attempts = []transcript.Attempt{{At: start, Status: 200}}
	want[1].EndedAt, want[1].Ended = start, transcript.Ended{Outcome: "answered", Status: 200, InputTokens: 5, OutputTokens: 7, Estimated: true}
	want[2].Number, want[2].Request = 3, body("third request")
	if diff := cmp.Diff(want, all(t, later)); diff != "" {
		t.Error(diff)
	}
	for x, err := range later.Read(t.Context(), "01JDQ8Z5T6K3M9W2R4X7Y1A0BD") {
		t.Errorf("another unit has %+v, %v", x, err)
	}
}

// Bodies of any size come back as they were, whatever they are made of and
// however an answer comes in.
func TestLargeBodies(t *testing.T) {
	t.Parallel()
	l := open(streamtest.NewMemory(), retention.Inference{})
	w := l.Writer(unit)
	random := make([]byte, 40<<20)
	for i := range random {
		random[i] = byte(rand.Uint32())
	}
	r := begin(t, w, string(random))
	answer := random[:3<<20]
	for rest := answer; len(rest) > 0; {
		n := min(len(rest), 1+rand.IntN(200<<10))
		r.Answer(t.Context(), rest[:n])
		rest = rest[n:]
	}
	must(t, r.End(t.Context(), transcript.Ended{Outcome: "answered"}))
	x := all(t, l)[0]
	if !bytes.Equal(x.Request.Data, random) || !bytes.Equal(x.Answer.Data, answer) || x.Answer.Cut || x.Answer.Bytes != int64(len(answer)) {
		t.Errorf("%d and %d bytes came back", len(x.Request.Data), len(x.Answer.Data))
	}
}

// The provider's key is in no record, however it is written and wherever an
// answer is cut, and it is said that it was there.
func TestKeyIsNeverRecorded(t *testing.T) {
	t.Parallel()
	streams := streamtest.NewMemory()
	l := open(streams, retention.Inference{})
	w := l.Writer(unit)
	forms := []string{secret, `canary\/0123456789<abcdef>`, `canary/0123456789\u003cabcdef\u003e`, `canary\/0123456789\u003cabcdef\u003e`}
	body := `{"a":"` + strings.Join(forms, `","`) + `"}`
	clean := `{"a":"[key]","[key]","[key]","[key]"}`
	for size := 1; size <= len(body); size += 3 {
		r := begin(t, w, body)
		for rest := strings.Repeat(body, 3); rest != ""; {
			n := min(size, len(rest))
			r.Answer(t.Context(), []byte(rest[:n]))
			rest = rest[n:]
		}
		must(t, r.Again(t.Context(), transcript.Attempt{Error: "said " + secret}))
		for rest := strings.Repeat(body, 3); rest != ""; {
			n := min(size, len(rest))
			r.Answer(t.Context(), []byte(rest[:n]))
			rest = rest[n:]
		}
		must(t, r.End(t.Context(), transcript.Ended{Outcome: "failed", Error: "said " + secret}))
	}
	// One of which a piece has come when a record is written.
	r := begin(t, w, "plain")
	for cut := range len(secret) {
		r.Answer(t.Context(), append(bytes.Repeat([]byte("x"), 200<<10), secret[:cut]...))
		r.Answer(t.Context(), []byte(secret[cut:]))
	}
	must(t, r.End(t.Context(), transcript.Ended{}))
	got := all(t, l)
	for _, x := range got {
		if text := fmt.Sprintf("%s %s %+v %+v", x.Request.Data, x.Answer.Data, x.Attempts, x.Ended); strings.Contains(text, "canary") || strings.Contains(text, "0123456789") {
			t.Fatalf("number %d holds the key: %.300s", x.Number, text)
		}
		if !x.Answer.Redacted {
			t.Errorf("number %d does not say so of its answer", x.Number)
		}
	}
	if x := got[0]; string(x.Request.Data) != clean || string(x.Answer.Data) != clean+clean+clean || !x.Request.Redacted || x.Request.Bytes != int64(len(body)) {
		t.Errorf("%+v %s %s", x, x.Request.Data, x.Answer.Data)
	}
	if x := got[len(got)-1]; x.Request.Redacted {
		t.Errorf("%+v", x.Request)
	}
}

// An answer is cut at its bound and at that of its dispatch, and that is said;
// a request is whole, or nobody may send it.
func TestBounds(t *testing.T) {
	t.Parallel()
	l := open(streamtest.NewMemory(), retention.Inference{Answer: 1000})
	r := begin(t, l.Writer(unit), strings.Repeat("body ", 1000))
	for range 20 {
		r.Answer(t.Context(), bytes.Repeat([]byte("a"), 100))
	}
	must(t, r.End(t.Context(), transcript.Ended{Outcome: "answered"}))
	if x := all(t, l)[0]; len(x.Answer.Data) != 1000 || !x.Answer.Cut || x.Answer.Bytes != 2000 || len(x.Request.Data) != 5000 {
		t.Errorf("%d of %d bytes, cut %t; the request has %d", len(x.Answer.Data), x.Answer.Bytes, x.Answer.Cut, len(x.Request.Data))
	}

	random := make([]byte, 300)
	for i := range random {
		random[i] = byte(rand.Uint32())
	}
	l = open(streamtest.NewMemory(), retention.Inference{Dispatch: 1500})
	r = begin(t, l.Writer(unit), "small")
	for range 1000 { // more than one record
		r.Answer(t.Context(), random)
	}
	must(t, r.End(t.Context(), transcript.Ended{Outcome: "answered"}))
	if x := all(t, l)[0]; !x.Answer.Cut || x.Answer.Bytes != 300_000 || x.Ended.Outcome != "answered" {
		t.Errorf("of a dispatch that is full: %d of %d bytes, %t", len(x.Answer.Data), x.Answer.Bytes, x.Answer.Cut)
	}
	streams := streamtest.NewMemory()
	l = open(streams, retention.Inference{Dispatch: 4000})
	w := l.Writer(unit)
	var err error
	n := 0
	for ; n < 100 && err == nil; n++ {
		_, err = w.Begin(t.Context(), sent(string(random)))
	}
	if !errors.Is(err, transcript.ErrFull) || n < 3 {
		t.Errorf("request %d: %v", n, err)
	}
	kept := len(all(t, l))
	if _, err := open(streams.Reopen(), retention.Inference{Dispatch: 4000}).Writer(unit).Begin(t.Context(), sent(string(random))); !errors.Is(err, transcript.ErrFull) {
		t.Errorf("after a restart: %v", err)
	}
	if again := len(all(t, l)); again != kept || kept != n-1 || kept == 0 || kept*len(random) > 4000 {
		t.Errorf("%d requests, %d before, of %d that might be sent", again, kept, n-1)
	}
}

// Off means that nothing is written, whatever is called.
func TestOff(t *testing.T) {
	t.Parallel()
	streams := streamtest.NewMemory()
	l := transcript.Open(transcript.Options{Streams: streams, Setting: transcript.ConfigFile{Dir: t.TempDir()}, Now: time.Now})
	for _, w := range []*transcript.Writer{l.Writer(unit), nil} {
		r, err := w.Begin(t.Context(), sent("body"))
		if r != nil || err != nil {
			t.Fatalf("%v, %v", r, err)
		}
		r.Answer(t.Context(), []byte("x"))
		must(t, r.Again(t.Context(), transcript.Attempt{}))
		must(t, r.End(t.Context(), transcript.Ended{}))
		if r.Number() != 0 {
			t.Error("it has a number")
		}
	}
	if topics, err := streams.Topics(t.Context()); err != nil || len(topics) != 0 {
		t.Errorf("%v, %v", topics, err)
	}
}

// The setting counts from the next request on; a file that says neither is
// neither, and lets nothing out.
func TestSetting(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	c := transcript.ConfigFile{Dir: dir}
	w := transcript.Open(transcript.Options{Streams: streamtest.NewMemory(), Setting: c, Now: time.Now}).Writer(unit)
	for _, on := range []bool{true, false, true} {
		must(t, c.Set(on))
		r, err := w.Begin(t.Context(), sent("body"))
		if got, gerr := c.On(); got != on || gerr != nil || err != nil || (r != nil) != on {
			t.Errorf("%t: %t, %v; %v, %v", on, got, gerr, r, err)
		}
	}
	file := filepath.Join(dir, transcript.File)
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	for _, text := range []string{"", "{}", `{"version":2,"inference":true}`, `{"version":1,"inference":"no"}`, `{"version":1,"inferense":false}`} {
		must(t, os.WriteFile(file, []byte(text), 0o600))
		if on, err := c.On(); on || !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), file) {
			t.Errorf("%q: %t, %v", text, on, err)
		}
		if r, err := w.Begin(t.Context(), sent("body")); r != nil || !errors.Is(err, transcript.ErrSetting) {
			t.Errorf("%q: %v, %v", text, r, err)
		}
	}
}

// breaking fails from an append or a sync on.
type breaking struct {
	stream.Sized
	mu     sync.Mutex
	writes int // that still work
	syncs  int
}

func (b *breaking) Append(ctx context.Context, topic string, payload []byte) (stream.Cursor, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.writes--; b.writes < 0 {
		return "", fmt.Errorf("write: %w", syscall.ENOSPC)
	}
	return b.Sized.Append(ctx, topic, payload)
}

func (b *breaking) Sync(ctx context.Context, topic string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.syncs--; b.syncs < 0 {
		return fmt.Errorf("sync: %w", syscall.EIO)
	}
	return b.Sized.Sync(ctx, topic)
}

// What goes out is recorded durably or refused; of what comes back a failure is
// said.
func TestFailures(t *testing.T) {
	t.Parallel()
	for _, b := range []*breaking{{writes: 0, syncs: 9}, {writes: 1, syncs: 9}, {writes: 9, syncs: 0}} {
		b.Sized = streamtest.NewMemory()
		if r, err := open(b, retention.Inference{}).Writer(unit).Begin(t.Context(), sent("body")); r != nil || err == nil {
			t.Errorf("%d, %d: %v, %v", b.writes, b.syncs, r, err)
		}
	}
	for _, b := range []*breaking{{writes: 2, syncs: 9}, {writes: 9, syncs: 1}} {
		b.Sized = streamtest.NewMemory()
		r := begin(t, open(b, retention.Inference{}).Writer(unit), "body")
		if err := r.Again(t.Context(), transcript.Attempt{}); err == nil {
			t.Error("it may be sent again")
		}
	}
	b := &breaking{Sized: streamtest.NewMemory(), writes: 2, syncs: 9}
	l := open(b, retention.Inference{})
	r := begin(t, l.Writer(unit), "body")
	r.Answer(t.Context(), []byte("answer"))
	if err := r.End(t.Context(), transcript.Ended{Outcome: "answered"}); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("%v", err)
	}
	if x := all(t, l); len(x) != 1 || !x[0].EndedAt.IsZero() || string(x[0].Request.Data) != "body" {
		t.Errorf("%+v", x)
	}
	// An answer of which a piece is lost is one that is cut.
	b = &breaking{Sized: streamtest.NewMemory(), writes: 3, syncs: 9}
	l = open(b, retention.Inference{})
	r = begin(t, l.Writer(unit), "body")
	for range 3 {
		r.Answer(t.Context(), bytes.Repeat([]byte("x"), 200<<10))
	}
	b.writes = 1
	if err := r.End(t.Context(), transcript.Ended{Outcome: "answered"}); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("%v", err)
	}
	if x := all(t, l)[0]; !x.Answer.Cut || x.Answer.Bytes != 600<<10 || len(x.Answer.Data) != 128<<10 || x.EndedAt.IsZero() {
		t.Errorf("%d bytes of %d, %t", len(x.Answer.Data), x.Answer.Bytes, x.Answer.Cut)
	}
}

// Nothing of a request or an answer, and nothing about them, is readable at rest,
// at any instant of its recording.
func TestAtRest(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	streams, err := streamjournal.Open(streamjournal.Options{Root: dir, Key: bytes.Repeat([]byte{7}, journal.KeySize), Now: time.Now})
	must(t, err)
	defer streams.Close() //nolint:errcheck // the test has ended
	w := open(streams, retention.Inference{}).Writer(unit)
	s := sent("CANARYprompt " + strings.Repeat("words ", 100))
	s.Model, s.Provider, s.URL = "CANARYmodel", "CANARYprovider", "https://CANARYhost/v1"
	r, err := w.Begin(t.Context(), s)
	must(t, err)
	look(t, dir)
	for range 5 {
		r.Answer(t.Context(), bytes.Repeat([]byte("CANARYanswer "), 20_000))
		look(t, dir)
	}
	must(t, r.End(t.Context(), transcript.Ended{Outcome: "failed", Error: "CANARYerror"}))
	if size := look(t, dir); size == 0 {
		t.Error("nothing rests")
	}
}

// look searches everything below dir, and returns how many bytes there are.
func look(t *testing.T, dir string) (size int) {
	t.Helper()
	must(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		size += len(data)
		if bytes.Contains(data, []byte("CANARY")) || strings.Contains(path, unit) || bytes.Contains(data, []byte(unit)) {
			t.Errorf("%s shows something", path)
		}
		return err
	}))
	return size
}

// What could not be written takes no room: once the disk has some again, requests are
// recorded as before.
func TestAFullDiskFillsNothing(t *testing.T) {
	t.Parallel()
	memory := streamtest.NewMemory()
	full := &fullDisk{Sized: memory}
	l := open(full, retention.Inference{Dispatch: 50_000})
	w := l.Writer(unit)
	random := make([]byte, 10_000)
	for i := range random {
		random[i] = byte(rand.Uint32())
	}
	must(t, begin(t, w, "before").End(t.Context(), transcript.Ended{Outcome: "answered"}))
	full.err = syscall.ENOSPC
	for range 20 {
		if _, err := w.Begin(t.Context(), sent(string(random))); !errors.Is(err, syscall.ENOSPC) {
			t.Fatal(err)
		}
	}
	full.err = nil
	must(t, begin(t, w, string(random)).End(t.Context(), transcript.Ended{Outcome: "answered"}))
	got := all(t, l)
	if len(got) != 2 || string(got[1].Request.Data) != string(random) || got[1].Number <= got[0].Number {
		t.Errorf("%d requests are recorded", len(got))
	}
}

// fullDisk takes nothing while it has an error.
type fullDisk struct {
	stream.Sized
	err error
}

func (d *fullDisk) Append(ctx context.Context, topic string, payload []byte) (stream.Cursor, error) {
	if d.err != nil {
		return "", d.err
	}
	return d.Sized.Append(ctx, topic, payload)
}
