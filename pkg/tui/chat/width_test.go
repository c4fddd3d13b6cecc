package chat_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/vexa-ai/vexa/pkg/screentest"
	"github.com/vexa-ai/vexa/pkg/tui/chat"
)

// family is one character to a reader and to some terminals, in two columns; to others it
// is the four that it is made of, in eight.
const family = "👨‍👩‍👧‍👦"

// Nothing is lost at the right edge, however the terminal counts, and the cursor is where
// the next letter comes to.
func TestHowATerminalCounts(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for kind, columns := range map[screentest.Speaks]int{screentest.Modern: 2, screentest.Unclustered: 8} { // of a family
		t.Run(fmt.Sprint(kind), func(t *testing.T) {
			t.Parallel()
			d := newDaemon(t)
			s := &sized{t, startChat(t, d, chat.None, screentest.Options{Command: []string{self}, Cols: 60, Rows: 30, Speaks: kind}), ""}
			s.wait(`rehearsal`)
			message, words := "quiet "+strings.Repeat(family, 3), []string{}
			for i := range 30 {
				words = append(words, fmt.Sprintf("w%02d", i))
			}
			s.send(message+" "+strings.Join(words, " "), "<enter>")
			screen := s.wait(`^ you said: quiet`, `!Esc stops`)
			for _, w := range words { // of what was said and of the answer
				if n := strings.Count(screen.Text(), w); n != 2 {
					t.Errorf("%s is there %d times:\n%s", w, n, screen.Text())
				}
			}

			s.send(family + family + "x")
			screen = s.wait(`^> .*x$`)
			if x, y := screen.Where("> " + screen.At(2, screen.Cursor.Y).Text); y != screen.Cursor.Y || x != 0 || screen.Cursor.X != 2+2*columns+1 {
				t.Errorf("the cursor is at %d, %d\n%s", screen.Cursor.X, screen.Cursor.Y, screen.Text())
			}
			if at := screen.At(screen.Cursor.X-1, screen.Cursor.Y).Text; at != "x" {
				t.Errorf("%q is before the cursor", at)
			}

			s.send("<ctrl+u>")
			s.term.Paste("quiet\n\n| a | b |\n|---|---|\n| 👍🏽 | x |\n| ❤️ | y |\n| 漢 | z |")
			s.send("<enter>")
			screen = s.wait(`─┼─`, `│ x`, `│ y`, `│ z`)
			x, _ := screen.Where("│ z")
			for _, other := range []string{"│ x", "│ y", "┼─"} {
				if at, _ := screen.Where(other); at != x {
					t.Errorf("%s is in column %d, not %d:\n%s", other, at, x, screen.Text())
				}
			}
		})
	}
}
