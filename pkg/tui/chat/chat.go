// Package chat is the terminal chat: the one model of Bubble Tea over the daemon. Its
// parts draw and keep; it alone routes what comes.
//
// Update does no I/O but to look whether a path that was pasted is a file: whatever asks
// the daemon is a command, and what it brings is a message of its own. Foreign text reaches the screen through theme.Paint and what is
// built on it, and in no other way.
package chat

import (
	"context"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/tui/complete"
	"github.com/vexa-ai/vexa/pkg/tui/editor"
	"github.com/vexa-ai/vexa/pkg/tui/history"
	"github.com/vexa-ai/vexa/pkg/tui/theme"
)

// Options are what a chat begins with.
type Options struct {
	Daemon  Daemon
	Request api.StartRequest // of each message, less its text, session and key
	Open    Opening
	Theme   Theme
	Now     func() time.Time // nil: time.Now
	Home    string           // of the person, for files named by ~/; "": there is none

	// Edit has the person change a text in an editor of their own; nil: there is none.
	Edit func(ctx context.Context, text string) (string, error)
	// Setup asks for what an installation needs, on the terminal as it was before the
	// chat; nil: nobody asks.
	Setup func(context.Context) error
	// Unlock asks for what opens the key, likewise.
	Unlock func(context.Context) error
}

// Opening is the session that a chat begins with; the zero value is a new one.
type Opening struct {
	Session string // of this id
	Latest  bool   // the one that was used last
}

// focus is what keys act upon.
type focus int

const (
	onEditor focus = iota
	onTranscript
)

// Model is the chat. It is a tea.Model, and used by Bubble Tea's goroutine alone.
type Model struct {
	daemon   Daemon
	request  api.StartRequest
	open     Opening
	now      func() time.Time
	do       func(func(context.Context) tea.Msg) tea.Cmd
	exec     func(tea.ExecCommand, tea.ExecCallback) tea.Cmd
	scope    func() (context.Context, context.CancelFunc)
	happens  func() // it is called where there may be something new to see; nil: nothing is
	home     string
	setup    func(context.Context) error
	unlock   func(context.Context) error
	external func(context.Context, string) (string, error)

	width, height int
	chosen        Theme
	theme         theme.Theme
	mouse         bool
	sides         bool // patches show before and after beside each other

	threads []*thread
	shown   int // of threads
	ids     int // of threads, so far

	editor    editor.Editor
	submitted time.Time // when a message was sent last
	history   history.History
	focus     focus
	meant     meant
	chorded   bool      // Ctrl-X was the last key
	leaving   time.Time // when Ctrl-C was pressed last with nothing to stop

	popup    *complete.Popup
	typed    bool // a key has written something
	brought  brought
	locating string // a directory of this machine that is being looked into

	over     *over
	question *question
	waits    int
	notice   *notice
	notices  int
	follows  int
	ticking  bool

	link     link
	checking bool
	back     bool // the stream is back, and nobody has said so
	pid      int  // of the daemon
	known    bool // what there is to work with
	wasSetUp bool
	offered
	sessions []api.Session
	listing  *sessionList // that was opened last; nil: none was
	left     string       // what is said once the screen is gone
	ended    error        // why the chat could not go on; nil: the person left
}

// New returns a chat. What it asks the daemon ends with ctx.
func New(ctx context.Context, o Options) *Model {
	m := &Model{
		daemon: o.Daemon, request: o.Request, open: o.Open, now: o.Now, setup: o.Setup, home: o.Home, unlock: o.Unlock, external: o.Edit,
		exec: tea.Exec, chosen: o.Theme, theme: o.Theme.first(), mouse: true, width: 80, height: 24,
		do: func(f func(context.Context) tea.Msg) tea.Cmd {
			return func() tea.Msg { return f(ctx) }
		},
		scope: func() (context.Context, context.CancelFunc) { return context.WithCancel(ctx) },
	}
	if m.now == nil {
		m.now = time.Now
	}
	m.brought.commands = builtIns()
	m.popup = complete.New(m.theme)
	m.popup.SetCommands(m.brought.commands)
	m.add("").past = m.open != Opening{} // what is said waits for the session
	return m
}

// Init implements tea.Model. The first screen does not wait for it.
func (m *Model) Init() tea.Cmd {
	cmds := []tea.Cmd{m.connect()}
	if m.chosen == Auto {
		cmds = append(cmds, tea.RequestBackgroundColor)
	}
	return tea.Batch(cmds...)
}

// current is the thread that is shown.
func (m *Model) current() *thread { return m.threads[m.shown] }

// threadOf is the thread of a number, nil where it was closed.
func (m *Model) threadOf(id int) *thread {
	for _, t := range m.threads {
		if t.id == id {
			return t
		}
	}
	return nil
}

// add opens another thread, and shows it.
func (m *Model) add(session string) *thread {
	m.ids++
	t := newThread(m.ids, session, m.theme)
	t.reading.Sides(m.sides)
	t.choice, t.given = choice{m.request.Model, m.request.Runner}, given{m.request.Workspaces, m.request.Tools}
	m.threads = append(m.threads, t)
	m.switchTo(len(m.threads) - 1)
	return t
}

// another opens an empty thread, unless one is shown, and learns what it may begin with.
func (m *Model) another() tea.Cmd {
	if t := m.current(); t.session == "" && !t.busy() && !t.attaching && m.editor.Empty() {
		return tea.Batch(m.say("this session is new"), m.refresh())
	}
	m.add("")
	return m.refresh()
}

// switchTo shows another thread.
func (m *Model) switchTo(i int) {
	if m.shown < len(m.threads) {
		m.current().draft, _ = m.editor.Shown()
	}
	m.done()
	m.shown, m.focus = i, onEditor
	t := m.current()
	t.news = false
	m.editor = m.editor.Fresh()
	if t.draft != "" {
		m.editor.SetText(t.draft)
	}
}

// tickMsg comes each second while something runs, so that its time is shown.
type tickMsg struct{}

func (m *Model) tick() tea.Cmd {
	if m.ticking {
		return nil
	}
	m.ticking = true
	return tea.Tick(time.Second, func(time.Time) tea.Msg { return tickMsg{} })
}

// ticked asks after the daemon where a turn has said nothing for long.
func (m *Model) ticked() tea.Cmd {
	m.ticking = false
	var cmds []tea.Cmd
	for _, t := range m.threads {
		if !t.busy() {
			continue
		}
		cmds = append(cmds, m.tick())
		if m.now().Sub(t.heard) > hush && t.lost == nil {
			cmds = append(cmds, m.check())
		}
	}
	return tea.Batch(cmds...)
}
