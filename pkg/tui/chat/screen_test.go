package chat_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vexa-ai/vexa/pkg/client"
	"github.com/vexa-ai/vexa/pkg/client/clienttest"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/internal/goldentest"
	"github.com/vexa-ai/vexa/pkg/screentest"
	"github.com/vexa-ai/vexa/pkg/tui/chat"
)

var update = flag.Bool("update", false, "rewrite the goldens")

// socketVar has this program be a chat with the daemon on a socket.
const socketVar = "VEXA_CHAT_TEST_SOCKET"

// clockVar has its clock be the machine's, where it is not empty.
const clockVar = "VEXA_CHAT_TEST_CLOCK"

// interrupted is the exit code of a chat that was ended from outside.
const interrupted = 130

func TestMain(m *testing.M) {
	if socket := os.Getenv(socketVar); socket != "" {
		now := clienttest.Epoch
		if os.Getenv(clockVar) != "" {
			now = time.Now
		}
		p := chat.NewProgram(context.Background(), chat.Options{
			Daemon: client.New(client.Options{Socket: socket}), Request: idling(), Theme: chat.Theme(os.Getenv("VEXA_CHAT_TEST_THEME")), Now: now,
		}, chat.Terminal{In: os.Stdin, Out: os.Stdout})
		left, err := p.Run()
		fmt.Println(left)
		if err != nil {
			fmt.Println(err)
			if fault.Is(err, fault.Interrupted) {
				os.Exit(interrupted)
			}
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// sized is a chat on a terminal, in a process of its own.
type sized struct {
	t    *testing.T
	term *screentest.Terminal
	name string
}

func onTerminal(t *testing.T, d *daemon, cols, rows int, th chat.Theme) *sized {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return &sized{t, startChat(t, d, th, screentest.Options{Command: []string{self}, Cols: cols, Rows: rows}), fmt.Sprintf("%dx%d", cols, rows)}
}

// startChat starts a program that is a chat with a daemon.
func startChat(t *testing.T, d *daemon, th chat.Theme, o screentest.Options) *screentest.Terminal {
	t.Helper()
	o.Env = append(append(os.Environ(), o.Env...), socketVar+"="+d.socket, "VEXA_CHAT_TEST_THEME="+string(th))
	term, err := screentest.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = term.Close() })
	return term
}

// wait waits until the screen matches all patterns; those that begin with ! it must not.
func (s *sized) wait(patterns ...string) screentest.Screen {
	s.t.Helper()
	screen, err := s.term.Wait(20*time.Second, func(sc screentest.Screen) bool {
		for _, p := range patterns {
			p, not := strings.CutPrefix(p, "!")
			if regexp.MustCompile("(?m)"+p).MatchString(sc.Text()) == not {
				return false
			}
		}
		return true
	})
	if err != nil {
		s.t.Fatalf("%q: %v\n%s", patterns, err, screen.Text())
	}
	return screen
}

// golden waits likewise, and compares the screen with what it was.
func (s *sized) golden(name string, patterns ...string) {
	s.t.Helper()
	var got strings.Builder
	for line := range strings.Lines(s.wait(patterns...).Text()) {
		got.WriteString(strings.TrimRight(line, " \n") + "\n")
	}
	name = s.name + "-" + name
	if diff := cmp.Diff(goldentest.Want(s.t, name, got.String(), *update), got.String()); diff != "" {
		s.t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

func (s *sized) send(what ...string) {
	s.t.Helper()
	if err := s.term.Send(what...); err != nil {
		s.t.Fatal(err)
	}
}

// The screens that people see, in a terminal of each size.
func TestScreens(t *testing.T) {
	t.Parallel()
	for _, size := range [][2]int{{80, 24}, {120, 40}, {40, 12}} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			t.Parallel()
			d := newDaemon(t)
			s := onTerminal(t, d, size[0], size[1], chat.None)
			s.golden("empty", `Vexa`, `rehearsal`)
			s.send("reject and conflict, with a tool", "<enter>")
			s.golden("turn", `not in main`, `no network`, `!Esc stops`)
			s.send("<ctrl+o>")
			s.golden("diff", `plain text`)
			s.send("<tab>", "s")
			s.golden("sides", `plain text`, `Enter folds`, `side by side`)
			s.send("<up>", "<up>", "<up>", "<enter>")
			s.golden("call", `▾ ✗ write`)
			s.send("<esc>", "hello", "<enter>")
			s.wait(`✓ commit`, `!Esc stops`)
			s.send("<ctrl+o>")
			s.wait(`▾ ✓ commit`, `plain text`)
			s.send("<tab>", "u")
			s.golden("question", `y/N`, `plain text`)
			s.send("<esc>", "<esc>", "please wait", "<enter>")
			s.wait(`^ waiting`)
			s.send("and then this", "<enter>", "a draft of", "<alt+enter>", "two lines")
			s.golden("queue", `and then this`, `two lines`, `answering`)
			s.send("<ctrl+n>", "<ctrl+s>")
			s.golden("sessions", `new session .*shown`, `working`)
			s.send("<esc>", "<f1>")
			s.golden("help", `Writing`)
			s.send("<esc>", "<ctrl+p>", "sid")
			s.golden("commands", `^> sid`, `1 of \d+`)
			s.send("<esc>", "read @not")
			s.golden("completion", `note\.md`, `read @not`)
			s.send("<tab>", "<ctrl+u>", "/model ", "<enter>")
			s.golden("models", `Models`, `rehearsal`)
			s.send("<esc>", "/files", "<enter>", "note")
			s.golden("files", `^> note`, `1 of 4`, `enter name it`, `!(│ |^)…`)
			s.send("<esc>", "<ctrl+d>")
			s.wait(`y/N`)
			s.send("y")
			if code, err := s.term.Exit(20 * time.Second); code != 0 || err != nil {
				t.Errorf("%d, %v\n%s", code, err, s.term.Screen().Text())
			}
			if left := s.term.Unrestored(); len(left) > 0 {
				t.Errorf("the terminal is left with %q", left)
			}
			seen := s.term.Seen()
			if len(seen.Clipboard)+len(seen.Links)+seen.Bells+len(seen.Notifications) > 0 {
				t.Errorf("it tried %+v", seen)
			}
		})
	}
}

