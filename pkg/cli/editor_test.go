package cli_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/home"
)

// An editor gets the text in a file of its name, in memory, which nobody else can
// read and which is gone afterwards; what it left is asked about until it will do.
func TestEditor(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		editor   string // a command of the shell
		answers  []string
		want     string // what was taken
		err      string
		asked    int
		fallback bool // it is EDITOR, and there is no VISUAL
	}{
		"changed":              {editor: `sed -i s/old/new/`, want: "new text\n"},
		"by EDITOR":            {editor: `sed -i s/old/new/`, want: "new text\n", fallback: true},
		"with arguments":       {editor: `sh -c 'echo "$1" > "$2"' sh 'two words'`, want: "two words\n"},
		"only its owner's":     {editor: `sh -c 'stat -c %a "$1" > "$1.mode"; cat "$1.mode" > "$1"' sh`, want: "600\n"},
		"left, and given up":   {editor: `true`, answers: []string{"n"}, err: "left as it was", asked: 1},
		"left, then changed":   {editor: `sh -c 'if [ -e "$1.again" ]; then echo late > "$1"; fi; : > "$1.again"' sh`, answers: []string{""}, want: "late\n", asked: 1},
		"an editor that fails": {editor: `false`, err: `the editor "false"`},
		"no editor":            {editor: `no-such-editor`, err: "no-such-editor"},
		"removed":              {editor: `rm`, err: "read what the editor left"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			plain := t.TempDir()
			of, err := b.f.Home()
			if err != nil {
				t.Fatal(err)
			}
			of.Plain = plain
			b.f.Home = func() (home.Home, error) { return of, nil }
			b.f.Env = func(name string) string {
				if name == "EDITOR" && c.fallback || name == "VISUAL" && !c.fallback {
					return c.editor
				}
				return ""
			}
			a := b.answer(c.answers...)
			var taken string
			err = b.f.Edit(t.Context(), "dir/plan.md", []byte("old text\n"), "use --file", func(text []byte) error {
				if bytes.Equal(text, []byte("old text\n")) {
					return fault.New(fault.Usage, "it was left as it was", "use --file")
				}
				taken = string(text)
				return nil
			})
			if taken != c.want || len(a.asked) != c.asked || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
				t.Errorf("%q, asked %q, %v", taken, a.asked, err)
			}
			left, gerr := filepath.Glob(filepath.Join(plain, "*", "*"))
			if gerr != nil || len(left) != 0 {
				t.Errorf("left behind: %q, %v", left, gerr)
			}
		})
	}
}

// Where nobody can be asked there is no editor, and nothing is written.
func TestEditorWithoutTerminal(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.f.InTTY = func() bool { return false }
	b.f.Home = func() (home.Home, error) { return home.Home{}, errors.New("the home was opened") }
	b.f.Env = os.Getenv
	err := b.f.Edit(t.Context(), "plan.md", nil, "use --file", func([]byte) error { return nil })
	if !fault.Is(err, fault.Usage) || fault.HintOf(err) != "use --file" {
		t.Errorf("%v (%s)", err, fault.HintOf(err))
	}
}
