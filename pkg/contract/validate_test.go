package contract

import (
	"errors"
	"io/fs"
	"path"
	"strings"
	"sync"
	"testing"

	"github.com/vexa-ai/vexa/pkg/contract/runtimev1"
	"github.com/vexa-ai/vexa/pkg/contract/schedulev1"
	"github.com/vexa-ai/vexa/pkg/contract/unitv1"
	"github.com/vexa-ai/vexa/pkg/contract/wsv2"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/schemas"
)

const unitText = `{"id":"01JZZZZZZZZZZZZZZZZZZZZZZZ","identity":{"subject":"u_jane","launcher":"user:u_jane"},"runner":"vexa",
	"workspaces":[{"id":"w1","mode":"rw"}],"trigger":"message","start":{"entrypoint":{"inline":"hi"}}}`

const frameText = `{"seq":7,"ts":"2026-01-02T03:04:05.5Z","unit":"01JZZZZZZZZZZZZZZZZZZZZZZZ","source":"agent",
	"agentSeq":3,"type":"message-delta","turn":"01JZZZZZZZZZZZZZZZZZZZZZZY","text":"a few words of an answer"}`

// TestErrors: an error names the contract, the JSON Pointer and the rule in
// plain words.
func TestErrors(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ contract, old, repl, want string }{
		{"unit.v1", `"rw"`, `"rwx"`, `unit.v1: /workspaces/0/mode: must be one of "ro", "rw"`},
		{"unit.v1", `"runner":"vexa",`, ``, `unit.v1: must have "runner"`},
		{"unit.v1", `"01JZZZZZZZZZZZZZZZZZZZZZZZ"`, `"1"`, `unit.v1: /id: must be a ULID in upper case`},
		{"unit.v1", `"user:u_jane"`, `"eve"`, `unit.v1: /identity/launcher: must be a launcher: user:, schedule: or integration: and an id`},
		{"unit.v1", `[{"id":"w1","mode":"rw"}]`, `[]`, `unit.v1: /workspaces: must have at least 1 item`},
		{"unit.v1", `[{"id":"w1","mode":"rw"}]`, `{}`, `unit.v1: /workspaces: must be an array, not an object`},
		{"unit.v1", `{"inline":"hi"}`, `{}`, `unit.v1: /start/entrypoint: must have exactly one of "inline", "path"`},
		{"unit.v1", `{"inline":"hi"}`, `{"path":"a/../b"}`, `unit.v1: /start/entrypoint/path: must be a relative path without . or .. in it`},
		{"unit.v1", `"message",`, `"message","trust":"yes",`, `unit.v1: /trust: is not a member of the contract`},
		{"unit.v1", `"message",`, `"message","a/b~c":1,`, `unit.v1: /a~1b~0c: is not a member of the contract`},
		{"unit.v1", `"message",`, `"message","limits":{"tokens":0},`, `unit.v1: /limits/tokens: must be at least 1`},
		{"unit.v1", `"message",`, `"message","limits":{"idleSec":0.5},`, `unit.v1: /limits/idleSec: must be an integer, not a number`},
		{"unit.v1", `"message",`, `"cron","parent":"x",`, `unit.v1: /trigger: must be one of "message", "scheduled", "event", "transcription" (and 1 more)`},
		{"unit.v1", `"runner":"vexa"`, `"runner":"vexa","runner":"text"`, `unit.v1: /runner: is given twice`},
		{"unit.v1", unitText, `{"id":`, `unit.v1: /id: is not JSON: the text ends too early`},
		{"unit.v1", unitText, `null`, `unit.v1: must be an object, not null`},
		{"ws.v2#Frame", `"message-delta"`, `"system"`, `ws.v2: /type: must be one of "card", "commit", "error", "message", "message-delta", "opaque", "plan", "reasoning", "rejected", "state", "tool-call", "tool-result", "turn-accepted", "turn-done", "usage"`},
		{"ws.v2#Frame", `"type":"message-delta",`, ``, `ws.v2: must have "type"`},
		{"ws.v2#Frame", `"2026-01-02T03:04:05.5Z"`, `"yesterday"`, `ws.v2: /ts: must be a date and time as in RFC 3339, for example 2026-06-18T10:00:00Z`},
		{"ws.v2", `"text"`, `"txt"`, `ws.v2: must have "text" (and 1 more)`},
		{"ws.v2#Frame", frameText, `[]`, `ws.v2: must be an object, not an array`},
	} {
		base := unitText
		if strings.HasPrefix(c.contract, "ws.v2") {
			base = frameText
		}
		if !strings.Contains(base, c.old) {
			t.Errorf("%q is not in the text", c.old)
		}
		err := Validate(c.contract, []byte(strings.Replace(base, c.old, c.repl, 1)))
		if err == nil || err.Error() != c.want {
			t.Errorf("%s with %s:\n got %v\nwant %s", c.contract, c.repl, err, c.want)
		}
		var e *Error
		if !fault.Is(err, fault.Invalid) || !errors.As(err, &e) || len(e.Problems) == 0 {
			t.Errorf("%v is no *Error of kind invalid", err)
		}
	}
	for _, valid := range []struct{ name, text string }{{"unit.v1", unitText}, {"ws.v2", frameText}, {"ws.v2#Frame", frameText}} {
		if err := Validate(valid.name, []byte(valid.text)); err != nil {
			t.Error(err)
		}
	}
}

