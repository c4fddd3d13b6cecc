package editor_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vexa-ai/vexa/pkg/tui/editor"
	"github.com/vexa-ai/vexa/pkg/tui/flow"
	"github.com/vexa-ai/vexa/pkg/tui/theme"
)

// shown is the text with a bar where the cursor is.
func shown(e *editor.Editor) string {
	text, at := e.Shown()
	return text[:at] + "|" + text[at:]
}

func TestEditing(t *testing.T) {
	t.Parallel()
	family := "👨‍👩‍👧"
	for name, c := range map[string]struct {
		text string
		do   func(*editor.Editor)
		want string
	}{
		"a character of several":  {"a" + family, func(e *editor.Editor) { e.Backspace() }, "a|"},
		"left over it":            {"a" + family + "b", func(e *editor.Editor) { e.Left(); e.Left() }, "a|" + family + "b"},
		"delete":                  {"abc", func(e *editor.Editor) { e.Start(); e.Delete() }, "|bc"},
		"a word":                  {"one two-three", func(e *editor.Editor) { e.DeleteWord() }, "one two-|"},
		"back":                    {"one two", func(e *editor.Editor) { e.DeleteWord(); e.Start(); e.Yank() }, "two|one "},
		"to the start":            {"one\ntwo", func(e *editor.Editor) { e.DeleteToStart() }, "one\n|"},
		"to the end":              {"one\ntwo", func(e *editor.Editor) { e.Start(); e.DeleteToEnd() }, "|\ntwo"},
		"the line's end":          {"one\ntwo", func(e *editor.Editor) { e.Start(); e.DeleteToEnd(); e.DeleteToEnd() }, "|two"},
		"words":                   {"one, two", func(e *editor.Editor) { e.WordLeft(); e.WordLeft(); e.WordRight() }, "one|, two"},
		"lines":                   {"one\ntwo", func(e *editor.Editor) { e.LineStart() }, "one\n|two"},
		"left over a line's end":  {"one\ntwo", func(e *editor.Editor) { e.LineStart(); e.Left() }, "one|\ntwo"},
		"right over a line's end": {"one\ntwo", func(e *editor.Editor) { e.Start(); e.LineEnd(); e.Right() }, "one\n|two"},
		"undo a word":             {"", func(e *editor.Editor) { e.Type("a"); e.Type("b"); e.Type(" "); e.Type("c"); e.Undo() }, "ab|"},
		"undo clearing":           {"text", func(e *editor.Editor) { e.Clear(); e.Undo() }, "text|"},
		"nothing to undo":         {"", func(e *editor.Editor) { e.Undo() }, "|"},
		"replace":                 {"see @no now", func(e *editor.Editor) { e.Replace(4, 7, "@notes.md") }, "see @notes.md| now"},
		"controls":                {"", func(e *editor.Editor) { e.Type("a\x1b[2Jb\u202e") }, "ab|"},
		"beyond the ends":         {"", func(e *editor.Editor) { e.Backspace(); e.Delete(); e.Left(); e.Right(); e.DeleteWord() }, "|"},
	} {
		var e editor.Editor
		e.Type(c.text)
		c.do(&e)
		if got := shown(&e); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// Up and Down go by the rows that are seen, keep their column, and say where there is no
// further row.
func TestRows(t *testing.T) {
	t.Parallel()
	var e editor.Editor
	e.SetText("one two three\nab\nlonger line")
	if e.Height(9) != 5 {
		t.Errorf("%d rows", e.Height(9))
	}
	var got []string
	for e.Up(9) {
		got = append(got, shown(&e))
	}
	want := []string{"one two three\nab\nlong|er line", "one two three\nab|\nlonger line", "one two thre|e\nab\nlonger line", "one |two three\nab\nlonger line"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for range 4 {
		if !e.Down(9) {
			t.Error("there are rows below")
		}
	}
	if e.Down(9) || shown(&e) != "one two three\nab\nlonger line|" {
		t.Errorf("%q", shown(&e))
	}
}

// A long paste is one word until it is sent, and goes at one key.
func TestPastes(t *testing.T) {
	t.Parallel()
	var e editor.Editor
	long := strings.Repeat("line\tof\x1b[31m it\r\n", 20)
	e.Type("see ")
	e.Paste(long)
	e.Type(" there")
	if got := shown(&e); got != "see [pasted 20 lines, 1] there|" {
		t.Errorf("%q", got)
	}
	if got, want := e.Text(), "see "+strings.Repeat("line\tof it\n", 20)+" there"; got != want {
		t.Errorf("%q", got)
	}
	for range len(" there") {
		e.Left()
	}
	e.Left()
	if got := shown(&e); got != "see |[pasted 20 lines, 1] there" {
		t.Errorf("%q", got)
	}
	e.Delete()
	if got := e.Text(); got != "see  there" {
		t.Errorf("%q", got)
	}
	e.Undo()
	e.Right()
	e.Backspace()
	if got := e.Text(); got != "see  there" {
		t.Errorf("%q", got)
	}
	e.Clear()
	e.Paste("short\r\nenough")
	if got := shown(&e); got != "short\nenough|" {
		t.Errorf("%q", got)
	}
	e.Clear()
	e.Paste(strings.Repeat("x", 3000))
	if got := shown(&e); got != "[pasted 3000 characters, 2]|" || len(e.Text()) != 3000 {
		t.Errorf("%q", got)
	}
}

// Whatever is written and whatever is done to it, the rows hold all of it within the
// width, and the cursor is on them.
func FuzzEditor(f *testing.F) {
	f.Add("one two\nthree", []byte{0, 1, 2, 3}, 10)
	f.Add("漢字 "+strings.Repeat("wide ", 30), []byte{9, 8, 7, 4}, 3)
	f.Fuzz(func(t *testing.T, text string, keys []byte, width int) {
		width = max(min(width, 200), 3)
		var e editor.Editor
		e.Type(text)
		do := []func(){
			e.Left, e.Right, e.WordLeft, e.WordRight, e.LineStart, e.LineEnd, e.Backspace, e.Delete, e.DeleteWord, e.DeleteToEnd, e.DeleteToStart, e.Yank,
			func() { e.Up(width) }, func() { e.Down(width) }, func() { e.Undo() }, func() { e.Paste(text) }, func() { e.Type("x") },
		}
		for _, k := range keys[:min(len(keys), 100)] {
			do[int(k)%len(do)]()
			lines, x, y := e.View(theme.None(), width, 1000)
			if y < 0 || y >= len(lines) || x < 0 || x > width {
				t.Fatalf("the cursor is at %d, %d of %d lines of %d columns", x, y, len(lines), width)
			}
			if got, _ := e.Shown(); strings.ReplaceAll(strings.Join(lines, ""), "\n", "") != strings.ReplaceAll(got, "\n", "") && len(lines) < 1000 {
				t.Fatalf("%q is shown as %q", got, lines)
			}
			for _, l := range lines {
				if flow.Width(l) > width && flow.Trim(l) != "" { // one character may be
					t.Fatalf("%q has %d columns of %d", l, flow.Width(l), width)
				}
			}
		}
	})
}
