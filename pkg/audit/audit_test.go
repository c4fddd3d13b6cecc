package audit_test

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/audit"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/journal"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func now() time.Time { return start }

func open(t *testing.T, dir string) (*audit.Log, *journal.Journal) {
	t.Helper()
	j, err := journal.Open(journal.Options{
		Dir: filepath.Join(dir, "audit"), Checkpoint: filepath.Join(dir, "checkpoint"), Key: make([]byte, 32), Name: "audit",
	})
	if err != nil {
		t.Fatal(err)
	}
	return audit.Open(j, now), j
}

func event() audit.Event {
	return audit.Event{
		Unit: "01JDQ8Z5T6K3M9W2R4X7Y1A0BC", Subject: "u_jane", Launcher: "user:u_jane",
		Boundary: audit.Inference, Action: "messages", Effect: audit.Deny, Reason: "model", Detail: map[string]string{"model": "x"},
	}
}

// What was recorded is there after a restart, in order.
func TestRecord(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	log, j := open(t, dir)
	for _, action := range []string{"one", "two", "three"} {
		e := event()
		e.Action = action
		if err := log.Record(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	log, j = open(t, dir)
	defer func() { _ = j.Close() }()
	entries, err := log.Read(2, 10)
	if err != nil || len(entries) != 2 {
		t.Fatalf("%+v, %v", entries, err)
	}
	e := entries[0]
	if e.Seq != 2 || !e.At.Equal(start) || e.Action != "two" || e.Subject != "u_jane" || e.Detail["model"] != "x" || e.Effect != audit.Deny {
		t.Errorf("entry %+v", e)
	}
	if entries, err := log.Read(1, 1); err != nil || len(entries) != 1 || entries[0].Action != "one" {
		t.Errorf("%+v, %v", entries, err)
	}
}

func TestRecordRefuses(t *testing.T) {
	t.Parallel()
	log, j := open(t, t.TempDir())
	defer func() { _ = j.Close() }()
	many := map[string]string{}
	for i := range audit.MaxDetails + 1 {
		many[strings.Repeat("k", i+1)] = "v"
	}
	for name, change := range map[string]func(*audit.Event){
		"no boundary":      func(e *audit.Event) { e.Boundary = "" },
		"no action":        func(e *audit.Event) { e.Action = "" },
		"a bad action":     func(e *audit.Event) { e.Action = "POST /v1/messages" },
		"no effect":        func(e *audit.Event) { e.Effect = "" },
		"another effect":   func(e *audit.Event) { e.Effect = "maybe" },
		"no reason":        func(e *audit.Event) { e.Reason = "" },
		"a bad detail":     func(e *audit.Event) { e.Detail = map[string]string{"a b": "x"} },
		"too many details": func(e *audit.Event) { e.Detail = many },
	} {
		e := event()
		change(&e)
		if err := log.Record(t.Context(), e); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if entries, err := log.Read(1, 10); err != nil || len(entries) != 0 {
		t.Errorf("recorded %+v, %v", entries, err)
	}
}

// A denial is recorded whatever the other side wrote into it; it cannot forge a
// line or fill the log.
func TestRecordCleans(t *testing.T) {
	t.Parallel()
	log, j := open(t, t.TempDir())
	defer func() { _ = j.Close() }()
	e := event()
	e.Reason = "a\nb\x1b[31m\xff"
	e.Detail = map[string]string{"model": strings.Repeat("é", 1000)}
	if err := log.Record(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	entries, err := log.Read(1, 1)
	if err != nil {
		t.Fatal(err)
	}
	got := entries[0]
	if got.Reason != "a b [31m " || len(got.Detail["model"]) > audit.MaxText || !strings.HasSuffix(got.Detail["model"], "é…") {
		t.Errorf("recorded %q, %q", got.Reason, got.Detail["model"])
	}
	if len(e.Detail["model"]) != 2000 {
		t.Error("the caller's map was changed")
	}
}

// broken is a journal that fails, or holds what is no event.
type broken struct{ err error }

func (b broken) Append(context.Context, []byte) (uint64, error) { return 0, b.err }
func (b broken) Read(uint64, int) ([]journal.Record, error) {
	return []journal.Record{{Seq: 3, Payload: []byte("{")}}, b.err
}

func TestBroken(t *testing.T) {
	t.Parallel()
	full := errors.New("disk full")
	if err := audit.Open(broken{full}, now).Record(t.Context(), event()); !errors.Is(err, full) {
		t.Errorf("%v", err)
	}
	if _, err := audit.Open(broken{full}, now).Read(1, 1); !errors.Is(err, full) {
		t.Errorf("%v", err)
	}
	if _, err := audit.Open(broken{}, now).Read(1, 1); err == nil || !strings.Contains(err.Error(), "record 3") {
		t.Errorf("%v", err)
	}
}
