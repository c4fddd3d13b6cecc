package web_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/browsertest"
)

// newTalker is somebody in front of a daemon to talk to, in the chat of a session in which
// something was said.
func newTalker(t *testing.T) (*person, *talk) {
	t.Helper()
	p, d := newTalkerAtTheBeginning(t)
	started := d.begins("", "hello")
	p.goes("/chat/" + started.Session)
	p.sees("You said: hello")
	p.sees("no container now")
	return p, d
}

// newTalkerAtTheBeginning has said nothing yet.
func newTalkerAtTheBeginning(t *testing.T) (*person, *talk) {
	t.Helper()
	var d *talk
	p := newPersonBefore(t, browsertest.Options{Still: true}, func(h *house) http.Handler {
		d = newTalk(h)
		return d
	})
	p.sees("no workspace")
	return p, d
}

// newTalkerWhoWaits has messages that wait for the end of another's turn.
func newTalkerWhoWaits(t *testing.T, texts ...string) (*person, *talk) {
	t.Helper()
	p, d := newTalker(t)
	d.holds = true
	p.says("begin")
	p.must(p.Wait("text=Stop", false))
	p.says(texts...)
	return p, d
}

func (p *person) says(texts ...string) {
	p.t.Helper()
	for _, text := range texts {
		p.must(p.Type("textarea", text))
		p.must(p.Press("enter"))
		p.must(p.Until(`document.querySelector("textarea").value === ""`))
	}
}

// waits until the daemon says that something is so.
func (p *person) waits(what string, is func() bool) {
	p.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !is(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			p.t.Fatalf("it does not come to be: %s; the page says:\n%s", what, p.Text())
		}
	}
}

// box is what is written in it.
func (p *person) box() string {
	p.t.Helper()
	var text string
	eval(p.t, p.Browser, `document.querySelector("textarea").value`, &text)
	return text
}

// queue are the messages that wait.
func (p *person) queue() []string {
	p.t.Helper()
	var texts []string
	eval(p.t, p.Browser, `[...document.querySelectorAll(".queue .text")].map(e => e.textContent)`, &texts)
	return texts
}

// bubbles is each message that the chat shows, as often as it does.
func (p *person) bubbles() []string {
	p.t.Helper()
	var texts []string
	eval(p.t, p.Browser, `[...document.querySelectorAll(".said:not([hidden]) .bubble")].map(e => e.textContent)`, &texts)
	return texts
}

// A message that waited and is refused holds those behind it, over a reload, too, until
// somebody says that it is to go; then they go in their order, and the error with them.
func TestARefusalHoldsTheQueue(t *testing.T) {
	t.Parallel()
	p, d := newTalkerWhoWaits(t, "first", "second", "third")
	d.with(func() { d.refuses = true })
	d.letGo()
	p.sees("there is no room")
	p.must(p.Until(`performance.getEntriesByType("resource").filter(r => r.name.includes("session=")).length > 4`)) // it has looked since
	held := func(when string) {
		t.Helper()
		if got := d.texts(); !slices.Equal(got, []string{"begin", "first"}) {
			t.Fatalf("%s, it sent %q", when, got)
		}
		if got := p.queue(); !slices.Equal(got, []string{"first", "second", "third"}) || p.box() != "" {
			t.Errorf("%s, %q wait, and in the box is %q", when, got, p.box())
		}
	}
	held("refused")
	p.must(p.Reload())
	p.sees("You said: begin")
	p.sees("wait for some")
	p.must(p.Until(`document.querySelector("form.composer .primary").textContent === "Send"`))
	held("loaded anew")

	// What is edited goes in its place, and what was in the box is not lost for it.
	p.must(p.Type("textarea", "fourth"))
	p.must(p.Click("[aria-label='Edit “second”']"))
	p.must(p.Until(`document.querySelector("textarea").value === "second"`))
	if got := p.queue(); !slices.Equal(got, []string{"first", "fourth", "third"}) {
		t.Errorf("with the second in the box, %q wait", got)
	}
	p.must(p.Click("[aria-label='Remove “fourth”']"))
	p.must(p.Wait("[aria-label='Remove “fourth”']", true))
	d.with(func() { d.refuses = false })
	p.says(" and a half")
	p.sees("You said: third")
	if got := d.ran(); !slices.Equal(got, []string{"hello", "begin", "first", "second and a half", "third"}) {
		t.Errorf("it ran %q", got)
	}
	p.must(p.Until(`!document.querySelector(".problem")`))
}

