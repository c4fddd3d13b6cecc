package web_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/vexa-ai/vexa/pkg/browsertest"
)

// A commit that was taken back since is shown as that, and is not to be taken back again.
func TestTakenBack(t *testing.T) {
	t.Parallel()
	p := newPerson(t, browsertest.Options{Still: true})
	p.h.undone = "fedcba98" + commit[8:]
	for _, path := range []string{"/chat/" + session, "/dispatches/" + unit} {
		p.goes(path)
		p.sees("Undone 1 file in notes 0123456789ab, by fedcba9889ab")
		p.presses(".commit > summary")
		p.sees("three otters")
		if p.offersUndo() {
			t.Errorf("%s: it can be taken back again", path)
		}
	}
	p.h.with(func() { p.h.undone = "" })
	p.goes("/chat/" + session)
	p.sees("Saved 1 file in notes 0123456789ab")
	p.presses(".commit > summary", "text=Undo")
	p.sees("Undo it")
	p.must(p.Press("enter"))
	p.sees("Undone by 0123456789ab")
	p.sees("Undone 1 file in notes 0123456789ab, by 0123456789ab")
	if got := p.focus(); !strings.Contains(got, "Undone by") {
		t.Errorf("after the undo %q has the focus", got)
	}
}

// What was kept aside is shown as what people made of it since.
func TestKeptAside(t *testing.T) {
	t.Parallel()
	p := newPerson(t, browsertest.Options{Still: true})
	p.h.story.say("commit", map[string]any{"workspace": "w", "name": "notes", "sha": commit, "branch": "refs/heads/vexa/" + proposal, "merged": false, "files": 1, "source": "host"})
	for _, c := range [][2]string{
		{"open", "It needs approval, and is not in main: review the proposal"},
		{"rejected", "It was rejected, and is not in main: see the proposal"},
		{"accepted", "It waited for people, and was merged: see the proposal"},
	} {
		status, want := c[0], c[1]
		p.h.with(func() { p.h.status = status })
		p.goes("/chat/" + session)
		p.sees(want)
		p.must(p.Until(fmt.Sprintf(`document.body.innerText.includes("Merged 1 file") === %t`, status == "accepted")))
	}
	p.presses("text=see the proposal")
	p.sees("Count again")
}

// Where an undo waits for people it is not made again, however often the pages are read.
func TestUndoThatWaits(t *testing.T) {
	t.Parallel()
	p := newPerson(t, browsertest.Options{Still: true})
	p.h.with(func() { p.h.policy = true })
	p.goes("/chat/" + session)
	p.sees("Saved 1 file in notes 0123456789ab")
	p.presses(".commit > summary", "text=Undo")
	p.sees("Undo it")
	p.must(p.Press("enter"))
	p.sees("Saved 1 file in notes 0123456789ab, its undo waits")
	if got := p.focus(); !strings.Contains(got, "The undo waits in a proposal") {
		t.Errorf("after the undo %q has the focus", got)
	}
	for _, path := range []string{"/chat/" + session, "/dispatches/" + unit, "/workspaces/notes?commit=" + commit} {
		p.goes(path)
		if !strings.Contains(path, "commit=") {
			p.sees("its undo waits")
			p.presses(".commit > summary")
		}
		p.sees("three otters")
		p.sees("The undo waits in a proposal")
		if p.offersUndo() {
			t.Errorf("%s: it can be taken back again", path)
		}
	}
	p.presses("text=a proposal")
	p.sees("Count again")
}

// The pages of a workspace say what was taken back, too.
func TestTakenBackInTheHistory(t *testing.T) {
	t.Parallel()
	p := newPerson(t, browsertest.Options{Still: true})
	p.goes("/workspaces/notes?commit=" + commit)
	p.sees("three otters")
	if !p.offersUndo() {
		t.Error("the last commit cannot be taken back")
	}
	p.h.with(func() { p.h.undone = "fedcba98" + commit[8:] })
	p.goes("/workspaces/notes?view=history")
	p.sees("Commit 1")
	var marked []string
	eval(t, p.Browser, `[...document.querySelectorAll(".history li")].filter((li) => li.querySelector(".badge")?.innerText === "undone").map((li) => li.querySelector("a").innerText)`, &marked)
	if len(marked) != 1 || marked[0] != "Count" {
		t.Errorf("the history marks %q", marked)
	}
	p.goes("/workspaces/notes?commit=" + commit)
	p.sees("Taken back by fedcba9889ab")
	if p.offersUndo() {
		t.Error("it can be taken back again")
	}
}

func (p *person) offersUndo() bool {
	p.t.Helper()
	var undo bool
	eval(p.t, p.Browser, `[...document.querySelectorAll("main button")].some((b) => b.innerText === "Undo")`, &undo)
	return undo
}
