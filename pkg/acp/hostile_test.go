package acp_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/acp"
)

const canary = "c4n4ry"

// hostile are agents that mean harm.
func hostile() map[string]script {
	return map[string]script{
		"floods": func(a *agent) {
			p := a.prompted()
			for range 20_000 {
				a.says("x")
			}
			a.reply(p, `{"stopReason":"end_turn"}`)
		},
		"tells a long past": func(a *agent) {
			a.greet(able)
			m := a.expect("session/load")
			for range 20_000 {
				a.says(canary)
			}
			a.reply(m, "{}")
			p := a.expect("session/prompt")
			a.says("now")
			a.reply(p, `{"stopReason":"end_turn"}`)
		},
		"prints garbage": func(a *agent) {
			a.print("starting up…")
			p := a.prompted()
			for _, line := range []string{
				"not JSON", "[]", "7", `"x"`, "null", "{", "{}", "\xff\xfe\x00", `{"jsonrpc":"2.0"}`, `{"method":7}`,
				strings.Repeat("[", 200_000), `{"params":` + strings.Repeat(`{"a":`, 200_000) + "1" + strings.Repeat("}", 200_000) + "}",
				`{"method":"session/update"}`, `{"method":"session/update","params":7}`, `{"method":"session/update","params":{"sessionId":7}}`,
				`{"method":"session/update","params":{"sessionId":"s-1","update":7}}`, `{"method":"session/update","params":{"sessionId":"s-1","update":{"sessionUpdate":[]}}}`,
				`{"id":99,"result":{"stopReason":"end_turn"}}`, `{"id":"x","result":{}}`, `{"id":-1,"result":{}}`, `{"id":1e99,"result":{}}`, `{"id":[1],"error":7}`,
				`{"id":3,"method":"session/update","params":{"sessionId":"s-1","update":{}}}`,
			} {
				a.print("%s", line)
			}
			a.says("done")
			a.reply(p, `{"stopReason":"end_turn"}`)
		},
		"has strange ids": func(a *agent) {
			p := a.prompted()
			for _, id := range []string{`{"a":1}`, `[1]`, `true`, `"` + strings.Repeat("x", 1000) + `"`, `-0.5e7`, `"\u0000"`, `""`} {
				a.print(`{"id":%s,"method":"anything"}`, id)
				m := a.next()
				a.says(string(m.ID) + " ")
			}
			a.print(`{"id":null,"method":"anything"}`)
			a.reply(p, `{"stopReason":"end_turn"}`)
		},
		"answers twice": func(a *agent) {
			p := a.prompted()
			for range 3 {
				a.reply(p, `{"stopReason":"end_turn"}`)
			}
			a.says("said")
		},
		"asks and does not read": func(a *agent) {
			a.prompted()
			for i := 0; ; i++ {
				a.print(`{"id":%d,"method":"session/request_permission","params":{"options":[{"optionId":"%s","kind":"allow_once"}]}}`, i, strings.Repeat("x", 4000))
			}
		},
		"has a long update": func(a *agent) {
			p := a.prompted()
			a.says(strings.Repeat(canary, 20_000))
			a.says("done")
			a.reply(p, `{"stopReason":"end_turn"}`)
		},
		"has a long answer": func(a *agent) {
			a.reply(a.prompted(), `{"stopReason":"end_turn","x":"`+strings.Repeat(canary, 20_000)+`"}`)
			a.next()
		},
		"never ends its line": func(a *agent) {
			a.prompted()
			a.says("I begin.")
			for {
				fmt.Fprint(a.out, strings.Repeat("x", 1<<16))
			}
		},
		"closes its output": func(a *agent) {
			a.prompted()
			os.Stdout.Close()
			time.Sleep(time.Hour)
		},
		"leaves somebody behind": func(a *agent) {
			p := a.prompted()
			for _, setsid := range []bool{false, true} {
				cmd := exec.Command("sleep", "600")
				cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
				cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: setsid}
				if err := cmd.Start(); err != nil {
					os.Exit(8)
				}
				a.says(fmt.Sprint(cmd.Process.Pid, " "))
			}
			a.reply(p, `{"stopReason":"end_turn"}`)
		},
		"speaks on its errors": func(a *agent) {
			p := a.prompted()
			for range 1000 {
				fmt.Fprintln(os.Stderr, strings.Repeat("x", 1000))
			}
			a.reply(p, `{"stopReason":"end_turn"}`)
		},
	}
}

