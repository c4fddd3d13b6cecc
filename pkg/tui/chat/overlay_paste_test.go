package chat_test

import (
	"strings"
	"testing"

	tea "charm.land/bubbletea/v2"
)

// Whatever is pasted into a list or a line, the chat goes on: of 2 MB the begin is taken,
// and the rest is not walked through again and again, which took minutes.
func TestALongPasteIntoAList(t *testing.T) {
	t.Parallel()
	long := "begin of it " + strings.Repeat("e\u0301👩‍💻 word ", 100_000)
	for _, open := range [][]string{{"ctrl+p"}, {"ctrl+s"}, {"'/files", "enter"}, {"'/model ", "enter"}, {"'/runner", "enter"}} {
		b, _ := start(t)
		b.press("'hello", "enter")
		b.wait(`you said: hello`)
		b.waitNot(`Esc stops`)
		b.press("'@not")
		b.wait(`▸ note\.md`) // the files are known
		b.press("esc", "ctrl+u")
		b.press(open...)
		b.wait(`esc back`)
		b.give(tea.PasteMsg{Content: long})
		b.wait(`nothing matches`)
		b.press("ctrl+w", "backspace", "'x")
		b.shows(`nothing matches`)
		b.press("ctrl+u")
		b.waitNot(`nothing matches`)
		b.press("esc", "'still here")
		b.shows(`^> still here`)
	}
}

// The line that asks for a title takes no more than it needs, and every key in it is quick.
func TestALongPasteIntoALine(t *testing.T) {
	t.Parallel()
	b, _ := start(t)
	b.press("'hello", "enter")
	b.wait(`you said: hello`)
	b.waitNot(`Esc stops`)
	b.press("ctrl+s")
	b.wait(`^Sessions`)
	b.press("tab")
	b.wait(`The title of this session`)
	b.press("ctrl+u")
	for range 3 {
		b.give(tea.PasteMsg{Content: strings.Repeat("word", 500_000)})
	}
	b.press("ctrl+w") // goes back character by character
	b.hides(`word`)
	b.press("'The otters", "enter")
	b.wait(`The otters`)
}
