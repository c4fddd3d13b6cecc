package chat

import (
	"bytes"
	"context"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	tea "charm.land/bubbletea/v2"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/tui/flow"
	"github.com/vexa-ai/vexa/pkg/tui/mention"
	"github.com/vexa-ai/vexa/pkg/tui/picker"
	"github.com/vexa-ai/vexa/pkg/tui/syntax"
	"github.com/vexa-ai/vexa/pkg/tui/theme"
)

// What of a file is previewed.
const (
	previewBytes = 32 << 10
	previewLines = 200
)

// openFiles lists the files of the workspaces that agents are given; Enter names one in
// the message.
func (m *Model) openFiles() tea.Cmd {
	if m.brought.files == nil {
		return m.say("the files are still being read")
	}
	m.brought.stale = true
	type file struct{ workspace, path string }
	var files []file
	var items []picker.Item
	several := len(m.brought.files) > 1
	for _, l := range m.brought.files {
		for _, f := range l.files {
			title := f.Path
			if several {
				title = l.workspace + ":" + title
			}
			files = append(files, file{l.workspace, f.Path})
			items = append(items, picker.Item{Title: title, Detail: size(f.Size)})
		}
	}
	p := &cached{}
	p.fetch = func(item int) tea.Cmd {
		f := files[item]
		return m.do(func(ctx context.Context) tea.Msg {
			return previewMsg{p, item, previewOf(ctx, m.daemon, f.workspace, f.path)}
		})
	}
	o := picker.Options{
		Title: "Files of " + strings.Join(m.granted(), ", "), Enter: "name it", Paths: true, Preview: p.show,
		Empty: "there is no file; an agent writes some, or git clone vexa::" + m.firstGranted(),
	}
	c := m.choose(o, items, func(c picker.Choice) tea.Cmd {
		f := files[c.Item]
		name := f.path
		if several {
			name = f.workspace + ":" + name
		}
		if !mention.Shown(f.path) {
			return m.say("its name has characters that are not shown; nobody could say what it names")
		}
		m.insertWord(mention.Write(name))
		return nil
	})
	c.preview(p)
	return c.looked()
}

// insertWord writes a word at the cursor, with blanks around it.
func (m *Model) insertWord(word string) {
	m.focus = onEditor
	text, at := m.editor.Shown()
	if at > 0 && !strings.HasSuffix(text[:at], " ") && !strings.HasSuffix(text[:at], "\n") {
		word = " " + word
	}
	m.editor.Type(word + " ")
}

// previewOf reads the beginning of a file; it is never nil.
func previewOf(ctx context.Context, d Daemon, workspace, path string) []flow.Line {
	r, err := d.File(ctx, workspace, "", path)
	if err != nil {
		return []flow.Line{flow.Plain(err.Error(), theme.Error)}
	}
	defer r.Close()
	data, err := io.ReadAll(io.LimitReader(r, previewBytes))
	for n := 0; n < utf8.UTFMax && len(data) == previewBytes-n && !utf8.Valid(data); n++ { // cut within a character
		data = data[:len(data)-1]
	}
	switch {
	case err != nil && !fault.Is(err, fault.Interrupted):
		return []flow.Line{flow.Plain(err.Error(), theme.Error)}
	case len(data) == 0:
		return []flow.Line{flow.Plain("it is empty", theme.Muted)}
	case bytes.IndexByte(data, 0) >= 0 || !utf8.Valid(data):
		return []flow.Line{flow.Plain("it is no text", theme.Muted)}
	}
	lines := syntax.Highlight(string(data), syntax.Language(path), theme.Of(theme.Text))
	return lines[:min(len(lines), previewLines)]
}

// size is how large a file is, in few columns.
func size(n int64) string {
	switch {
	case n < 1<<10:
		return strconv.FormatInt(n, 10) + " B"
	case n < 1<<20:
		return strconv.FormatInt(n>>10, 10) + " KiB"
	default:
		return strconv.FormatInt(n>>20, 10) + " MiB"
	}
}
