package chat_test

import (
	"fmt"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"

	tea "charm.land/bubbletea/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/vexa-ai/vexa/pkg/screentest"
	"github.com/vexa-ai/vexa/pkg/tui/chat"
)

// numbered is a message with so many words that can be told apart.
func numbered(n int) string {
	words := []string{"quiet"}
	for i := range n {
		words = append(words, fmt.Sprintf("w%03d", i))
	}
	return strings.Join(words, " ")
}

// The wheel scrolls the transcript, and what lies over it where something does.
func TestTheWheel(t *testing.T) {
	t.Parallel()
	s := onTerminal(t, newDaemon(t), 60, 16, chat.None)
	s.wait(`rehearsal`)
	s.send(numbered(150), "<enter>")
	s.wait(`w149`, `!Esc stops`, `!↓ more`, `!^ > quiet`)
	wheel := func(to string) {
		t.Helper()
		if err := s.term.Mouse("wheel-"+to, 10, 3); err != nil {
			t.Fatal(err)
		}
	}
	before := s.term.Screen()
	wheel("up")
	screen := s.wait(`↓ more`)
	if got, want := screen.Line(wheelLines), before.Line(0); got != want {
		t.Errorf("the first line was %q, %d lines below is %q", want, wheelLines, got)
	}
	for range 20 {
		wheel("up")
	}
	s.wait(`^ > quiet w000`, `↓ more`)
	for range 21 {
		wheel("down")
	}
	s.wait(`w149`, `!↓ more`, `!^ > quiet`)

	s.send("<f1>")
	help := s.wait(`^Writing`)
	wheel("down")
	s.wait(`!^Writing`)
	wheel("up")
	s.wait(`^Writing`)
	s.send("<esc>")
	if after := s.wait(`w149`, `!↓ more`); help.Contains("w149") || after.Line(0) != before.Line(0) {
		t.Errorf("the transcript was scrolled behind what lies over it:\n%s", after.Text())
	}
}

// wheelLines is how far one step of the wheel goes.
const wheelLines = 3

// gated has the frames of dispatches come one by one, each for one token.
func gated(tokens <-chan struct{}) func(http.Handler) http.Handler {
	return func(d http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/frames") {
				w = gate{w, w.(http.Flusher), tokens, r.Context().Done()}
			}
			d.ServeHTTP(w, r)
		})
	}
}

type gate struct {
	http.ResponseWriter
	http.Flusher
	tokens <-chan struct{}
	gone   <-chan struct{}
}

// Write implements http.ResponseWriter.
func (g gate) Write(p []byte) (int, error) {
	select {
	case <-g.tokens:
	case <-g.gone:
	}
	return g.ResponseWriter.Write(p)
}

// A terminal that changes its size while an answer comes shows all of it, and nothing
// else: what is on it is what is drawn of the session afresh.
func TestAResizeWhileAnAnswerComes(t *testing.T) {
	t.Parallel()
	d := newDaemon(t)
	tokens := make(chan struct{})
	d.overriding(gated(tokens))
	s := onTerminal(t, d, 70, 40, chat.Dark)
	s.wait(`rehearsal`)
	give := func(n int) {
		for range n {
			tokens <- struct{}{}
		}
	}
	text := strings.TrimPrefix(numbered(200), "quiet ") + " 漢字 " + family + " the end of it"
	s.send(text, "<enter>")
	give(4)
	sizes := [][2]int{{40, 20}, {100, 30}, {30, 10}, {70, 50}, {61, 33}, {24, 8}, {80, 60}}
	for i, size := range sizes {
		give(24) // 72 characters each
		if err := s.term.Resize(size[0], size[1]); err != nil {
			t.Fatal(err)
		}
		give(16)
		s.wait(fmt.Sprintf(`w%03d`, (i+1)*40*3/5-8))
	}
	close(tokens) // the rest
	screen := s.wait(`✓ commit`, `the end of it\n`, `!Esc stops`)
	for i := range 200 {
		if n := strings.Count(screen.Text(), fmt.Sprintf("w%03d", i)); n != 2 && i > 12 { // the title has the first ones
			t.Errorf("w%03d is there %d times", i, n)
		}
	}
	b := newBench(t, chat.Options{Daemon: d.client(), Open: chat.Opening{Latest: true}, Request: idling()})
	b.give(tea.WindowSizeMsg{Width: screen.Cols, Height: screen.Rows})
	b.wait(`✓ commit`)
	b.waitNot(`Esc stops`)
	if diff := cmp.Diff(transcript(b.text()), transcript(screen.Text())); diff != "" {
		t.Errorf("drawn afresh it is another one (-afresh +here):\n%s", diff)
	}
}

