package screentest

import "strings"

// Screen is what a terminal shows at one instant.
type Screen struct {
	Cols, Rows int
	Title      string
	Cursor     Cursor
	AltScreen  bool // the program has the whole screen, and the shell's is kept behind it
	Mouse      bool // the program is told of the mouse
	Paste      bool // what is pasted is told apart from what is typed
	Light      bool // the terminal's own background is light

	cells []Cell
}

// Cursor is where the next character goes.
type Cursor struct {
	X, Y    int
	Visible bool
	Shape   string // block, underline or bar
	Blink   bool
}

// Cell is one place on a screen. A wide character has its text in the first of its
// cells, and the second is empty with width 0.
type Cell struct {
	Text  string
	Width int
	Fg    Color
	Bg    Color

	Bold, Faint, Italic, Underline, Blink, Reverse, Conceal, Strike bool

	Link string // the URL of a hyperlink
}

// Color is a colour of a cell: empty for the terminal's own, one of the sixteen that
// a theme defines by name ("red", "bright-red"), or "#rrggbb".
type Color string

// At is the cell in column x of line y, counted from 0. Beyond the screen it is blank.
func (s Screen) At(x, y int) Cell {
	if x < 0 || y < 0 || x >= s.Cols || y >= s.Rows {
		return Cell{Text: " ", Width: 1}
	}
	return s.cells[y*s.Cols+x]
}

// Line is the text of line y, without the blanks at its end.
func (s Screen) Line(y int) string {
	var b strings.Builder
	for x := range s.Cols {
		b.WriteString(s.At(x, y).Text)
	}
	return strings.TrimRight(b.String(), " ")
}

// Text is the text of all lines, each with its end, without the blanks at the end of
// a line and without the empty lines at the end of the screen.
func (s Screen) Text() string {
	var b strings.Builder
	for y := range s.Rows {
		b.WriteString(s.Line(y))
		b.WriteByte('\n')
	}
	text := strings.TrimRight(b.String(), "\n")
	if text == "" {
		return ""
	}
	return text + "\n"
}

// Contains reports whether a line of the screen holds text.
func (s Screen) Contains(text string) bool { return strings.Contains(s.Text(), text) }

// Find returns the cells of the first text that is on one line, nil where there is
// none.
func (s Screen) Find(text string) []Cell {
	for y := range s.Rows {
		if cells := s.findIn(y, text); cells != nil {
			return cells
		}
	}
	return nil
}

func (s Screen) findIn(y int, text string) []Cell {
	for x := range s.Cols {
		rest, end := text, x
		for rest != "" && end < s.Cols {
			after, ok := strings.CutPrefix(rest, s.At(end, y).Text)
			if !ok {
				break
			}
			rest = after
			end++
		}
		if rest == "" && end > x {
			return s.cells[y*s.Cols+x : y*s.Cols+end]
		}
	}
	return nil
}

// Where is the column and the line of text, counted from 0; -1, -1 where it is not on
// the screen.
func (s Screen) Where(text string) (x, y int) {
	for y := range s.Rows {
		cells := s.findIn(y, text)
		if cells == nil {
			continue
		}
		for x := range s.Cols {
			if &s.cells[y*s.Cols+x] == &cells[0] {
				return x, y
			}
		}
	}
	return -1, -1
}

// Has reports whether the cell has an attribute: fg=COLOR, bg=COLOR, link=URL, or
// one of bold, faint, italic, underline, blink, reverse, conceal and strike. A !
// before it says that it has not. ok is false where there is no such attribute.
func (c Cell) Has(attribute string) (has, ok bool) {
	name, not := strings.CutPrefix(attribute, "!")
	if key, value, found := strings.Cut(name, "="); found {
		is, known := map[string]string{"fg": string(c.Fg), "bg": string(c.Bg), "link": c.Link}[key]
		return (is == value) != not, known
	}
	is, known := c.attributes()[name]
	return is != not, known
}

func (c Cell) attributes() map[string]bool {
	return map[string]bool{
		"bold": c.Bold, "faint": c.Faint, "italic": c.Italic, "underline": c.Underline,
		"blink": c.Blink, "reverse": c.Reverse, "conceal": c.Conceal, "strike": c.Strike,
	}
}