// TestErrorHoldsNoInput: what breaks a rule may be a secret.
func TestErrorHoldsNoInput(t *testing.T) {
	t.Parallel()
	const secret = "hunter2"
	for _, text := range []string{
		strings.Replace(unitText, `"rw"`, `"`+secret+`"`, 1),
		strings.Replace(unitText, `"vexa"`, `"NOT `+secret+`"`, 1),
		strings.Replace(unitText, `"hi"`, `"hi`+secret+"\n\"", 1),
		`"` + secret, `{"id": ` + secret + `}`,
	} {
		if err := Validate("unit.v1", []byte(text)); err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("the error for %q is %v", text, err)
		}
	}
}

// TestErrorNamesShape: where any shape will do, the error is about the one the
// text comes closest to.
func TestErrorNamesShape(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ contract, text, shape, pointer string }{
		{"runtime.v1", `{"workloadId":"a","profile":"agent","env":{},"backend":"lxc"}`, "WorkloadSpec", "/backend"},
		{"runtime.v1", `{"workloadId":"a","profile":"agent","state":"stopped","backend":"podman","exitCode":"0"}`, "WorkloadStatus", "/exitCode"},
		{"transcript.v1", `{"type":"session_start","session_uid":"s","meeting_id":"42","platform":"zoom"}`, "SessionStart", ""},
		{"identity.v1", `{"sub":"u","lch":"user:u","ws":[],"iat":1,"exp":"2"}`, "DispatchClaims", "/exp"},
		{"unit.v1", strings.Replace(unitText, `"rw"`, `"x"`, 1), "Unit", "/workspaces/0/mode"},
	} {
		var e *Error
		if err := Validate(c.contract, []byte(c.text)); !errors.As(err, &e) {
			t.Errorf("%s: %v", c.text, err)
		} else if e.Shape != c.shape || e.Pointer != c.pointer {
			t.Errorf("%s: %s at %q, want %s at %q (%v)", c.text, e.Shape, e.Pointer, c.shape, c.pointer, e)
		}
	}
}

func TestUnknownNames(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"", "unit", "../unit.v1", "unit.v1#", "unit.v1#Nope", "unit.v1#ulid", "#Unit"} {
		err := Validate(name, []byte(unitText))
		if name == "unit.v1#" {
			if err != nil {
				t.Errorf("Validate(%q): %v", name, err)
			}
			continue
		}
		if !fault.Is(err, fault.NotFound) {
			t.Errorf("Validate(%q): %v, want not found", name, err)
		}
	}
	if _, err := Source("unit"); !fault.Is(err, fault.NotFound) {
		t.Errorf("Source: %v", err)
	}
	if data, err := Source("unit.v1"); err != nil || !strings.Contains(string(data), `"$id": "https://vexa.ai/schemas/unit.v1"`) {
		t.Errorf("Source = %.60s…, %v", data, err)
	}
}