// The theme is what the terminal's background asks for.
func TestTheBackgroundDecides(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, light := range []bool{false, true} {
		d := newDaemon(t)
		term, err := screentest.Start(screentest.Options{
			Command: []string{self}, Light: light, Env: append(os.Environ(), socketVar+"="+d.socket, "VEXA_CHAT_TEST_THEME=auto"),
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = term.Close() })
		want := screentest.Color("#c58af9") // of headings
		if light {
			want = "#7b1fa2"
		}
		if _, err := term.Wait(20*time.Second, func(s screentest.Screen) bool {
			cells := s.Find("Vexa")
			return len(cells) > 0 && cells[0].Fg == want
		}); err != nil {
			t.Errorf("light %t: %v\n%s", light, err, term.Screen().Text())
		}
	}
}

// A chat ends with its terminal, also where nobody tells it so by a signal: the shell that
// leads the session has that. What runs goes on.
func TestAClosedTerminalEndsTheChat(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"hello", "please wait"} {
		d := newDaemon(t)
		term := startChat(t, d, chat.None, screentest.Options{Command: []string{"/bin/sh", "-c", `trap "" HUP; exec "$0"`, self}})
		s := &sized{t, term, ""}
		s.wait(`rehearsal`)
		s.send(text, "<enter>")
		s.wait(`✓ commit|^ waiting`)
		if err := term.Close(); err != nil {
			t.Errorf("%s: %v", text, err)
		}
		if code, err := term.Exit(20 * time.Second); code != interrupted || err != nil {
			t.Errorf("%s: exit code %d, %v", text, code, err)
		}
		list, err := d.client().Dispatches(t.Context(), false)
		if err != nil || len(list) != 1 || list[0].Busy != (text == "please wait") {
			t.Errorf("%s: %+v, %v", text, list, err)
		}
	}
}
