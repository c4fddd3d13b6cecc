package web_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/browsertest"
)

// person is somebody at a browser, in front of a daemon that has something to show.
type person struct {
	*browsertest.Browser

	t *testing.T
	f *fixture
	h *house
}

func newPerson(t *testing.T, o browsertest.Options) *person {
	t.Helper()
	return newPersonBefore(t, o, func(h *house) http.Handler { return h })
}

// newPersonBefore has front answer in place of the house.
func newPersonBefore(t *testing.T, o browsertest.Options, front func(*house) http.Handler) *person {
	t.Helper()
	f, h := newFixture(t), newHouse()
	if _, err := f.site.Open(t.Context(), front(h)); err != nil {
		t.Fatal(err)
	}
	return &person{f.window(o), t, f, h}
}

func (p *person) must(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

func (p *person) goes(path string) {
	p.t.Helper()
	p.must(p.Open(p.f.origin() + path))
}

func (p *person) sees(text string) {
	p.t.Helper()
	p.must(p.Until(`document.body.innerText.includes(` + quote(text) + `)`))
}

// presses reaches things by Tab and presses Enter on each.
func (p *person) presses(things ...string) {
	p.t.Helper()
	for _, what := range things {
		p.must(p.Reach(what))
		p.must(p.Press("enter"))
	}
}

// focus is what the focused element says.
func (p *person) focus() string {
	p.t.Helper()
	var got string
	eval(p.t, p.Browser, `document.activeElement === document.body ? "nothing" : document.activeElement.innerText || document.activeElement.getAttribute("aria-label")`, &got)
	return got
}

// chooses an option of what a new chat gives its agent.
func (p *person) chooses(what, option string) {
	p.t.Helper()
	eval(p.t, p.Browser, `(e => (e.value = `+quote(option)+`, e.dispatchEvent(new Event("change", {bubbles: true}))))(document.querySelector(`+quote(what)+`))`, new(bool))
}

// grants has the agent of a new chat read notes, or write them, too.
func (p *person) grants(mode string) {
	p.t.Helper()
	p.must(p.Click(".options summary"))
	p.chooses("[aria-label='What the agent may do with notes']", mode)
}

// did waits until a page has done something.
func (p *person) did(act string) {
	p.t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !slices.ContainsFunc(p.h.acts(), func(a string) bool { return strings.Contains(a, act) }) {
		if time.Now().After(deadline) {
			p.t.Fatalf("%q was not done: %q", act, p.h.acts())
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// Each page can be used by who sees little, or nothing, in every window.
func TestPagesHaveNoFlaws(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]browsertest.Options{
		"light": {Still: true}, "dark": {Still: true, Dark: true},
		"phone": {Width: 360, Height: 740, Touch: true, Still: true}, "small dark phone": {Width: 320, Height: 568, Touch: true, Dark: true, Still: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPerson(t, o)
			for path, shows := range map[string]string{
				"/": "a rehearsal plays", "/chat/" + session: "Saved", "/sessions": "count the otters", "/dispatches": unit, "/dispatches/" + unit: "Saved",
				"/workspaces": "notes", "/workspaces/notes": "Otters", "/workspaces/notes?path=README.md&view=source": "# Otters", "/workspaces/notes?view=history": "Commit 1", "/workspaces/notes?view=changes": "three otters",
				"/workspaces/notes?commit=" + commit: "three otters", "/workspaces/notes?path=none.md": "there is no none.md", "/workspaces/notes?path=empty.md": "It is empty.", "/workspaces/none": "vexa workspace list shows them",
				"/chat/22222222-2222-4222-8222-222222222222": "there is no such session", "/nonsense": "there is no such page", "/proposals": "Count again", "/proposals/notes/" + proposal: "Take what is proposed",
			} {
				p.goes(path)
				p.sees(shows)
				flaws, err := p.Flaws()
				p.must(err)
				for _, f := range flaws {
					t.Errorf("%s: %s", path, f)
				}
				var out bool
				eval(t, p.Browser, `(r => r.width > 0 && r.right <= innerWidth && r.bottom <= innerHeight)(document.getElementById("sign-out").getBoundingClientRect())`, &out)
				if !out {
					t.Errorf("%s: nobody can sign out", path)
				}
			}
			if name == "phone" {
				var cut bool
				eval(t, p.Browser, `(n => n.scrollWidth > n.clientWidth)(document.querySelector("header nav"))`, &cut)
				if cut {
					t.Error("the navigation is cut off")
				}
			}
		})
	}
}

// Reading, undoing and deciding need no mouse, and the focus is never lost on the way.
func TestKeysAlone(t *testing.T) {
	t.Parallel()
	p := newPerson(t, browsertest.Options{Still: true})
	p.presses("text=Workspaces")
	p.sees("changed")
	p.presses("text=notes")
	p.sees("Otters")
	p.presses("text=README.md")
	p.sees("Source")
	p.presses("text=Skip 4 files") // there may be thousands
	p.must(p.Press("tab"))
	if got := p.focus(); got != "notes" {
		t.Errorf("past the files %q has the focus", got)
	}
	p.presses("text=History")
	p.sees("Commit 1")
	p.presses("text=Earlier")
	p.sees("Commit 59")
	if got := p.focus(); got != "Commit 50" {
		t.Errorf("after more was asked for %q has the focus", got)
	}
	p.must(p.Press("enter"))
	p.sees("three otters")

	// Escape is no, and Enter is yes; both leave the focus where things go on.
	p.presses("text=Undo")
	p.sees("Take this commit back?")
	if got := p.focus(); got != "Yes" {
		t.Errorf("asked, %q has the focus", got)
	}
	p.must(p.Press("escape"))
	if got := p.focus(); got != "Undo" || len(p.h.acts()) > 0 {
		t.Errorf("after Escape %q has the focus, and it did %q", got, p.h.acts())
	}
	p.must(p.Press("enter"))
	p.must(p.Press("enter"))
	p.sees("Done, by commit")
	p.did("/workspaces/notes/undo")
	if got := p.focus(); !strings.Contains(got, "Done, by commit") {
		t.Errorf("after the undo %q has the focus", got)
	}

	p.presses("text=Proposals")
	p.sees("Count again")
	p.presses(".rows a")
	p.sees("1 conflict to resolve")
	p.presses("text=Take what is proposed")
	p.sees("Resolved: a.md")
	if got := p.focus(); !strings.HasPrefix(got, "Count again") {
		t.Errorf("after the conflict was resolved %q has the focus", got)
	}
	p.did("/resolve")
	p.presses("text=Comment")
	p.sees("there is nothing to say yet")
	if got := p.focus(); got != "Comment" {
		t.Errorf("without a word %q has the focus", got)
	}
	p.must(p.Type("[aria-label=Comment]", "Well counted"))
	p.presses("text=Comment")
	p.sees("Said.")
	p.did(`/comment {"text":"Well counted"}`)
	p.presses("text=Approve and sign")
	p.sees("Signed with this installation")
	p.did("/approve")
	p.presses("text=Reject")
	p.sees("without merging it?")
	p.must(p.Press("escape"))
	p.presses("text=Merge into main")
	p.sees("Merged.")
	p.did("/accept")
	for _, a := range p.h.acts() {
		if strings.Contains(a, "/reject") {
			t.Error("it was rejected")
		}
	}

	p.presses("text=Sign out")
	p.sees("vexa web")
	if got := p.focus(); got != "Sign in" {
		t.Errorf("signed out, %q has the focus", got)
	}
}

// A list that is drawn anew while somebody is in it leaves the focus where it was.
func TestFocusStaysInAListThatChanges(t *testing.T) {
	t.Parallel()
	p := newPerson(t, browsertest.Options{Still: true})
	p.h.live = true
	p.goes("/dispatches")
	p.must(p.Reach("text=" + unit))
	p.h.mu.Lock()
	p.h.did = append(p.h.did, "a turn") // which the list counts
	p.h.mu.Unlock()
	p.must(p.Until(`[...document.querySelectorAll("td.number")][0].innerText === "1"`))
	if got := p.focus(); got != unit {
		t.Errorf("%q has the focus", got)
	}
}

// Who comes back is where they were: as far down the page, on the link that they followed.
func TestComingBack(t *testing.T) {
	t.Parallel()
	p := newPerson(t, browsertest.Options{Still: true})
	p.goes("/workspaces/notes?view=history")
	p.sees("Commit 40")
	p.presses("text=Commit 40")
	p.sees("three otters")
	p.must(p.Until(`(history.back(), true)`))
	p.must(p.Until(`document.activeElement.innerText === "Commit 40"`))
	var y int
	eval(t, p.Browser, `Math.round(scrollY)`, &y)
	if y < 500 {
		t.Errorf("it is %d pixels down the page", y)
	}
}

// An address that is none says so, and leads on.
func TestNoSuchPage(t *testing.T) {
	t.Parallel()
	p := newPerson(t, browsertest.Options{Still: true})
	v := p.f.visitor()
	for range 2 {
		p.goes("/nonsense/and/more")
		p.sees("there is no such page")
		p.must(p.Until(`document.title === "Not found · Vexa"`))
		p.presses("text=Go to the chat")
		p.sees("What is to be done?")
	}
	page := v.ask(http.MethodGet, "/nonsense", "", with("Accept", "text/html"), with("If-None-Match", v.ask(http.MethodGet, "/", "").Header.Get("Etag")))
	if page.StatusCode != http.StatusNotFound || !strings.Contains(string(page.body), "<main") {
		t.Errorf("a person gets %s", page.Status)
	}
	wantError(t, v.ask(http.MethodGet, "/nonsense", ""), http.StatusNotFound)
	wantError(t, v.ask(http.MethodPost, "/nonsense", "{}", with("Accept", "text/html")), http.StatusNotFound)
	wantError(t, v.ask(http.MethodGet, "/nonsense", "", with("Accept", "text/html"), with("Sec-Fetch-Dest", "iframe")), http.StatusNotFound)
}

// What waits and what stops the agent is reached by keys, and leaves the focus in the box.
func TestStoppingByKeys(t *testing.T) {
	t.Parallel()
	p := newPerson(t, browsertest.Options{Still: true})
	p.h.live = true
	p.h.story.frames = p.h.story.frames[:4] // the turn goes on
	p.goes("/chat/" + session)
	p.must(p.Wait("text=Stop", false))
	for _, text := range []string{"first", "second"} {
		p.must(p.Type("textarea", text))
		p.must(p.Press("enter"))
		p.sees(text)
	}
	flaws, err := p.Flaws()
	p.must(err)
	if len(flaws) > 0 {
		t.Errorf("while it works: %q", flaws)
	}
	var spoken string // what is read out besides the answer: that it works, and no numbers
	eval(t, p.Browser, `[...document.querySelectorAll("main [role=status]")].map(e => e.textContent).join()`, &spoken)
	if !strings.HasPrefix(spoken, "The agent works.") || strings.ContainsAny(spoken, "0123456789") { // and on a slow machine how things stand
		t.Errorf("it says %q", spoken)
	}
	p.presses("[aria-label='Remove “first”']")
	p.must(p.Wait("[aria-label='Remove “first”']", true))
	p.presses("[aria-label='Edit “second”']")
	p.must(p.Until(`document.activeElement.value === "second"`))
	p.presses("text=Stop")
	p.must(p.Until(`document.activeElement.id === "message"`))
	p.must(p.Until(`performance.getEntriesByType("resource").some(r => r.name.endsWith("/stop"))`))
	p.did("/dispatches/" + unit + "/stop")
	p.must(p.Until(`document.activeElement.id === "message"`))
}

// A link that is opened where the pages are already signs in: signed out, and signed in.
// Its secret is out of the address either way.
func TestLinkWhereThePagesAre(t *testing.T) {
	t.Parallel()
	p := newPerson(t, browsertest.Options{Still: true})
	for _, before := range []string{"signed out", "signed in"} {
		if before == "signed out" {
			p.must(p.Click("text=Sign out"))
			p.sees("Run this in a terminal")
		}
		link, err := p.f.site.Open(t.Context(), p.h)
		p.must(err)
		was := p.f.site.Status()
		p.must(p.Open(link.URL))
		p.sees("What is to be done?")
		p.must(p.Until(`location.hash === ""`))
		p.waits(before+", the link is used up", func() bool {
			now := p.f.site.Status()
			return now.Waiting == was.Waiting-1 && now.Sessions == 1
		})
	}
	p.must(p.Click("text=Sign out"))
	p.sees("Run this in a terminal")
	if now := p.f.site.Status(); now.Sessions != 0 {
		t.Errorf("signed out, there are %+v", now)
	}
}

// While the daemon is away a page says so, and what to do; what could not be shown is
// shown once it is back.
func TestDaemonAway(t *testing.T) {
	t.Parallel()
	p := newPerson(t, browsertest.Options{Still: true})
	p.sees("a rehearsal plays")
	p.must(p.Until(`["workspaces", "proposals", "dispatches", "sessions"].every(n => performance.getEntriesByType("resource").some(r => r.name.endsWith(n + ".js")))`))
	p.must(p.Until(`document.documentElement.dataset.link === "fallback"`)) // the house has no WebSocket
	p.must(p.f.site.Close())
	p.must(p.Click("text=Workspaces"))
	p.sees("the daemon does not answer")
	p.sees("Open them again in a terminal with: vexa web")
	p.must(p.Wait("text=Try again", false))
	p.sees("no answer: run vexa web") // for as long as it lasts, however often it is tried
	p.f.restartedWith(p.h)
	p.sees("changed")
	p.must(p.Until(`document.getElementById("link-state").textContent === ""`))
}

// What a person reads of a patch, a card and a model is what it is.
func TestWhatIsShown(t *testing.T) {
	t.Parallel()
	p := newPerson(t, browsertest.Options{Still: true})
	var names []string
	eval(t, p.Browser, `import("/assets/diff.js").then(({parse, title}) => parse(`+quote(`diff --git "a/\"quoted\".txt" "b/\"quoted\".txt"
--- "a/\"quoted\".txt"
+++ "b/\"quoted\".txt"
@@ -1 +1 @@
-a
+b
diff --git "a/F\303\274\303\237e\t\\.md" "b/F\303\274\303\237e\t\\.md"
--- /dev/null
+++ "b/F\303\274\303\237e\t\\.md"
@@ -0,0 +1 @@
+b
diff --git a/a/x.md b/b/x.md
rename from a/x.md
rename to b/x.md
`)+`).map(title))`, &names)
	if want := []string{`"quoted".txt`, "Füße\t\\.md", "a/x.md → b/x.md"}; !slices.Equal(names, want) {
		t.Errorf("the files are %q, want %q", names, want)
	}

	// What is too long to show says which command prints it.
	var long string
	eval(t, p.Browser, `import("/assets/diff.js").then(({show}) => show("diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -0,0 +1,10000 @@\n" + "+y\n".repeat(10000), {whole: "vexa workspace diff notes --to 01"}).textContent)`, &long)
	if want := "10,000 lines: too many to show here. In a terminal: vexa workspace diff notes --to 01"; !strings.Contains(long, want) || !strings.Contains(long, "+10,000") {
		t.Errorf("a long patch says %q", long[:min(len(long), 200)])
	}

	// A command that is to be copied has no word in it that a terminal takes otherwise.
	var words []string
	eval(t, p.Browser, `import("/assets/dom.js").then(({word}) => ["a/b.md", "a b", "it's; rm -rf ~", "-rf", "a\u001b[2Jb", "$(x)", "x\ny", "\u202ex"].map((x) => word(x)))`, &words)
	if want := []string{"a/b.md", "'a b'", `'it'\''s; rm -rf ~'`, "FILE", "FILE", "'$(x)'", "FILE", "FILE"}; !slices.Equal(words, want) {
		t.Errorf("the words are %q, want %q", words, want)
	}

	for rev, want := range map[string]string{"main~1": "'main~1'", "x; rm -rf ~": "'x; rm -rf ~'", "$(x)": "'$(x)'", "-f": "REV", commit: commit} {
		p.goes("/workspaces/notes?" + url.Values{"path": {"big.txt"}, "rev": {rev}}.Encode())
		p.sees("in a terminal: vexa workspace cat notes big.txt --rev " + want + " > COPY")
	}

	p.h.story.say("card", map[string]any{"card": map[string]any{"title": "Send a mail", "state": "proposed", "expiresAt": "2026-11-08T12:00:00Z", "proposal": map[string]any{"call": map[string]any{"tool": "mail.send"}}}, "source": "host"})
	p.goes("/dispatches/" + unit)
	p.sees("Send a mail: would call mail.send")
	p.sees("this version of Vexa cannot have it done. It expires on ")
	p.sees("vexa logs " + unit + " --json")
	for _, path := range []string{"/dispatches/" + unit, "/chat/" + session} {
		p.goes(path)
		p.sees("rehearsal")
		p.must(p.Until(`!document.body.innerText.includes("rehearsal/rehearsal")`)) // one way, wherever it is
	}
	// A file of a commit is the one of that commit: main may not have it.
	p.must(p.Click(".commit summary"))
	p.must(p.Until(`document.querySelector(".commit .open a").getAttribute("href") === "/workspaces/notes?path=a.md&rev=` + commit + `"`))
	p.goes("/")
	p.must(p.Until(`[...document.querySelectorAll("#model option")].some(o => o.text === "rehearsal" && o.value === "rehearsal/rehearsal")`))
}
