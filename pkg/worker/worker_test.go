package worker_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vexa-ai/vexa/pkg/contract/wsv2"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/worker"
)

func TestATurn(t *testing.T) {
	t.Parallel()
	launch := launchOf(shell())
	launch.IdleSec = 0
	h, w := startWith(t, launch)
	h.turn("t1", "echo one; echo two > file; pwd; cat file")
	want := "one\n" + filepath.Join(h.dir, "work") + "\ntwo\n"
	if diff := cmp.Diff(wsv2.TurnEnd{Outcome: wsv2.OutcomeCompleted, Reply: want}, h.end("t1")); diff != "" {
		t.Errorf("turn-end (-want +got):\n%s", diff)
	}
	w.exit(worker.ExitOK)
	if got := h.deltas("t1"); got != want {
		t.Errorf("deltas %q, want %q", got, want)
	}
	if last := h.bodies("t1"); last[len(last)-1] != (wsv2.Message{Text: want}) {
		t.Errorf("the last frame is %v", last[len(last)-1])
	}
}

// Every report arrives once and in order, wherever the connection breaks.
func TestReconnect(t *testing.T) {
	t.Parallel()
	script := `echo '{"type":"text-delta","text":"a"}
{"type":"text-delta","text":"b"}
{"type":"message","text":"ab"}
{"type":"result","ok":true,"reply":"ab"}'`
	run := func(t *testing.T, breaks map[uint64]breakPoint) []wsv2.Report {
		t.Helper()
		h := newHost(t)
		maps.Copy(h.breakAt, breaks)
		launch := launchOf(events())
		launch.IdleSec = 0
		w := start(t, options(t, h, launch))
		h.turn("t1", script)
		h.end("t1")
		w.exit(worker.ExitOK)
		return h.stored
	}
	want := run(t, nil)
	if len(want) != 4 {
		t.Fatalf("%d reports, want 4", len(want))
	}
	for point, name := range map[breakPoint]string{beforeStore: "before it is stored", beforeAck: "before the ack", afterAck: "after the ack"} {
		all := map[uint64]breakPoint{}
		for at := range uint64(len(want)) {
			all[at+1] = point
			t.Run(fmt.Sprintf("report %d %s", at+1, name), func(t *testing.T) {
				t.Parallel()
				if diff := cmp.Diff(want, run(t, map[uint64]breakPoint{at + 1: point})); diff != "" {
					t.Errorf("reports (-want +got):\n%s", diff)
				}
			})
		}
		t.Run("every report "+name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(want, run(t, all)); diff != "" {
				t.Errorf("reports (-want +got):\n%s", diff)
			}
		})
	}
}