// Where what was refused goes again by the button, the error goes with the next success.
func TestSendAgain(t *testing.T) {
	t.Parallel()
	p, d := newTalkerWhoWaits(t, "first", "second")
	d.with(func() { d.refuses = true })
	d.letGo()
	p.sees("there is no room")
	flaws, err := p.Flaws()
	p.must(err)
	if len(flaws) > 0 {
		t.Errorf("while it is held: %q", flaws)
	}
	p.presses("text=Send again")
	p.waits("first is sent twice", func() bool { return slices.Equal(d.texts(), []string{"begin", "first", "first"}) })
	p.sees("there is no room")
	d.with(func() { d.refuses = false })
	p.presses("text=Send again")
	p.sees("You said: second")
	p.must(p.Until(`!document.querySelector(".problem")`))
	p.must(p.Until(`document.activeElement.id === "message"`))
	if got := d.ran(); !slices.Equal(got, []string{"hello", "begin", "first", "second"}) {
		t.Errorf("it ran %q", got)
	}
}

// What was sent while there was no daemon goes once there is one, once, though the page
// was left or loaded anew.
func TestWhatWasSentIsKept(t *testing.T) {
	t.Parallel()
	for name, leaves := range map[string]func(p *person){
		"left by a link": func(p *person) { p.must(p.Click("text=Workspaces")); p.sees("the daemon does not answer") },
		"loaded anew":    func(p *person) { p.must(p.Open("about:blank")) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, d := newTalker(t)
			session := d.all[0].Session
			p.must(p.Until(`performance.getEntriesByType("resource").some(r => r.name.endsWith("proposals.js"))`))
			p.must(p.f.site.Close())
			p.says("do not lose this")
			p.must(p.Wait(".said.pending", false)) // it does not wait for what was said before
			leaves(p)
			p.f.restartedWith(d)
			if name == "loaded anew" {
				p.goes("/workspaces") // which is no chat
			}
			p.waits("the message is sent", func() bool { return slices.Equal(d.texts(), []string{"do not lose this"}) })
			if name == "loaded anew" {
				p.sees("changed")
				p.goes("/chat/" + session)
			} else {
				p.must(p.Until(`(history.back(), true)`))
			}
			p.sees("You said: do not lose this")
			if got := p.bubbles(); !slices.Equal(got, []string{"hello", "do not lose this"}) {
				t.Errorf("it shows %q", got)
			}
		})
	}
}

// What the daemon took whose answer nobody got is sent again as the same, and runs once.
func TestWhatWasTakenRunsOnce(t *testing.T) {
	t.Parallel()
	p, d := newTalkerAtTheBeginning(t)
	p.grants("ro")
	d.with(func() { d.gate, d.gives = make(chan struct{}), true })
	p.says("first", "second")
	p.waits("the first is taken", func() bool { return len(d.ran()) == 1 })
	p.must(p.Reload())
	p.must(p.Wait(".queue li", false))
	d.with(func() { close(d.gate); d.gate = nil })
	p.sees("You said: second")
	if got := d.ran(); !slices.Equal(got, []string{"first", "second"}) {
		t.Errorf("it ran %q, sent %q", got, d.texts())
	}
	if got := p.bubbles(); !slices.Equal(got, []string{"first", "second"}) {
		t.Errorf("it shows %q", got)
	}
	one, same, next := d.asked[0], d.asked[1], d.asked[2]
	if one.Key == "" || one.Key != same.Key || next.Key == one.Key || next.Session != d.all[0].Session {
		t.Errorf("it asked %+v", d.asked)
	}
	if len(same.Workspaces) != 1 || same.Workspaces[0].Workspace != "notes" || same.Workspaces[0].Mode != "ro" {
		t.Errorf("sent again, it is with %+v", same.Workspaces)
	}
}

// A tab and its copy send what waits in both, and each message runs once.
func TestACopyOfATab(t *testing.T) {
	t.Parallel()
	p, d := newTalkerWhoWaits(t, "first", "second")
	var kept map[string]string
	eval(t, p.Browser, `({...sessionStorage})`, &kept)
	tab, err := p.Tab()
	p.must(err)
	defer tab.Close()
	other := &person{tab, t, p.f, p.h}
	other.goes("/workspaces")
	other.sees("changed")
	for name, value := range kept {
		eval(t, tab, `sessionStorage.setItem(`+quote(name)+`, `+quote(value)+`) ?? 0`, new(int))
	}
	other.goes("/chat/" + d.all[0].Session)
	other.must(other.Until(`document.querySelectorAll(".queue li").length === 2`))
	d.letGo()
	for _, w := range []*person{p, other} {
		w.sees("You said: second")
		w.must(w.Until(`document.querySelectorAll(".queue li").length === 0`))
	}
	p.waits("both have sent both", func() bool { return len(d.texts()) == 5 })
	if got := d.ran(); !slices.Equal(got, []string{"hello", "begin", "first", "second"}) {
		t.Errorf("it ran %q, sent %q", got, d.texts())
	}
	for _, w := range []*person{p, other} {
		if got := w.bubbles(); !slices.Equal(got, []string{"hello", "begin", "first", "second"}) {
			t.Errorf("it shows %q", got)
		}
	}
}

