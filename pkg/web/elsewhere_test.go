package web_test

import (
	"slices"
	"testing"

	"github.com/vexa-ai/vexa/pkg/browsertest"
	"github.com/vexa-ai/vexa/pkg/contract/runtimev1"
)

// An open chat shows what others say in its session, each in a container of its own, in
// order, and by itself.
func TestTurnsBegunElsewhere(t *testing.T) {
	t.Parallel()
	p, d := newTalker(t)
	session := d.all[0].Session
	d.begins(session, "one")
	d.begins(session, "two")
	d.with(func() { d.holds = true })
	d.begins(session, "three")
	d.begins("", "of another conversation")
	p.sees("You said: two")
	p.must(p.Wait("text=Stop", false))
	p.says("mine") // it waits for the turn that runs
	p.must(p.Wait("[aria-label='Remove “mine”']", false))
	d.letGo()
	p.sees("You said: mine")
	if got := p.bubbles(); !slices.Equal(got, []string{"hello", "one", "two", "three", "mine"}) {
		t.Errorf("it shows %q", got)
	}
}

// What began elsewhere is shown before what is said here next.
func TestSaidAfterATurnElsewhere(t *testing.T) {
	t.Parallel()
	p, d := newTalker(t)
	session := d.all[0].Session
	for range 2 {
		p.must(p.Type("textarea", "mine"))
		d.begins(session, "theirs")
		p.must(p.Press("enter"))
		p.must(p.Until(`document.querySelector("textarea").value === ""`))
		p.waits("mine is said", func() bool { return d.ran()[len(d.ran())-1] == "mine" })
	}
	p.must(p.Until(`document.querySelectorAll(".answer").length === 5`))
	if got := p.bubbles(); !slices.Equal(got, []string{"hello", "theirs", "mine", "theirs", "mine"}) {
		t.Errorf("it shows %q", got)
	}
}

// A message whose turn is seen before it is known to be its own is shown once.
func TestTheTurnComesBeforeTheAnswer(t *testing.T) {
	t.Parallel()
	p, d := newTalker(t)
	gate := make(chan struct{})
	d.with(func() { d.gate, d.gives = gate, true })
	p.says("mine")
	p.sees("You said: mine")
	for _, answered := range []bool{false, true} {
		if answered {
			close(gate)
			p.must(p.Until(`document.querySelector("form.composer .primary").textContent === "Send"`))
		}
		if got := p.bubbles(); !slices.Equal(got, []string{"hello", "mine"}) {
			t.Errorf("answered %v, it shows %q", answered, got)
		}
	}
}

// A message of which nothing comes is not left without a word.
func TestAMessageOfWhichNothingComes(t *testing.T) {
	t.Parallel()
	p, d := newTalker(t)
	gate := make(chan struct{})
	d.with(func() {
		d.gate, d.holds = gate, true
		d.begin(d.all[0].Session, "stuck")
		s := d.all[1]
		s.State = runtimev1.Stopping
		s.story.say("turn-done", map[string]any{"ok": true, "session": s.Session, "reply": "", "outcome": "completed", "source": "host"})
	})
	p.sees("stuck")
	p.must(p.Until(`document.querySelector("form.composer .primary").textContent === "Send"`))
	p.says("after it")
	p.sees("the daemon is there; the dispatch is stopping; it has not taken the message yet")
	p.must(p.Until(`document.querySelector(".sr[role=status]").textContent.startsWith("The agent works. The daemon is there; the dispatch is stopping")`))
	close(gate)
	d.letGo()
	p.sees("You said: after it")
	p.must(p.Until(`!document.body.innerText.includes("the daemon is there")`))
}

// A conversation that was not saved yet is called by what began it.
func TestTitleBeforeItIsSaved(t *testing.T) {
	t.Parallel()
	p, d := newTalkerAtTheBeginning(t)
	d.with(func() { d.unsaved = true })
	p.goes("/chat/" + d.begins("", "count the otters\nand the herons").Session)
	p.must(p.Until(`document.title.startsWith("count the otters ·")`))
	p.must(p.Until(`document.querySelector("h1").innerText === "count the otters"`))
}

// The list of dispatches says of each which conversation it is of, and whether it only waits.
func TestDispatchesAtAGlance(t *testing.T) {
	t.Parallel()
	p := newPerson(t, browsertest.Options{Still: true})
	p.h.with(func() { p.h.live = true })
	p.goes("/dispatches")
	p.sees("idle")
	p.presses("text=count the otters")
	p.sees("There are three.")
}
