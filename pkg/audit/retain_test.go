package audit_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/audit"
	"github.com/vexa-ai/vexa/pkg/journal"
	"github.com/vexa-ai/vexa/pkg/retention"
)

func TestTrim(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	options := journal.Options{
		Dir: filepath.Join(dir, "audit"), Checkpoint: filepath.Join(dir, "checkpoint"), Key: make([]byte, 32), Name: "audit",
		SegmentBytes: 2000,
	}
	j, err := journal.Open(options)
	if err != nil {
		t.Fatal(err)
	}
	at := start
	l := audit.Open(j, func() time.Time { return at })
	for range 100 {
		if err := l.Record(t.Context(), event()); err != nil {
			t.Fatal(err)
		}
		at = at.Add(time.Hour)
	}
	trim := func(p retention.Audit) uint64 {
		t.Helper()
		if err := audit.Trim(j, p, at); err != nil {
			t.Fatal(err)
		}
		return j.First()
	}
	if first := trim(retention.Audit{}); first != 1 {
		t.Errorf("no limit: first is %d", first)
	}
	if first := trim(retention.Audit{Age: 60*time.Hour + time.Minute}); first != 41 {
		t.Errorf("60 hours: first is %d", first)
	}
	if first := trim(retention.Audit{Bytes: 8000}); first < 50 || first > 95 {
		t.Errorf("8000 bytes: first is %d", first)
	}
	first := j.First()
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if j, err = journal.Open(options); err != nil {
		t.Fatal(err)
	}
	defer j.Close() //nolint:errcheck // the test has ended
	if err := j.Verify(t.Context()); err != nil {
		t.Errorf("the chain: %v", err)
	}
	entries, err := audit.Open(j, now).Read(first, 1000)
	if err != nil || len(entries) != 101-int(first) || entries[0].Seq != first {
		t.Errorf("%d entries from %d, %v", len(entries), first, err)
	}
	if first := trim(retention.Audit{Age: time.Nanosecond}); first != 101 {
		t.Errorf("all are old: first is %d", first)
	}
}