// A message of 20,000 pieces, and a past of as many, arrive and are left out.
func TestFloods(t *testing.T) {
	t.Parallel()
	if r := run(t, t.Context(), "floods"); r.err != nil || r.result.Reply != strings.Repeat("x", 20_000) {
		t.Errorf("%v, %d bytes", r.err, len(r.result.Reply))
	}
	if r := run(t, t.Context(), "tells a long past", resume("s-1")); r.err != nil || r.result.Reply != "now" || strings.Contains(r.out, canary) {
		t.Errorf("%v, %d bytes", r.err, len(r.out))
	}
}

func TestGarbage(t *testing.T) {
	t.Parallel()
	r := run(t, t.Context(), "prints garbage")
	if r.err != nil || r.result.Reply != "done" || r.result.Unknown < 15 || r.result.Noise == "" {
		t.Errorf("%v, %+v", r.err, r.result)
	}
	for line := range strings.Lines(r.out) {
		if len(line) > 4<<10 || !json.Valid([]byte(line)) {
			t.Errorf("a line of %d bytes: %.100s", len(line), line)
		}
	}
}

func TestStrangeIds(t *testing.T) {
	t.Parallel()
	r := run(t, t.Context(), "has strange ids")
	if want := `null null null null -0.5e7 "\u0000" "" `; r.err != nil || r.result.Reply != want {
		t.Errorf("%v, %q, want %q", r.err, r.result.Reply, want)
	}
	if r := run(t, t.Context(), "answers twice"); r.err != nil || r.result.Reply != "said" {
		t.Errorf("%v, %q", r.err, r.result.Reply)
	}
}

// An update that is too long is left out, and said; an answer that is fails the turn,
// which waits for it. Neither is kept.
func TestLongLines(t *testing.T) {
	t.Parallel()
	limit := func(c *acp.Config) { c.MaxLine, c.Ending = 64<<10, 50*time.Millisecond }
	if r := run(t, t.Context(), "has a long update", limit); r.err != nil || r.result.Reply != "done" || len(r.errors()) != 1 || strings.Contains(r.out, canary) {
		t.Errorf("%v, %q", r.err, r.errors())
	}
	if r := run(t, t.Context(), "has a long update"); r.err != nil || r.result.Reply != strings.Repeat(canary, 20_000)+"done" {
		t.Errorf("within the limit: %v, %d bytes", r.err, len(r.result.Reply))
	}
	if r := run(t, t.Context(), "has a long answer", limit); r.err == nil || !strings.Contains(r.result.Error, "over the limit of 65536") || strings.Contains(r.out, canary) {
		t.Errorf("%v", r.err)
	}
}

// What would last for ever ends when the turn is interrupted, or at once.
func TestWhatWouldNotEnd(t *testing.T) {
	t.Parallel()
	short := func(c *acp.Config) { c.Ending, c.Grace = 50*time.Millisecond, 50*time.Millisecond }
	if r := run(t, t.Context(), "asks and does not read", short); r.err == nil || !strings.Contains(r.result.Error, "does not read") {
		t.Errorf("%v", r.err)
	}
	if r := run(t, t.Context(), "closes its output", short); r.err == nil || !strings.Contains(r.result.Error, "before the turn did") {
		t.Errorf("%v", r.err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	c, out, stderr := config(t, "never ends its line", short)
	c.Out = onFirst{out, cancel}
	if r := read(t, acp.Run(ctx, c), out.String(), stderr.String()); !strings.Contains(r.result.Error, "interrupted") {
		t.Errorf("%v", r.err)
	}
	if r := run(t, t.Context(), "speaks on its errors"); r.err != nil || len(r.stderr) < 1_000_000 {
		t.Errorf("%v", r.err)
	}
}

// Nothing of the agent's group is left, and what left it holds the turn for no longer
// than it takes to see that.
func TestNobodyIsLeftBehind(t *testing.T) {
	t.Parallel()
	r := run(t, t.Context(), "leaves somebody behind", func(c *acp.Config) { c.Ending = 200 * time.Millisecond })
	var same, other int
	if _, err := fmt.Sscan(r.result.Reply, &same, &other); err != nil || r.err != nil {
		t.Fatalf("%v, %v, %q", r.err, err, r.result.Reply)
	}
	defer func() { _ = syscall.Kill(other, syscall.SIGKILL) }()
	if state := state(t, same); state != "" && state != "Z" {
		t.Errorf("process %d is %s", same, state)
	}
}

// state is that of a process, "" for none.
func state(t *testing.T, pid int) string {
	t.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ""
	}
	_, rest, _ := bytes.Cut(data, []byte(") "))
	return string(rest[:1])
}