// The broker goes away in the middle of a turn and comes back: the turn goes on
// and hello names it. The host sends the turn again, which starts no second.
func TestBrokerRestart(t *testing.T) {
	t.Parallel()
	h, w := startWith(t, launchOf(shell()))
	h.turn("t1", "echo before; until [ -e go ]; do sleep 0.01; done; echo after")
	h.said("t1", "before")
	h.stop()
	h.mu.Lock()
	h.conn = nil
	h.mu.Unlock()
	h.start()
	h.turn("t1", "echo again")
	if err := os.WriteFile(filepath.Join(h.dir, "work", "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if end := h.end("t1"); end.Reply != "before\nafter\n" {
		t.Errorf("reply %q", end.Reply)
	}
	h.send(wsv2.Input{Type: wsv2.InputStop})
	w.exit(worker.ExitOK)
	if n := len(h.hellos); n != 2 || h.hellos[0].Turn != "" || h.hellos[1].Turn != "t1" {
		t.Errorf("hellos %+v", h.hellos)
	}
	if contains(h.deltas("t1"), "again") {
		t.Error("the turn ran twice")
	}
}

func TestInterrupt(t *testing.T) {
	t.Parallel()
	h, w := startWith(t, launchOf(shell()))
	h.turn("t1", "trap 'echo bye; exit 7' INT; echo ready; sleep 60 & wait")
	h.said("t1", "ready")
	h.send(wsv2.Input{Type: wsv2.InputInterrupt, Turn: "t1"})
	end := h.end("t1")
	if end.Outcome != wsv2.OutcomeInterrupted || end.ExitCode != 7 || end.Reply != "ready\nbye\n" {
		t.Errorf("turn-end %+v", end)
	}
	h.turn("t2", "echo still here")
	if end := h.end("t2"); end.Outcome != wsv2.OutcomeCompleted {
		t.Errorf("the turn after it: %+v", end)
	}
	w.end()
	w.exit(worker.ExitOK)
}

func TestAgentThatIgnoresTheInterruptIsKilled(t *testing.T) {
	t.Parallel()
	h, _ := startWith(t, launchOf(shell()))
	h.turn("t1", "trap '' INT TERM HUP; echo ready; while :; do sleep 1; done")
	h.said("t1", "ready")
	h.send(wsv2.Input{Type: wsv2.InputInterrupt})
	if end := h.end("t1"); end.Outcome != wsv2.OutcomeInterrupted || end.ExitCode != 137 {
		t.Errorf("turn-end %+v", end)
	}
}

func TestTurnsQueueAndStopEndsThemAll(t *testing.T) {
	t.Parallel()
	h, w := startWith(t, launchOf(shell()))
	h.turn("t1", "echo one; until [ -e go ]; do sleep 0.01; done")
	h.turn("t2", "echo two; exec sleep 60")
	h.turn("t3", "echo never")
	h.turn("t4", "echo never")
	h.said("t1", "one")
	h.send(wsv2.Input{Type: wsv2.InputInterrupt, Turn: "t3"})
	if end := h.end("t3"); end.Outcome != wsv2.OutcomeInterrupted {
		t.Errorf("the interrupted turn of the queue: %+v", end)
	}
	if err := os.WriteFile(filepath.Join(h.dir, "work", "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	h.said("t2", "two")
	h.send(wsv2.Input{Type: wsv2.InputStop})
	w.exit(worker.ExitOK)
	for turn, want := range map[string]wsv2.Outcome{"t1": wsv2.OutcomeCompleted, "t2": wsv2.OutcomeInterrupted, "t4": wsv2.OutcomeInterrupted} {
		if end := h.end(turn); end.Outcome != want {
			t.Errorf("%s: %+v, want %s", turn, end, want)
		}
	}
	if h.deltas("t3")+h.deltas("t4") != "" {
		t.Error("a turn that was taken back ran")
	}
}

func TestSIGTERMEndsTheTurnAndReportsIt(t *testing.T) {
	t.Parallel()
	h, w := startWith(t, launchOf(shell()))
	h.turn("t1", "echo ready; exec sleep 60")
	h.said("t1", "ready")
	w.end()
	w.exit(worker.ExitOK)
	if end := h.end("t1"); end.Outcome != wsv2.OutcomeInterrupted || end.Reply != "ready\n" {
		t.Errorf("turn-end %+v", end)
	}
}

func TestOutcomes(t *testing.T) {
	t.Parallel()
	h, _ := startWith(t, launchOf(events()))
	result := `echo '{"type":"result","ok":true,"reply":"r"}'`
	cases := []struct {
		script string
		want   wsv2.TurnEnd
	}{
		{result, wsv2.TurnEnd{Outcome: wsv2.OutcomeCompleted, Reply: "r"}},
		{"true", wsv2.TurnEnd{Outcome: wsv2.OutcomeTruncated, Error: "the agent ended without saying that it was done"}},
		{result + "; echo went wrong >&2; exit 3", wsv2.TurnEnd{Outcome: wsv2.OutcomeFailed, ExitCode: 3, Reply: "r", Error: "went wrong"}},
		{"kill -9 $$", wsv2.TurnEnd{Outcome: wsv2.OutcomeFailed, ExitCode: 137, Error: "the agent ended with code 137"}},
		{"exit 130", wsv2.TurnEnd{Outcome: wsv2.OutcomeInterrupted, ExitCode: 130, Error: "the agent ended with code 130"}},
		{`echo '{"type":"result","error":"no credit"}'`, wsv2.TurnEnd{Outcome: wsv2.OutcomeFailed, Error: "no credit"}},
		{"echo panic: boom; echo '{\"type\":\"x\"}'", wsv2.TurnEnd{Outcome: wsv2.OutcomeTruncated, Error: "panic: boom", Unknown: 2}},
		{`echo '{"type":"init","session":"own"}';` + result, wsv2.TurnEnd{Outcome: wsv2.OutcomeCompleted, Reply: "r", SessionRef: "own"}},
	}
	for i, c := range cases {
		turn := fmt.Sprintf("t%d", i)
		h.turn(turn, c.script)
		if diff := cmp.Diff(c.want, h.end(turn)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.script, diff)
		}
	}
}

func TestProgramThatIsNotThere(t *testing.T) {
	t.Parallel()
	m := shell()
	m.Argv.New = []string{"no-such-program"}
	h, _ := startWith(t, launchOf(m))
	h.turn("t1", "x")
	if end := h.end("t1"); end.Outcome != wsv2.OutcomeFailed || !contains(end.Error, `no program "no-such-program"`) {
		t.Errorf("turn-end %+v", end)
	}
}

func TestHugeLineAndHugeOutput(t *testing.T) {
	t.Parallel()
	m := events()
	m.Stream.MaxLine = 1 << 20
	h, _ := startWith(t, launchOf(m))
	h.turn("t1", `printf '{"type":"text-delta","text":"'; head -c 900000 /dev/zero | tr '\0' x; echo '"}'
head -c 3000000 /dev/zero | tr '\0' y; echo
echo '{"type":"result","ok":true,"reply":"r"}'`)
	end := h.end("t1")
	if end.Outcome != wsv2.OutcomeCompleted || end.Unknown != 1 || len(h.deltas("t1")) != 900000 {
		t.Errorf("turn-end %+v with %d bytes of deltas", end, len(h.deltas("t1")))
	}
	if !slices.ContainsFunc(h.bodies("t1"), func(b wsv2.Body) bool {
		e, ok := b.(wsv2.Error)
		return ok && contains(e.Message, "3000000 bytes")
	}) {
		t.Error("nobody was told of the dropped line")
	}
}

func TestBackgroundProcessesEndWithTheTurn(t *testing.T) {
	t.Parallel()
	h, _ := startWith(t, launchOf(shell()))
	h.turn("t1", "sleep 300 & echo $!")
	var pid int
	if _, err := fmt.Sscan(h.end("t1").Reply, &pid); err != nil {
		t.Fatal(err)
	}
	if state := processState(pid); state != "" && state != "Z" {
		t.Errorf("the background process is there after turn-end: %s", state)
	}
}

func processState(pid int) string {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ""
	}
	_, rest, _ := strings.Cut(string(data), ") ")
	return rest[:1]
}

func TestIdleExit(t *testing.T) {
	t.Parallel()
	launch := launchOf(shell())
	launch.IdleSec = 3
	h, w := startWith(t, launch)
	h.turn("t1", "true")
	h.end("t1")
	began := time.Now()
	h.turn("t2", "sleep 1")
	h.end("t2")
	w.exit(worker.ExitOK)
	if waited := time.Since(began); waited < 4*time.Second {
		t.Errorf("it waited %s only", waited)
	}
	h.await("idle report", func() bool { return h.idle == 1 })
}

func TestWallClockLimit(t *testing.T) {
	t.Parallel()
	launch := launchOf(shell())
	launch.MaxSec = 3
	h, w := startWith(t, launch)
	h.turn("t1", "echo ready; exec sleep 60")
	if end := h.end("t1"); end.Outcome != wsv2.OutcomeLimit || !contains(end.Error, "time") {
		t.Errorf("turn-end %+v", end)
	}
	w.exit(worker.ExitOK)
}

func TestNoBroker(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	o := options(t, h, launchOf(shell()))
	h.stop()
	o.GiveUp = 50 * time.Millisecond
	w := start(t, o)
	w.exit(worker.ExitNoBroker)
	if !fault.Is(w.err, fault.Unreachable) {
		t.Errorf("error %v", w.err)
	}
}

// A turn that runs when the broker goes away is not ended for that.
func TestBrokerGoneDuringATurn(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	o := options(t, h, launchOf(shell()))
	o.GiveUp = 500 * time.Millisecond
	w := start(t, o)
	h.turn("t1", "echo ready; until [ -e go ]; do sleep 0.01; done; touch done")
	h.said("t1", "ready")
	h.stop()
	select {
	case <-w.done:
		t.Fatal("it ended while the turn was running")
	case <-time.After(1500 * time.Millisecond): // several times GiveUp
	}
	if err := os.WriteFile(filepath.Join(h.dir, "work", "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	w.exit(worker.ExitNoBroker)
	if _, err := os.Stat(filepath.Join(h.dir, "work", "done")); err != nil {
		t.Error("the turn did not run to its end")
	}
}

func TestRefusedToken(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	o := options(t, h, launchOf(shell()))
	if err := os.WriteFile(filepath.Join(h.dir, "token"), []byte("another"), 0o600); err != nil {
		t.Fatal(err)
	}
	start(t, o).exit(worker.ExitDenied)
}

func TestBrokenLaunch(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	cases := map[string]func(o worker.Options){
		"missing":    func(o worker.Options) { _ = os.Remove(o.LaunchFile) },
		"not JSON":   func(o worker.Options) { _ = os.WriteFile(o.LaunchFile, []byte("{"), 0o600) },
		"contract":   func(o worker.Options) { _ = os.WriteFile(o.LaunchFile, []byte("{}"), 0o600) },
		"no token":   func(worker.Options) { _ = os.Remove(filepath.Join(h.dir, "token")) },
		"bare token": func(worker.Options) { _ = os.WriteFile(filepath.Join(h.dir, "token"), []byte("\n"), 0o600) },
	}
	for name, change := range cases {
		o := options(t, h, launchOf(shell()))
		change(o)
		if code, err := worker.Run(t.Context(), o); code != worker.ExitLaunch || !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: code %d, %v", name, code, err)
		}
	}
	bad := launchOf(shell())
	bad.Manifest.Stream.Dialect = "morse"
	if code, err := worker.Run(t.Context(), options(t, h, bad)); code != worker.ExitLaunch || err == nil {
		t.Errorf("unknown dialect: code %d, %v", code, err)
	}
}

// Files are as the manifest says before each turn, whatever an agent made of them.
func TestFilesAreWrittenBeforeEachTurn(t *testing.T) {
	t.Parallel()
	m := shell()
	m.Files = map[string]string{"{{home}}/.agent/settings": "dir={{workdir}}\n", "{{state}}/models": "none\n"}
	h, w := startWith(t, launchOf(m))
	want := "dir=" + filepath.Join(h.dir, "work") + "\nnone\n"
	read := "cat " + filepath.Join(h.dir, ".agent", "settings") + " " + filepath.Join(h.dir, "state", "models")
	for turn, spoil := range map[string]string{"t1": "", "t2": "; ln -sf ../token " + filepath.Join(h.dir, ".agent", "settings"), "t3": "; rm -r " + filepath.Join(h.dir, "state")} {
		h.turn(turn, read+spoil)
		if end := h.end(turn); end.Outcome != wsv2.OutcomeCompleted || end.Reply != want {
			t.Errorf("%s: %+v, want %q", turn, end, want)
		}
	}
	h.turn("t4", read)
	if end := h.end("t4"); end.Reply != want {
		t.Errorf("%+v, want %q", end, want)
	}
	if data, err := os.ReadFile(filepath.Join(h.dir, "token")); err != nil || string(data) != token+"\n" {
		t.Errorf("what a link led to was written: %q, %v", data, err)
	}
	w.end()
	w.exit(worker.ExitOK)
}
