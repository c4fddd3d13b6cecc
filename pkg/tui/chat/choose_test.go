package chat_test

import (
	"context"
	"sync"
	"testing"

	tea "charm.land/bubbletea/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/tui/chat"
)

// twoRunners is a daemon that has a runner without a model, too.
type twoRunners struct{ chat.Daemon }

func (twoRunners) Runners(context.Context) ([]api.Runner, error) {
	return []api.Runner{{Name: "text", Title: "A shell command"}, {Name: "vexa", Title: "The built-in agent", Protocols: []string{"openai-chat"}, Resumes: true}}, nil
}

func addModel(t *testing.T, d *daemon, name string, standard bool, models ...string) {
	t.Helper()
	if _, err := d.client().AddModel(t.Context(), api.AddProvider{Name: name, Protocol: "openai-chat", Models: models, Default: standard}); err != nil {
		t.Fatal(err)
	}
}

// A model and a runner are chosen for a session, not for the chat, and the status line says
// which.
func TestChoicesAreTheSessions(t *testing.T) {
	t.Parallel()
	d := newDaemon(t)
	addModel(t, d, "local", false, "otter")
	b := newBench(t, chat.Options{Daemon: twoRunners{d.client()}, Request: idling()})
	b.wait(`no container now · rehearsal · vexa`)
	b.press("'/model otter", "enter")
	b.wait(`from the next message of this session on: local/otter`)
	b.shows(`no container now · local/otter · vexa`)
	b.press("'one quiet", "enter")
	b.wait(`you said: one`)
	b.press("ctrl+n")
	b.shows(`no container now · rehearsal · vexa`)
	b.press("'/runner text", "enter")
	b.wait(`from the next message of this session on: text`)
	b.shows(`no container now · text`, `none: the runner uses no model`)
	b.press("'two quiet", "enter")
	b.wait(`you said: two`)
	b.press("alt+1")
	b.shows(`local/otter · vexa`)
	b.press("ctrl+n", "'three quiet", "enter")
	b.wait(`you said: three`)
	var got []string
	for _, s := range d.Starts() {
		got = append(got, s.Text+": "+s.Model+", "+s.Runner)
	}
	if diff := cmp.Diff([]string{"one quiet: local/otter, ", "two quiet: , text", "three quiet: , "}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A name that is none is said at once, with the one that was meant, and can be put right.
func TestNamesAreChecked(t *testing.T) {
	t.Parallel()
	d := newDaemon(t)
	b := newBench(t, chat.Options{Daemon: twoRunners{d.client()}, Request: idling()})
	b.wait("rehearsal")
	for line, want := range map[string]string{
		"/model rehearsl": `! no provider serves a model "rehearsl" \(did you mean rehearsal\?`,
		"/runner txet":    `! there is no runner txet \(did you mean text\?`,
	} {
		b.press("'"+line, "enter")
		b.wait(want)
		b.shows(`^> ` + line)
		b.press("tab")
		b.shows(`^> (/model rehearsal|/runner text)$`)
		b.press("ctrl+u")
	}
	addModel(t, d, "local", false, "otter") // the chat has not seen it yet
	b.press("'/model local", "enter")
	b.wait(`from the next message of this session on: local/otter`)
	b.press("'one quiet", "enter")
	b.wait(`you said: one`)
	b.waitNot(`Esc stops`)
	b.press("'/runner text", "enter")
	b.wait(`! this session is held with runner vexa \(for another: /new, then /runner text\)`)
	b.press("ctrl+u", "ctrl+n", "'/runner text", "enter")
	b.wait(`on: text`)
	b.press("'/model local", "enter")
	b.wait(`! runner text uses no model`)
	if n := len(d.Starts()); n != 1 {
		t.Errorf("%d messages", n)
	}
}

// What was changed elsewhere is known after a turn, in a new session, and where the person
// comes back to the terminal.
func TestADefaultThatWasChangedElsewhere(t *testing.T) {
	t.Parallel()
	for name, then := range map[string]func(b *bench){
		"a new session": func(b *bench) { b.press("ctrl+n") },
		"a turn": func(b *bench) {
			b.press("'unasked quiet", "enter")
			b.wait(`you said: unasked`)
			b.waitNot(`Esc stops`)
			b.press("ctrl+n")
		},
		"focus": func(b *bench) { b.give(tea.FocusMsg{}) },
	} {
		b, d := start(t)
		if v := b.m.View(); !v.ReportFocus {
			t.Fatal("the terminal is not asked to tell of focus")
		}
		b.waitNot(`model +…`)
		if err := d.client().RemoveModel(t.Context(), "rehearsal"); err != nil {
			t.Fatal(err)
		}
		addModel(t, d, "local", true, "otter")
		then(b)
		b.wait(`no container now · local/otter · vexa`)
		_ = name
	}
}

// forgetful is a daemon whose runner text keeps no session, and whose others keep one once
// a turn has ended.
type forgetful struct {
	twoRunners
	mu    sync.Mutex
	gone  bool // the container has ended
	kept  bool
	asked []string // titles
}

func (f *forgetful) Start(ctx context.Context, r api.StartRequest) (api.Started, error) {
	f.mu.Lock()
	gone := f.gone && r.Session != ""
	f.mu.Unlock()
	if gone {
		return api.Started{}, fault.New(fault.NotFound, "there is no session "+r.Session, "see: vexa session list")
	}
	return f.Daemon.Start(ctx, r)
}

func (f *forgetful) RenameSession(ctx context.Context, id string, r api.RenameSession) (api.Session, error) {
	f.mu.Lock()
	f.asked = append(f.asked, r.Title)
	kept := f.kept
	f.mu.Unlock()
	if !kept {
		return api.Session{}, fault.New(fault.NotFound, "there is no session "+id, "see: vexa session list")
	}
	return f.Daemon.RenameSession(ctx, id, r)
}

func (f *forgetful) set(change func(f *forgetful)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(f)
}

// A session that nothing is kept of has a title here, and a message after its container has
// ended begins another.
func TestARunnerThatKeepsNoSession(t *testing.T) {
	t.Parallel()
	d := newDaemon(t)
	f := &forgetful{twoRunners: twoRunners{d.client()}}
	r := idling()
	r.Runner = "text"
	b := newBench(t, chat.Options{Daemon: f, Request: r})
	b.wait(`none: the runner uses no model`)
	b.press("'one quiet", "enter")
	b.wait(`you said: one`)
	b.waitNot(`Esc stops`)
	b.press("'/rename The otters", "enter")
	b.wait(`it has this title here alone: runner text keeps no session`)
	b.shows(`─ The otters ─`)
	f.set(func(f *forgetful) { f.gone = true })
	b.press("'two", "enter")
	b.wait(`you said: two`)
	b.waitNot(`Esc stops`)
	b.shows(`: it begins anew`, `─ The otters ─`)
	if s := d.Starts(); len(s) != 2 || s[1].Session != "" || s[0].Key == s[1].Key {
		t.Errorf("%+v", s)
	}
	b.press("ctrl+d")
	b.until("it leaves", func() bool { return b.gone })
	if b.m.Left() != "" {
		t.Errorf("there is nothing to come back to: left %q", b.m.Left())
	}
}

// What a program printed, and no model wrote, is no Markdown.
func TestWhatARunnerWithoutAModelSays(t *testing.T) {
	t.Parallel()
	d := newDaemon(t)
	r := idling()
	r.Runner = "text"
	b := newBench(t, chat.Options{Daemon: twoRunners{d.client()}, Request: r})
	b.wait(`none: the runner uses no model`)
	b.press("'quiet", "alt+enter", "'  return *1*", "enter")
	b.wait(`you said: quiet`)
	b.waitNot(`Esc stops`)
	b.shows(`^   return \*1\*$`)
}

// What goes on without a session is told by its dispatch.
func TestLeavingARunnerThatKeepsNoSession(t *testing.T) {
	t.Parallel()
	d := newDaemon(t)
	r := idling()
	r.Runner = "text"
	b := newBench(t, chat.Options{Daemon: &forgetful{twoRunners: twoRunners{d.client()}}, Request: r})
	b.wait(`none: the runner uses no model`)
	b.press("'please wait", "enter")
	b.wait(`^ waiting`)
	b.press("ctrl+d")
	b.until("it leaves", func() bool { return b.gone })
	list, err := d.client().Dispatches(t.Context(), false)
	if err != nil || len(list) != 1 || b.m.Left() != "the agent goes on; what it says: vexa logs "+list[0].ID {
		t.Errorf("left %q, of %+v, %v", b.m.Left(), list, err)
	}
}

// One that is given while the first turn runs is the session's once that is kept.
func TestATitleBeforeTheSessionIsKept(t *testing.T) {
	t.Parallel()
	d := newDaemon(t)
	f := &forgetful{twoRunners: twoRunners{d.client()}}
	b := newBench(t, chat.Options{Daemon: f, Request: idling()})
	b.wait("rehearsal")
	b.press("'please wait", "enter")
	b.wait(`^ waiting`)
	b.press("'/rename The otters", "enter")
	b.wait(`─ The otters ─`)
	b.hides(`there is no session`)
	f.set(func(f *forgetful) { f.kept = true })
	b.press("esc")
	b.wait(`! interrupted`)
	b.until("it was told", func() bool {
		list, err := d.client().Sessions(t.Context())
		return err == nil && len(list) == 1 && list[0].Title == "The otters"
	})
	b.shows(`─ The otters ─`)
}
