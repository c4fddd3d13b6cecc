package chat_test

import (
	"fmt"
	"strings"
	"testing"

	tea "charm.land/bubbletea/v2"
)

// pasted is a text of so many lines, each of which says which it is.
func pasted(lines int) string {
	var b strings.Builder
	for i := range lines {
		fmt.Fprintf(&b, "line %d\n", i+1)
	}
	return b.String()
}

// A long message is folded in the transcript, and opened by a key and by a click.
func TestALongMessageFolds(t *testing.T) {
	t.Parallel()
	b, _ := start(t)
	b.give(tea.WindowSizeMsg{Width: 80, Height: 60})
	b.give(tea.PasteMsg{Content: "quiet\n" + pasted(30)})
	b.press("enter")
	b.wait(`you said: quiet`)
	b.waitNot(`Esc stops`)
	b.shows(`^ > quiet`, `^   line 5$`, `^   ▸ … 25 more lines$`)
	b.hides(`^   line 6$`)
	b.press("ctrl+o")
	b.shows(`^   line 6$`, `^   line 30$`)
	b.hides(`more lines`)
	b.press("ctrl+o", "tab", "up", "enter")
	b.shows(`line 30$`)
	b.press("enter", "esc")
	b.hides(`^   line 6$`)
	for y, line := range strings.Split(b.text(), "\n") {
		if strings.Contains(line, "more lines") {
			b.give(tea.MouseClickMsg{X: 5, Y: y, Button: tea.MouseLeft})
			break
		}
	}
	b.shows(`^   line 30$`)
}

// What was pasted stays one word where a message comes back: by the history, from the
// queue, from a turn that nobody had, and where another session was shown meanwhile. It is
// sent whole.
func TestAPasteStaysFolded(t *testing.T) {
	t.Parallel()
	b, d := start(t)
	chip := `\[pasted 9 lines, 1\]`
	whole := strings.TrimSuffix(pasted(9), "\n")
	b.press("'quiet ")
	b.give(tea.PasteMsg{Content: pasted(9)})
	b.press("enter")
	b.wait(`you said: quiet`)
	b.waitNot(`Esc stops`)
	b.press("up")
	b.shows(`^> quiet ` + chip + `$`)
	b.press("ctrl+n")
	b.hides(chip)
	b.press("alt+1")
	b.shows(`^> quiet ` + chip + `$`)
	b.press("enter")
	b.until("it is sent", func() bool { return len(d.Starts()) == 2 })
	b.waitNot(`Esc stops`)
	for i, s := range d.Starts() {
		if s.Text != "quiet "+whole {
			t.Errorf("%d: %q", i, s.Text)
		}
	}

	b.press("'stillborn ")
	b.give(tea.PasteMsg{Content: pasted(9)}) // the same is the same word
	b.press("enter")
	b.wait(`^> stillborn ` + chip + `$`)
	b.press("ctrl+u", "'please wait", "enter")
	b.wait(`^ waiting`)
	b.press("'then ")
	b.give(tea.PasteMsg{Content: pasted(9)})
	b.press("enter", "up")
	b.shows(`^> then ` + chip + `$`)
	b.press("enter", "esc")
	b.wait(`^> then ` + chip + `$`)
	b.press("ctrl+u", "'/nonsense ")
	b.give(tea.PasteMsg{Content: pasted(9)})
	b.press("enter")
	b.shows(`^> /nonsense ` + chip + `$`)
}