// A message that was refused is in the box again, and kept: over a reload, and where the
// view was left before the answer came.
func TestWhatWasRefusedIsKept(t *testing.T) {
	t.Parallel()
	p, d := newTalker(t)
	d.refuses = true
	p.must(p.Type("textarea", "say no"))
	p.must(p.Press("enter"))
	p.sees("there is no room")
	p.must(p.Until(`document.querySelector("textarea").value === "say no"`))
	p.must(p.Reload())
	p.must(p.Until(`document.querySelector("textarea")?.value === "say no"`))

	gate := make(chan struct{})
	d.with(func() { d.gate = gate })
	p.must(p.Reach("textarea"))
	p.must(p.Press("enter"))
	p.waits("it is sent again", func() bool { return len(d.texts()) == 2 })
	p.must(p.Click("text=Workspaces"))
	p.sees("changed")
	close(gate)
	p.must(p.Until(`performance.getEntriesByType("resource").some(r => r.name.endsWith("/api/dispatches") && r.responseStatus === 409)`))
	p.must(p.Until(`(history.back(), true)`))
	p.sees("You said: hello")
	p.sees("there is no room")
	p.must(p.Until(`document.querySelector("textarea").value === "say no"`))
	p.must(p.Reload())
	p.must(p.Until(`document.querySelector("textarea")?.value === "say no"`))
	if got := d.texts(); len(got) != 2 {
		t.Errorf("it sent %q", got)
	}
}

// A chat that was left before its first message was taken leaves the page as it is, and
// follows nothing; the session is found under Sessions.
func TestAChatThatWasLeftChangesNothing(t *testing.T) {
	t.Parallel()
	p, d := newTalkerAtTheBeginning(t)
	p.grants("rw")
	gate := make(chan struct{})
	d.with(func() { d.gate, d.holds = gate, true })
	p.says("begin something")
	p.waits("it is sent", func() bool { return len(d.texts()) == 1 })
	p.must(p.Click("text=Workspaces"))
	p.sees("changed")
	close(gate)
	p.must(p.Until(`performance.getEntriesByType("resource").some(r => r.name.endsWith("/api/dispatches") && r.initiatorType === "fetch" && r.responseStatus === 200)`))
	<-time.After(300 * time.Millisecond) // a page that follows has asked by then
	var at string
	eval(t, p.Browser, `location.pathname + " " + document.title`, &at)
	if at != "/workspaces Workspaces · Vexa" {
		t.Errorf("the page is %q", at)
	}
	d.with(func() {
		if d.streams > 0 {
			t.Errorf("it follows %d dispatches", d.streams)
		}
	})
	p.must(p.Click("text=Sessions"))
	p.sees("About begin something")
	p.must(p.Click(".rows a"))
	p.must(p.Wait("text=Stop", false))
	if got := p.bubbles(); !slices.Equal(got, []string{"begin something"}) {
		t.Errorf("it shows %q", got)
	}
	p.must(p.Click("text=Chat"))
	p.sees("What is to be done?")
	if text := p.Text(); strings.Contains(text, "begin something") {
		t.Errorf("a new chat says\n%s", text)
	}
}

// What was written and what was sent is gone with who signs out: nobody who signs in next
// sends it.
func TestSigningOutForgets(t *testing.T) {
	t.Parallel()
	p, d := newTalker(t)
	gate := make(chan struct{})
	defer close(gate)
	d.with(func() { d.gate = gate })
	p.says("CANARY one")
	p.waits("it was sent", func() bool { return len(d.texts()) == 1 })
	p.says("CANARY two")
	p.must(p.Type("textarea", "CANARY three"))
	p.must(p.Click("text=Sign out"))
	p.sees("Run this in a terminal")
	var left []string
	eval(t, p.Browser, `Object.entries({...sessionStorage}).flat()`, &left)
	if len(left) > 0 {
		t.Errorf("there is left %q", left)
	}
}

// A message that was refused while nobody saw it comes before what is said next, and both
// wait behind the word of it.
func TestRefusedMeanwhile(t *testing.T) {
	t.Parallel()
	p, d := newTalker(t)
	var done bool
	eval(t, p.Browser, `import("/assets/keep.js").then(({save, queueKey, holdKey}) => {
		const session = location.pathname.split("/").at(-1);
		save(queueKey(session), [{text: "first", key: "0123456789abcdef"}]);
		save(holdKey(session), {message: "it was refused", hint: ""});
		return true;
	})`, &done)
	p.must(p.Type("textarea", "second"))
	p.must(p.Press("enter"))
	p.sees("it was refused")
	if got, want := p.queue(), []string{"first", "second"}; !slices.Equal(got, want) || len(d.texts()) > 0 {
		t.Errorf("there wait %q, want %q, and it sent %q", got, want, d.texts())
	}
	p.must(p.Click("text=Send again"))
	p.sees("You said: second")
	if got, want := d.texts(), []string{"first", "second"}; !slices.Equal(got, want) {
		t.Errorf("it sent %q", got)
	}
}
