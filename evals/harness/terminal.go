package harness

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/vexa-ai/vexa/pkg/screentest"
)

// terminalWithin is when what a terminal waits for is called a failure.
const terminalWithin = time.Minute

// verbs are what can be done with a terminal, with the form of each.
func verbs() map[string]struct {
	usage string
	least int // arguments besides the name
	do    func(ts *testscript.TestScript, t *screentest.Terminal, neg bool, args []string)
} {
	return map[string]struct {
		usage string
		least int
		do    func(ts *testscript.TestScript, t *screentest.Terminal, neg bool, args []string)
	}{
		"attr":    {"[!] terminal attr NAME TEXT ATTRIBUTE...", 2, terminalAttr},
		"close":   {"terminal close NAME [CODE]", 0, terminalClose},
		"hangup":  {"terminal hangup NAME", 0, terminalHangUp},
		"mouse":   {"terminal mouse NAME ACTION COLUMN LINE", 3, terminalMouse},
		"paste":   {"terminal paste NAME FILE", 1, terminalPaste},
		"picture": {"terminal picture NAME FILE TITLE", 2, terminalPicture},
		"raw":     {"terminal raw NAME FILE", 1, terminalRaw},
		"resize":  {"terminal resize NAME COLSxROWS", 1, terminalResize},
		"screen":  {"terminal screen NAME FILE", 1, terminalScreen},
		"send":    {"terminal send NAME TEXT|<KEY>...", 1, terminalSend},
		"shows":   {"terminal shows NAME FILE", 1, terminalShows},
		"state":   {"terminal state NAME", 0, terminalState},
		"wait":    {"[!] terminal wait NAME REGEXP", 1, terminalWait},
	}
}

// cmdTerminal does something with a terminal: [!] terminal VERB NAME ARG...
func cmdTerminal(ts *testscript.TestScript, neg bool, args []string) {
	list := verbs()
	usage(ts, len(args) >= 2, "terminal open|"+strings.Join(slices.Sorted(maps.Keys(list)), "|")+" NAME ARG...")
	c, ok := ts.Value(claimKey{}).(*claim)
	if !ok {
		ts.Fatalf("no claim has terminals")
	}
	verb, name, rest := args[0], args[1], args[2:]
	if verb == "open" {
		usage(ts, !neg && len(rest) >= 2, "terminal open NAME COLSxROWS[,light][,legacy|,unclustered] PROG ARG...")
		c.openTerminal(ts, name, rest)
		return
	}
	v, ok := list[verb]
	if !ok {
		ts.Fatalf("terminal has no %q", verb)
	}
	usage(ts, len(rest) >= v.least && (!neg || strings.HasPrefix(v.usage, "[!]")), v.usage)
	t := c.terminals[name]
	if t == nil {
		ts.Fatalf("no terminal %q was opened", name)
	}
	v.do(ts, t, neg, rest)
}

// openTerminal starts a program on a terminal. Somebody sits at it, so that
// VEXA_NO_INPUT does not hold.
func (c *claim) openTerminal(ts *testscript.TestScript, name string, args []string) {
	if c.terminals[name] != nil {
		ts.Fatalf("terminal %q is open", name)
	}
	kind := strings.Split(args[0], ",")
	o := screentest.Options{Dir: ts.MkAbs("."), Command: slices.Clone(args[1:])}
	o.Cols, o.Rows = size(ts, kind[0])
	for _, k := range kind[1:] {
		switch k {
		case "light":
			o.Light = true
		case "legacy":
			o.Speaks = screentest.Legacy
		case "unclustered":
			o.Speaks = screentest.Unclustered
		default:
			ts.Fatalf("a terminal is light, legacy or unclustered, not %q", k)
		}
	}
	if o.Command[0] == "vexa" {
		o.Command[0] = filepath.Join(c.suite.bin, "vexa")
	}
	for _, v := range c.environ(ts) {
		if !strings.HasPrefix(v, "VEXA_NO_INPUT=") {
			o.Env = append(o.Env, v)
		}
	}
	t, err := screentest.Start(o)
	ts.Check(err)
	if c.terminals == nil {
		c.terminals = map[string]*screentest.Terminal{}
	}
	c.terminals[name] = t
	ts.Defer(func() {
		if c.terminals[name] != t {
			return // it was closed
		}
		if c.Failed() {
			c.note("-- terminal " + name + " --\n" + t.Screen().Text())
		}
		_ = t.Close() // what was not waited for is not proved
	})
}

// size reads COLSxROWS.
func size(ts *testscript.TestScript, text string) (cols, rows int) {
	if _, err := fmt.Sscanf(text, "%dx%d", &cols, &rows); err != nil || cols < 1 || rows < 1 || cols > 500 || rows > 500 {
		ts.Fatalf("%q is no size: COLSxROWS", text)
	}
	return cols, rows
}

func terminalSend(ts *testscript.TestScript, t *screentest.Terminal, _ bool, args []string) {
	ts.Check(t.Send(args...))
}

func terminalPaste(ts *testscript.TestScript, t *screentest.Terminal, _ bool, args []string) {
	t.Paste(ts.ReadFile(args[0]))
}

func terminalMouse(ts *testscript.TestScript, t *screentest.Terminal, _ bool, args []string) {
	x, err := strconv.Atoi(args[1])
	ts.Check(err)
	y, err := strconv.Atoi(args[2])
	ts.Check(err)
	ts.Check(t.Mouse(args[0], x, y))
}

func terminalResize(ts *testscript.TestScript, t *screentest.Terminal, _ bool, args []string) {
	cols, rows := size(ts, args[0])
	ts.Check(t.Resize(cols, rows))
}

