package dispatch_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/contract/runtimev1"
	"github.com/vexa-ai/vexa/pkg/dispatch"
	streamjournal "github.com/vexa-ai/vexa/pkg/stream/journal"
)

// onDisk gives the stack topics that are files, and returns their segments.
func (s *stack) onDisk() (topics *streamjournal.Log, segments func() []string) {
	s.t.Helper()
	root := filepath.Join(s.home.State, "streams")
	topics, err := streamjournal.Open(streamjournal.Options{Root: root, Key: make([]byte, 32), Now: time.Now})
	must(s.t, err)
	s.streams = topics
	return topics, func() []string {
		all, err := filepath.Glob(filepath.Join(root, "topics", "*", "*.seg"))
		must(s.t, err)
		return all
	}
}

// A unit whose frames are damaged is saved and ended, and says so; the others
// go on.
func TestRestartWithDamagedFrames(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	topics, segments := s.onDisk()
	onDisk := func(o *dispatch.Options) { o.Streams = s.streams }
	s.restart(onDisk)
	hit := s.start(api.StartRequest{Text: "echo half > a.md; echo started; exec sleep 600", Runner: "text", Limits: limits(60)})
	s.waitForWord(hit.Unit)
	damaged := segments()
	gate := s.home.State + "/gate"
	spared := s.start(api.StartRequest{
		Text: "echo started; while [ ! -e " + gate + " ]; do sleep 0.02; done; echo whole > b.md", Runner: "text", Limits: limits(60),
	})
	s.waitForWord(spared.Unit)

	s.m.Abandon()
	must(t, topics.Close())
	for _, path := range damaged {
		must(t, os.Truncate(path, 100))
	}
	topics, _ = s.onDisk()
	t.Cleanup(func() { _ = topics.Close() })
	s.restart(onDisk)

	row := s.ended(hit.Unit)
	if row.StopReason != runtimev1.ReasonFailed || !strings.Contains(row.Detail, "frames cannot be read") {
		t.Errorf("row %+v", row)
	}
	if got := s.file("a.md"); got != "half\n" {
		t.Errorf("what was written is lost: %q", got)
	}
	if live := s.driver.All(); len(live) != 1 || live[0].ID == row.Container {
		t.Errorf("containers %+v", live)
	}
	if _, err := os.Stat(s.home.Unit(hit.Unit)); !os.IsNotExist(err) {
		t.Errorf("its directory is still there: %v", err)
	}
	must(t, os.WriteFile(gate, nil, 0o600))
	if d := done(t, s.turn(spared)); !d.OK {
		t.Errorf("turn-done %+v", d)
	}
	if got := s.file("b.md"); got != "whole\n" {
		t.Errorf("the other unit wrote %q", got)
	}
}
