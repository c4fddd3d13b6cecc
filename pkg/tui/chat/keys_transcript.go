package chat

import (
	"fmt"

	tea "charm.land/bubbletea/v2"

	"github.com/vexa-ai/vexa/pkg/cli/plain"
	"github.com/vexa-ai/vexa/pkg/tui/conversation"
	"github.com/vexa-ai/vexa/pkg/tui/reading"
)

// toTranscript has keys act upon what was said, beginning with the newest of it, or with
// the first that is seen where somebody has scrolled up.
func (m *Model) toTranscript() {
	t := m.current()
	if t.reading.Len() == t.reading.First() {
		return
	}
	m.focus = onTranscript
	t.selected = t.reading.Len() - 1
	if !t.pane.Following() {
		_, places := t.pane.View(m.blocks(t))
		t.selected = min(max(places[0].Block, t.reading.First()), t.selected)
	}
	t.pane.Show(m.blocks(t), t.selected)
}

// tab puts a command right that was misspelt, else goes to what was said, and says so where nothing was.
func (m *Model) tab() tea.Cmd {
	if m.putRight() {
		return nil
	}
	if m.toTranscript(); m.focus != onTranscript {
		return m.say("Tab goes to what was said, and nothing was yet; / lists the commands")
	}
	return nil
}

// jump selects the item before or behind the one that is selected.
func (m *Model) jump(by int) {
	t := m.current()
	if m.focus != onTranscript {
		m.toTranscript()
		return
	}
	t.selected = min(max(t.selected+by, t.reading.First()), t.reading.Len()-1)
	t.pane.Show(m.blocks(t), t.selected)
	if t.selected == t.reading.Len()-1 {
		t.pane.Follow()
	}
}

// pressTranscript takes a key while it acts upon what was said.
func (m *Model) pressTranscript(key string) tea.Cmd {
	t := m.current()
	switch key {
	case "up", "k":
		m.jump(-1)
	case "down", "j":
		m.jump(1)
	case "home", "g":
		m.selectItem(t.reading.First())
		t.pane.Home(m.blocks(t))
	case "end", "G":
		m.selectItem(t.reading.Len() - 1)
		t.pane.Follow()
	case "enter", "space", "right", "left":
		return m.toggle(t, t.selected)
	case "s":
		return m.toggleSides()
	case "u":
		return m.undo(t, t.selected)
	case "a":
		return m.decide(t, t.selected, merge)
	case "p":
		return m.decide(t, t.selected, approve)
	case "r":
		return m.decide(t, t.selected, reject)
	case "y":
		return m.copy(t, t.selected)
	case "?":
		m.openHelp()
	case "ctrl+d":
		if m.editor.Empty() {
			return m.goodbye()
		}
	case "/", "@":
		if m.focus = onEditor; m.editor.Empty() {
			m.typed = true
			m.editor.Type(key)
		}
	case "esc", "tab", "shift+tab", "i", "q":
		m.focus = onEditor
	}
	return nil
}

func (m *Model) selectItem(block int) { m.current().selected = block }

// toggle folds an item, or shows all of it; what a commit changed is fetched for that.
func (m *Model) toggle(t *thread, block int) tea.Cmd {
	if !t.reading.Folds(block) {
		return nil
	}
	open := t.reading.Toggle(block)
	t.pane.Show(m.blocks(t), block)
	item, ok := t.conversation.At(block)
	if !open || !ok || item.Kind != conversation.Commit || t.reading.Patched(block) {
		return nil
	}
	return m.fetchPatch(t, block, *item.Commit)
}

// toggleLatest does that with the item that is selected, else with the newest that folds.
func (m *Model) toggleLatest() tea.Cmd {
	t := m.current()
	if m.focus == onTranscript {
		return m.toggle(t, t.selected)
	}
	for i := t.reading.Len() - 1; i >= t.reading.First(); i-- {
		if t.reading.Folds(i) {
			return m.toggle(t, i)
		}
	}
	return nil
}

func (m *Model) toggleSides() tea.Cmd {
	m.sides = !m.sides
	for _, t := range m.threads {
		t.reading.Sides(m.sides)
	}
	switch {
	case !m.sides:
		return m.say("patches: one line below the other")
	case m.paneWidth() < reading.MinSides:
		return m.say(fmt.Sprintf("patches: side by side, once the window has %d columns", reading.MinSides+margin))
	}
	return m.say("patches: side by side")
}

// copy gives the text of an item to the terminal's clipboard.
func (m *Model) copy(t *thread, block int) tea.Cmd {
	item, ok := t.conversation.At(block)
	if !ok {
		return nil
	}
	text := item.Text()
	switch {
	case item.Commit != nil:
		text = item.Commit.SHA
	case item.Call != nil && item.Call.Result != nil:
		text = item.Call.Result.Output
	}
	if text == "" {
		return m.say("there is no text to copy")
	}
	return tea.Batch(tea.SetClipboard(plain.Text(text)), m.say("copied"))
}