// transcript is what stands above the rule of a screen, without blanks at the ends of lines.
func transcript(screen string) string {
	above, _, _ := strings.Cut(regexp.MustCompile(`(?m) +$`).ReplaceAllString(screen, ""), "\n─")
	return above
}

// Enter with nothing written stops the turn and sends what waits, on a terminal and by
// its own clock.
func TestSteeringOnATerminal(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	d := newDaemon(t)
	s := &sized{t, startChat(t, d, chat.None, screentest.Options{Command: []string{self}, Env: []string{clockVar + "=1"}}), ""}
	s.wait(`rehearsal`)
	s.send("please wait", "<enter>")
	s.wait(`^ waiting`)
	s.send("do this instead", "<enter>", "<enter>") // the second is one that bounced
	s.wait(`do this instead`, `Enter stops, and sends it now`)
	second := regexp.MustCompile(`answering, (\d+) s`)
	was := second.FindString(s.wait(`answering, \d+ s`).Text())
	now := second.FindString(s.wait(`answering, \d+ s`, "!"+was).Text())
	s.wait(`answering, \d+ s`, "!"+was, "!"+now) // a whole second, at least
	if n := len(d.Starts()); n != 1 {
		t.Fatalf("%d messages are sent before it is said", n)
	}
	s.send("<enter>")
	s.wait(` ! interrupted`, `you said: do this instead`, `!Esc stops`)
	if n := len(d.Starts()); n != 2 {
		t.Errorf("%d messages", n)
	}
}

// What somebody pushes while the chat is open is a command as soon as it is asked for:
// completed, and sent as it is written there.
func TestACommandThatIsPushed(t *testing.T) {
	t.Parallel()
	b, d := start(t)
	b.press("'/rev")
	b.wait(`▸ /review`) // what was there before is known
	b.press("esc", "ctrl+u", "'/sh")
	b.wait(`^> /sh`)
	b.until("what was read is there", func() bool { return !b.m.Reading() })
	b.hides(`/show`)
	b.press("esc", "ctrl+u")
	d.overriding(func(before http.Handler) http.Handler {
		mux := http.NewServeMux()
		mux.Handle("/", before)
		mux.HandleFunc("GET /v1/workspaces/personal/files", func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, `[{"path":".vexa/commands/show.md","mode":"100644","size":61,"sha":"257cc5642cb1a054f08cc83f2d943e56fd3ebe99"}]`)
		})
		mux.HandleFunc("GET /v1/workspaces/personal/file", func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Query().Get("path") != ".vexa/commands/show.md" {
				before.ServeHTTP(w, r)
				return
			}
			fmt.Fprint(w, "---\ndescription: Show a file\nargument-hint: [file]\n---\nquiet: show $1\n")
		})
		return mux
	})
	b.press("'/sh")
	b.wait(`▸ /show \[file\] +personal: Show a file`)
	b.press("enter")
	b.wait(`^> /show`)
	b.press("'otters.md", "enter")
	b.wait(`^ you said: quiet: show otters\.md`)
	if got := d.Starts()[0].Text; got != "quiet: show otters.md" {
		t.Errorf("%q is sent", got)
	}
}