func TestDecode(t *testing.T) {
	t.Parallel()
	unit, err := Decode[unitv1.Unit]("unit.v1", []byte(unitText))
	if err != nil || unit.Workspaces[0].Mode != unitv1.ReadWrite || unit.Start.Entrypoint.Inline != "hi" {
		t.Errorf("Decode = %+v, %v", unit, err)
	}
	if unit, err = Decode[unitv1.Unit]("unit.v1", []byte(`{}`)); err == nil || unit.ID != "" {
		t.Errorf("Decode of an invalid unit = %+v, %v", unit, err)
	}
	frame, err := Decode[wsv2.Frame]("ws.v2#Frame", []byte(frameText))
	if err != nil || frame.Seq != 7 || frame.Body != (wsv2.MessageDelta{Text: "a few words of an answer"}) {
		t.Errorf("Decode = %+v, %v", frame, err)
	}

	// A whole number is an integer however it is written.
	spec, err := Decode[runtimev1.Spec]("runtime.v1#WorkloadSpec", []byte(`{"workloadId":"a","profile":"p","env":{},"idleTimeoutSec":6e2,"maxLifetimeSec":3600.0}`))
	if err != nil || *spec.IdleTimeoutSec != 600 || *spec.MaxLifetimeSec != 3600 {
		t.Errorf("Decode = %+v, %v", spec, err)
	}
	// One that no Go integer holds is refused, in the same form.
	_, err = Decode[runtimev1.Spec]("runtime.v1#WorkloadSpec", []byte(`{"workloadId":"a","profile":"p","env":{},"resources":{"memoryMb":1e300}}`))
	var e *Error
	if !errors.As(err, &e) || e.Pointer != "/resources/memoryMb" || !fault.Is(err, fault.Invalid) {
		t.Errorf("Decode of 1e300 megabytes: %v", err)
	}
	_, err = Decode[schedulev1.ScheduleJob]("schedule.v1", []byte(`{"execute_at":"","request":{"url":"http://a/b"}}`))
	if !errors.As(err, &e) || !fault.Is(err, fault.Invalid) {
		t.Errorf("Decode of an empty time: %v", err)
	}
}

// examples calls fn with every example of the embedded contracts.
func examples(tb testing.TB, fn func(name, dir, file string, data []byte)) {
	tb.Helper()
	err := fs.WalkDir(schemas.FS, ".", func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || path.Ext(file) != ".json" || strings.Count(file, "/") != 2 {
			return err
		}
		data, err := fs.ReadFile(schemas.FS, file)
		parts := strings.Split(file, "/")
		fn(parts[0], parts[1], parts[2], data)
		return err
	})
	if err != nil {
		tb.Fatal(err)
	}
}

// TestShortCutsChangeNothing holds the short cuts of choice.go and prune.go to
// the plain schema: every example against every shape is as valid with them as
// without.
func TestShortCutsChangeNothing(t *testing.T) {
	t.Parallel()
	tagged, err := Embedded()
	if err != nil {
		t.Fatal(err)
	}
	plain, err := Open(schemas.FS)
	if err != nil {
		t.Fatal(err)
	}
	plain.plain = true
	n := 0
	examples(t, func(name, _, file string, data []byte) {
		shapes, err := tagged.Shapes(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, id := range append([]string{""}, shapes...) {
			id = name + "#" + id
			a, b := tagged.Validate(id, data), plain.Validate(id, data)
			if (a == nil) != (b == nil) {
				t.Errorf("%s as %s: %v with them, %v without", file, id, a, b)
			}
			n++
		}
	})
	if n < 500 {
		t.Errorf("only %d comparisons", n)
	}
}

func TestValidateConcurrently(t *testing.T) {
	t.Parallel()
	set, err := Open(schemas.FS)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for _, name := range set.Names() {
				_ = set.Validate(name, []byte(`{}`))
			}
			if err := set.Validate("ws.v2#Frame", []byte(frameText)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

// FuzzValidate: no input makes any contract panic, what is refused is refused
// with a place and a rule, and what is accepted can be read by the Go type or
// is refused in the same form.
func FuzzValidate(f *testing.F) {
	examples(f, func(name, _, file string, data []byte) {
		shape, _, _ := strings.Cut(file, ".")
		f.Add(name+"#"+shape, data)
	})
	f.Add("unit.v1", []byte(`{"id":1e999999999}`))
	types := goTypes()
	f.Fuzz(func(t *testing.T, name string, data []byte) {
		err := Validate(name, data)
		var e *Error
		switch {
		case fault.Is(err, fault.NotFound):
		case err == nil:
			if through, ok := types[name]; ok {
				if out, err := through(data); err == nil {
					if err := Validate(name, out); err != nil {
						t.Errorf("%s %s becomes %s: %v", name, data, out, err)
					}
				}
			}
		case !errors.As(err, &e) || e.Rule == "" || e.Msg == "" || len(e.Problems) == 0:
			t.Errorf("%s %q: %#v", name, data, err)
		}
	})
}
