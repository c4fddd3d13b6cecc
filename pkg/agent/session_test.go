package agent_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/agent"
	"github.com/vexa-ai/vexa/pkg/internal/require"
)

// The next process knows the past by the session file alone.
func TestResumeInAFreshProcess(t *testing.T) {
	t.Parallel()
	p := newProvider(t, text("Noted."), text("You asked me to remember the blue door."))
	pl := newPlace(t, p)
	if o := pl.turn("Remember the blue door"); o.code != 0 {
		t.Fatal(o.stderr)
	}
	// Another container: only the capsule comes along.
	next := newPlace(t, p)
	if err := os.Rename(filepath.Join(pl.dir, "state"), filepath.Join(next.dir, "state2")); err != nil {
		t.Fatal(err)
	}
	must(t, os.Remove(filepath.Join(next.dir, "state")))
	must(t, os.Rename(filepath.Join(next.dir, "state2"), filepath.Join(next.dir, "state")))
	if o := next.turn("What did I ask before?", "--resume"); o.code != 0 {
		t.Fatal(o.stderr)
	}
	for _, want := range []string{"Remember the blue door", "Noted.", "What did I ask before?"} {
		if !strings.Contains(p.bodies[1], want) {
			t.Errorf("the second request lacks %q:\n%s", want, p.bodies[1])
		}
	}
}

// A process that is killed in the middle of a tool call leaves a conversation
// that goes on.
func TestResumeAfterAKill(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/bin/sh"); err != nil {
		require.Missing(t, "sh", err.Error())
	}
	p := newProvider(t, call("c1", "shell", `{"command":"touch started; sleep 60"}`), text("went on"))
	pl := newPlace(t, p)
	cmd := pl.command("go")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	await(t, func() bool {
		_, err := os.Stat(filepath.Join(pl.dir, "workspace", "started"))
		return err == nil
	})
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	o := pl.turn("go on", "--resume")
	if o.code != 0 || o.result.Reply != "went on" {
		t.Fatalf("%+v %s", o.result, o.stderr)
	}
	var request struct {
		Messages []struct {
			Role    string
			Content []struct {
				Type, Text, Content string
				ToolUseID           string `json:"tool_use_id"`
			}
		}
	}
	if err := json.Unmarshal([]byte(p.bodies[1]), &request); err != nil {
		t.Fatal(err)
	}
	last := request.Messages[len(request.Messages)-1]
	if len(request.Messages) != 3 || last.Content[0].ToolUseID != "c1" || !strings.Contains(last.Content[0].Content, "interrupted") || last.Content[1].Text != "go on" {
		t.Errorf("the conversation is %+v", request.Messages)
	}
}

func await(t *testing.T, ready func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ready(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it does not happen")
		}
	}
}

func TestSessionFile(t *testing.T) {
	t.Parallel()
	good := `{"role":"user","text":"before"}` + "\n" + `{"role":"assistant","text":"yes"}` + "\n"
	for name, c := range map[string]struct {
		file string
		ok   bool
	}{
		"whole":            {good, true},
		"torn":             {good + `{"role":"user","te`, true},
		"torn with an end": {good + `{"role":"us` + "\n", true},
		"zeroes at end":    {good + "\x00\x00\x00\x00", true},
		"bad in between":   {`{"role":` + "\n" + good, false},
		"unknown role":     {`{"role":"king"}` + "\n" + good, false},
		"empty":            {"", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newProvider(t, text("again"))
			pl := newPlace(t, p)
			path := filepath.Join(pl.dir, "state", "sessions", session+".jsonl")
			must(t, os.MkdirAll(filepath.Dir(path), 0o700))
			must(t, os.WriteFile(path, []byte(c.file), 0o600))
			o := pl.turn("now", "--resume")
			if !c.ok {
				if o.code != agent.ExitFailed || !o.result.Failed || pl.session() != c.file {
					t.Errorf("code %d, %+v; the file must stay as it is", o.code, o.result)
				}
				return
			}
			if o.code != 0 {
				t.Fatal(o.stderr)
			}
			want := `{"role":"user","text":"now"}` + "\n" + `{"role":"assistant","text":"again"}` + "\n"
			if c.file != "" {
				want = good + want
			}
			if got := pl.session(); got != want {
				t.Errorf("the file is\n%s\nwant\n%s", got, want)
			}
		})
	}
}

func FuzzSession(f *testing.F) {
	f.Add([]byte(`{"role":"user","text":"a"}` + "\n" + `{"role":"assistant","calls":[{"id":"1","name":"x","arguments":{}}]}` + "\n{"))
	f.Fuzz(func(t *testing.T, data []byte) {
		dir := t.TempDir()
		must(t, os.Mkdir(filepath.Join(dir, "sessions"), 0o700))
		path := filepath.Join(dir, "sessions", "s.jsonl")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		agent.OpenForTest(t, dir, "s")
	})
}
