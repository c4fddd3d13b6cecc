package chat

import (
	"context"
	"slices"

	tea "charm.land/bubbletea/v2"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/tui/command"
	"github.com/vexa-ai/vexa/pkg/tui/complete"
	"github.com/vexa-ai/vexa/pkg/tui/mention"
)

// brought is what the workspaces that agents are given bring: their files and commands.
type brought struct {
	stale   bool // something may have been committed since
	reading bool
	of      []string // whose it is, by name

	commands *command.Registry
	dirs     map[string]string // where an agent has a workspace, by its name; "": the first
	files    []listing
}

// listing is the files of a workspace.
type listing struct {
	workspace string
	files     []api.FileEntry
}

// broughtMsg is what was read.
type broughtMsg struct {
	of       []string
	found    []command.Found
	files    []listing
	complete []*complete.Files
	dirs     map[string]string
	err      error
}

// granted are the names of the workspaces that the next message is sent with.
func (m *Model) granted() []string {
	var names []string
	for _, g := range m.current().grants() {
		names = append(names, g.Workspace)
	}
	return names
}

// firstGranted is the name of the one that an agent works in, personal where it is not known.
func (m *Model) firstGranted() string {
	if names := m.granted(); len(names) > 0 {
		return names[0]
	}
	return personal
}

// dirs is where the agent of a thread has its workspaces, by name; nil where it is not known.
func (m *Model) dirs(t *thread) map[string]string {
	if len(t.given.workspaces) == 0 && len(t.dispatch.Workspaces) > 0 {
		dirs := map[string]string{}
		for i, w := range t.dispatch.Workspaces {
			dirs[w.Name] = mention.Dir(i, w.ID)
		}
		return dirs
	}
	if t == m.current() {
		return m.brought.dirs
	}
	return nil
}

// personal is the workspace that is granted where nobody names one.
const personal = "personal"

// read reads what the workspaces bring, where it may be another by now.
func (m *Model) read() tea.Cmd {
	b := &m.brought
	names, before := m.granted(), b.commands
	others := !slices.Equal(names, b.of)
	if others { // what others brought is not this one's
		b.stale, b.of, b.files, b.dirs, b.commands = true, names, nil, nil, before.With()
		m.popup.SetCommands(b.commands)
		m.popup.SetFiles()
	}
	if !b.stale || b.reading || len(names) == 0 || m.link != linkUp || !m.known || m.current().past {
		return nil
	}
	b.stale, b.reading = false, true
	return m.do(func(ctx context.Context) tea.Msg {
		msg := readWorkspaces(ctx, m.daemon, names, before)
		msg.of = names
		return msg
	})
}

func readWorkspaces(ctx context.Context, d Daemon, names []string, before *command.Registry) (msg broughtMsg) {
	all, err := d.Workspaces(ctx)
	if err != nil {
		return broughtMsg{err: err}
	}
	ids := map[string]string{}
	for _, w := range all {
		ids[w.Name] = w.ID
	}
	msg.dirs = map[string]string{}
	for i, name := range names {
		src := &listed{Daemon: d}
		found, err := command.Read(ctx, src, name, before.Found(name))
		if err != nil {
			msg.err = err
			continue
		}
		paths := make([]string, len(src.files))
		for i, f := range src.files {
			paths[i] = f.Path
		}
		msg.found = append(msg.found, found)
		msg.files = append(msg.files, listing{name, src.files})
		msg.complete = append(msg.complete, complete.NewFiles(name, paths))
		msg.dirs[name] = mention.Dir(i, ids[name])
	}
	return msg
}

// listed is a source of files that keeps what it listed.
type listed struct {
	Daemon
	files []api.FileEntry
}

// Files implements command.Source.
func (l *listed) Files(ctx context.Context, workspace, rev string) ([]api.FileEntry, error) {
	var err error
	l.files, err = l.Daemon.Files(ctx, workspace, rev)
	return l.files, err
}

// wasRead notes what was read. What of it is no command the list of commands says.
func (m *Model) wasRead(msg broughtMsg) tea.Cmd {
	b := &m.brought
	b.reading = false
	if len(msg.found) > 0 && slices.Equal(msg.of, b.of) {
		b.commands = b.commands.With(msg.found...)
		b.files, b.dirs = msg.files, msg.dirs
		m.popup.SetCommands(b.commands)
		m.popup.SetFiles(msg.complete...)
	}
	if msg.err != nil && !fault.Is(msg.err, fault.Unreachable) && !fault.Is(msg.err, fault.Locked) {
		return m.fail(msg.err)
	}
	return nil
}