// terminalWait waits until the screen matches, or with ! until it does not.
func terminalWait(ts *testscript.TestScript, t *screentest.Terminal, neg bool, args []string) {
	re, err := regexp.Compile("(?m)" + args[0])
	ts.Check(err)
	s, err := t.Wait(terminalWithin, func(s screentest.Screen) bool { return re.MatchString(s.Text()) != neg })
	if err != nil {
		ts.Fatalf("%q: %v; the screen is:\n%s", args[0], err, s.Text())
	}
}

// terminalScreen writes what is shown to a file.
func terminalScreen(ts *testscript.TestScript, t *screentest.Terminal, _ bool, args []string) {
	text := t.Screen().Text()
	ts.Logf("[screen]\n%s", text)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text), 0o600))
}

// terminalShows waits until the screen is what a file says.
func terminalShows(ts *testscript.TestScript, t *screentest.Terminal, _ bool, args []string) {
	want := strings.TrimRight(ts.ReadFile(args[0]), "\n")
	s, err := t.Wait(terminalWithin, func(s screentest.Screen) bool { return strings.TrimRight(s.Text(), "\n") == want })
	ts.Logf("[screen]\n%s", s.Text())
	if err != nil {
		ts.Fatalf("%s: %v; the screen is not what it says:\n%s\nbut:\n%s", args[0], err, want, s.Text())
	}
}

// terminalAttr looks at the cells of a text on the screen.
func terminalAttr(ts *testscript.TestScript, t *screentest.Terminal, neg bool, args []string) {
	cells := t.Screen().Find(args[0])
	if cells == nil {
		ts.Fatalf("%q is not on the screen:\n%s", args[0], t.Screen().Text())
	}
	all := true
	for _, attribute := range args[1:] {
		for _, cell := range cells {
			has, ok := cell.Has(attribute)
			if !ok {
				ts.Fatalf("there is no attribute %q", attribute)
			}
			all = all && has
		}
	}
	if all == neg {
		ts.Fatalf("%q: %+v", args[0], cells[0])
	}
}

// terminalState prints what is known of a terminal beside its text.
func terminalState(ts *testscript.TestScript, t *screentest.Terminal, _ bool, _ []string) {
	s, seen := t.Screen(), t.Seen()
	out, err := json.Marshal(map[string]any{
		"title": s.Title, "altScreen": s.AltScreen, "mouse": s.Mouse, "paste": s.Paste, "cols": s.Cols, "rows": s.Rows,
		"cursor": map[string]any{"x": s.Cursor.X, "y": s.Cursor.Y, "visible": s.Cursor.Visible, "shape": s.Cursor.Shape},
		"titles": seen.Titles, "clipboard": seen.Clipboard, "notifications": seen.Notifications, "links": seen.Links, "bells": seen.Bells,
		"unrestored": t.Unrestored(), "unknown": t.Unknown(),
	})
	ts.Check(err)
	fmt.Fprintf(ts.Stdout(), "%s\n", out)
}

// terminalRaw writes every byte that the program has written to a file.
func terminalRaw(ts *testscript.TestScript, t *screentest.Terminal, _ bool, args []string) {
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), t.Raw(), 0o600))
}

// terminalPicture draws the screen. A picture that the repository keeps is compared,
// or written anew where EnvPictures says so. Ids in it, which are others each time, are
// the same in every picture.
func terminalPicture(ts *testscript.TestScript, t *screentest.Terminal, _ bool, args []string) {
	picture, path := t.Screen().Picture(strings.Join(args[1:], " ")), ts.MkAbs(args[0])
	picture = regexp.MustCompile(`\b[0-9a-f]{12}\b`).ReplaceAll(picture, []byte("0c1d2e3f4a5b"))
	if strings.HasPrefix(path, ts.Getenv("WORK")+string(filepath.Separator)) || os.Getenv(EnvPictures) != "" {
		ts.Check(os.MkdirAll(filepath.Dir(path), 0o755))
		ts.Check(os.WriteFile(path, picture, 0o644))
		return
	}
	if kept, err := os.ReadFile(path); err != nil || !bytes.Equal(kept, picture) {
		ts.Fatalf("%s is not what the screen looks like (%v): set %s=1 to draw it anew", args[0], err, EnvPictures)
	}
}

// terminalClose waits until the program has ended with a code, by default 0, and left
// the terminal as it was.
func terminalClose(ts *testscript.TestScript, t *screentest.Terminal, _ bool, args []string) {
	want := 0
	if len(args) > 0 {
		var err error
		want, err = strconv.Atoi(args[0])
		ts.Check(err)
	}
	code, err := t.Exit(terminalWithin)
	text := t.Screen().Text()
	ts.Logf("[screen]\n%s", text)
	if err != nil {
		ts.Fatalf("%v", err)
	}
	if left := t.Unrestored(); len(left) > 0 {
		ts.Fatalf("it left of the terminal: %s", strings.Join(left, ", "))
	}
	if code != want {
		ts.Fatalf("it exited %d, not %d", code, want)
	}
	forget(ts, t)
	ts.Check(t.Close())
}

// terminalHangUp closes the window: the program has to leave by itself.
func terminalHangUp(ts *testscript.TestScript, t *screentest.Terminal, _ bool, _ []string) {
	forget(ts, t)
	ts.Check(t.Close())
}

// forget frees the name of a terminal.
func forget(ts *testscript.TestScript, t *screentest.Terminal) {
	if c, ok := ts.Value(claimKey{}).(*claim); ok {
		maps.DeleteFunc(c.terminals, func(_ string, other *screentest.Terminal) bool { return other == t })
	}
}
