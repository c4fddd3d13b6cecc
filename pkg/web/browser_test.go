package web_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/browsertest"
	"github.com/vexa-ai/vexa/pkg/internal/require"
)

// browser opens a window in which somebody is signed in.
func (f *fixture) browser() *browsertest.Browser {
	f.t.Helper()
	return f.window(browsertest.Options{})
}

// window opens one of a kind.
func (f *fixture) window(o browsertest.Options) *browsertest.Browser {
	f.t.Helper()
	if _, err := browsertest.Program(); err != nil {
		require.Missing(f.t, "browser", err.Error())
	}
	b, err := browsertest.Start(o)
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(b.Close)
	secret := f.open()
	if err := b.Open(f.origin() + "/#sign-in=" + secret); err != nil {
		f.t.Fatal(err)
	}
	if err := b.Wait("text=Sign out", false); err != nil { // what the page shows is the test's to wait for
		f.t.Fatal(err)
	}
	return b
}

// story is a daemon with one dispatch, whose frames a test writes. Where deaf is set, it
// has no WebSocket.
type story struct {
	unit, turn string // of its frames; empty: those below
	frames     []map[string]any
	deaf       bool
	asked      map[string]int
}

const (
	unit    = "01K0000000000000000000TN1T"
	session = "11111111-1111-4111-8111-111111111111"
)

func (s *story) say(kind string, body map[string]any) {
	seq := len(s.frames) + 1
	f := map[string]any{"seq": seq, "ts": "2026-11-01T12:00:00Z", "unit": cmp.Or(s.unit, unit), "source": "agent", "agentSeq": seq, "turn": cmp.Or(s.turn, "t"), "type": kind}
	maps.Copy(f, body)
	s.frames = append(s.frames, f)
}

func (s *story) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	dispatch := map[string]any{
		"id": unit, "state": "stopped", "subject": "u", "launcher": "user:u", "runner": "vexa", "model": "m", "trigger": "message", "session": session, "startedAt": "2026-11-01T12:00:00Z",
		"endedAt": "2026-11-01T12:01:00Z", "stopReason": "completed", "workspaces": []any{map[string]any{"id": "w", "name": "notes", "mode": "rw"}}, "turns": 1, "requests": 1, "tokens": 1, "container": "", "detail": "",
	}
	answer := func(v any) { _ = json.NewEncoder(w).Encode(v) } // the page went away
	switch path := strings.TrimPrefix(r.URL.Path, "/v1"); path {
	case "/subscribe":
		if s.deaf {
			http.Error(w, `{"code":"internal","message":"no"}`, http.StatusBadRequest)
			return
		}
		(&backend{}).ServeHTTP(w, r)
	case "/dispatches":
		answer([]any{dispatch})
	case "/dispatches/" + unit:
		answer(dispatch)
	case "/dispatches/" + unit + "/frames":
		w.Header().Set("Content-Type", "text/event-stream")
		s.asked[r.Header.Get("Last-Event-Id")]++
		from := 0
		_, _ = fmt.Sscan(r.Header.Get("Last-Event-Id"), &from) // none: from the beginning
		for i, f := range s.frames[from:] {
			data, _ := json.Marshal(f)
			fmt.Fprintf(w, "id: %d\ndata: %s\n\n", from+i+1, data)
			if s.deaf && i == 1 {
				w.(http.Flusher).Flush()           // a server's is one
				time.Sleep(100 * time.Millisecond) // a browser drops what it has not read when a connection breaks
				panic(http.ErrAbortHandler)        // the connection breaks after every second frame
			}
		}
	case "/status":
		answer(map[string]any{})
	default:
		answer([]any{})
	}
}

// quote is a text in JavaScript.
func quote(text string) string {
	q, _ := json.Marshal(text) // a string always encodes
	return string(q)
}

func eval(t *testing.T, b *browsertest.Browser, script string, into any) {
	t.Helper()
	out, err := b.Eval(script)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(out), into); err != nil {
		t.Fatalf("%s: %s: %v", script, out, err)
	}
}

// A line that could be read in many ways is read in one.
func TestLinesThatCouldTakeLong(t *testing.T) {
	t.Parallel()
	b := newFixture(t).browser()
	var n int
	eval(t, b, `import("/assets/markdown.js").then(({render}) => {
		const gap = " ".repeat(3900), lines = ["#" + gap + "x\u2028x", "\u0060\u0060\u0060" + gap + "\u0060", "[^a]:" + gap + "x\u2028x", "# a" + gap + "#x", "a|b\n" + gap + "-x"];
		return lines.map((line) => render(Array(50).fill(line).join("\n")).textContent.length).filter((n) => n > 0).length;
	})`, &n)
	if n != 5 {
		t.Errorf("%d of the texts are shown", n)
	}
}

// Whatever a frame, a file or a patch says is text: no element comes of it but those of
// Markdown, nothing runs, nothing is loaded, and links lead to the web or to a workspace.
func TestHostileText(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	b := f.browser()
	hostile := []string{
		`<script>pwned=1</script>`, `<img src=x onerror=pwned=1>`, `<svg/onload=pwned=1>`, `<iframe srcdoc="<script>parent.pwned=1</script>">`, `"><script>pwned=1</script>`, `<a href="javascript:pwned=1">x</a>`,
		`[x](javascript:pwned=1)`, "[x](java\nscript:pwned=1)", `[x](JaVaScRiPt:pwned=1)`, `[x](&#x6A;avascript:pwned=1)`, "[x](\x01javascript:pwned=1)", `[x]( javascript:pwned=1)`, `[x](<javascript:pwned=1>)`, `[x](data:text/html,<script>pwned=1</script>)`,
		`[x](vbscript:x)`, `[x](file:///etc/passwd)`, `[x](blob:http://x/y)`, `[x](//evil.example/)`, `[x](\\evil.example\y)`, `[x](/\evil.example)`, `[x](http:evil.example)`, `[x](https://a:b@evil.example)`, `![x](javascript:pwned=1)`, `![x](https://evil.example/p.png)`,
		`<javascript:pwned=1>`, `[x](a.md "t' onclick='pwned=1")`, "```<script>\npwned=1\n```", "| <img src=x onerror=pwned=1> |\n|---|\n| <script>pwned=1</script> |", "# <script>pwned=1</script>", "---\ntitle: <img src=x onerror=pwned=1>\n---\n",
		`[x](#__proto__)`, `[constructor](../../../../../../etc/passwd)`, "[x]: javascript:pwned=1\n\n[x]", `[<img src=x onerror=pwned=1>](https://example.org)`, `*a **b ~~c <b onmouseover=pwned=1>d</b>~~** e*`, "\u202ejavascript:pwned=1", `<form action=https://evil.example><input name=q>`, `<meta http-equiv=refresh content="0;url=https://evil.example">`, `<base href=https://evil.example>`,
		"[x][j] [x][] [j] ![x][j]\n\n[j]: javascript:pwned=1\n[x]: <javascript:pwned=1>", "[x][J]\n\n[j]: java\\script:pwned=1 \"t' onclick='pwned=1\"", "[x][d]\n\n[d]: data:text/html,<script>pwned=1</script>", "[x][e]\n\n[e]: //evil.example/", "[x][u]\n\n[u]: https://a:b@evil.example",
		"[x][constructor] [constructor] [__proto__] [toString][] [x][__proto__] [^constructor] [^__proto__] [[constructor]] [[__proto__]]", "[__proto__]: javascript:pwned=1\n[constructor]: javascript:pwned=1\n[hasOwnProperty]: javascript:pwned=1\n\n[__proto__] [constructor] [hasOwnProperty] [valueOf]",
		"[^n] [^constructor]\n\n[^n]: <img src=x onerror=pwned=1> [x](javascript:pwned=1) [^n]\n\n    <script>pwned=1</script>\n\n[^constructor]: [j]\n\n[^__proto__]: [^__proto__]", "[^\"onclick=pwned=1]\n\n[^\"onclick=pwned=1]: x", "[^<b>]\n\n[^<b>]: <svg/onload=pwned=1>",
		"[[javascript:pwned=1]] [[javascript:pwned=1|x]] [[//evil.example]] [[\\\\evil.example]] [[https://evil.example]] [[../../../etc/passwd]] [[a|<img src=x onerror=pwned=1>]] [[<script>pwned=1</script>]] [[data:text/html,x]] [[%6Aavascript:pwned=1]] [[java\tscript:pwned=1]] [[\U0001F600\xed\xa0\x80]]", `<style>*{display:none}</style>`, `<link rel=stylesheet href=https://evil.example>`,
	}
	all, err := json.Marshal(append(hostile, strings.Join(hostile, "\n\n")))
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Tags, Protocols, Attributes []string
		Pwned                       bool
	}
	eval(t, b, `(async () => {
		const {render} = await import("/assets/markdown.js"), {show} = await import("/assets/diff.js"), {inWorkspace} = await import("/assets/links.js");
		const box = document.createElement("div");
		document.body.append(box);
		for (const text of `+string(all)+`) {
			box.append(render(text, inWorkspace("notes", "a/b.md")), render(text, inWorkspace("notes", "a/b.md", "", ["x/javascript:pwned=1.md", "x/<b>.md", "x/constructor.md"])), render(text, null));
			const patch = "diff --git a/x b/x\n--- a/x\n+++ b/" + text.split("\n")[0] + "\n@@ -1 +1 @@ " + text.split("\n")[0] + "\n-" + text.split("\n")[0] + "\n+" + text.split("\n")[0] + "y\n";
			box.append(show(patch), show(patch, {sides: true}));
		}
		for (const a of box.querySelectorAll("a[href^='#'], a:not([target])")) a.click();
		await new Promise(r => setTimeout(r, 300));
		const els = [...box.querySelectorAll("*")];
		return {
			Tags: [...new Set(els.map(e => e.tagName.toLowerCase()))].sort(), Pwned: "pwned" in window,
			Protocols: [...new Set([...box.querySelectorAll("a")].map(a => a.protocol + (a.target ? "" : a.origin === location.origin ? " here" : " elsewhere")))].sort(),
			Attributes: [...new Set(els.flatMap(e => e.getAttributeNames()))].sort(),
		};
	})()`, &got)
	if got.Pwned {
		t.Error("something ran")
	}
	const tags = " a blockquote br button code col colgroup del details div em h2 h3 h4 h5 h6 hr input li mark ol p pre s section span strong summary sup table tbody td th thead tr ul "
	for _, tag := range got.Tags {
		if !strings.Contains(tags, " "+tag+" ") {
			t.Errorf("there is an element %s", tag)
		}
	}
	const attributes = " aria-hidden aria-label class colspan href id open rel role scope start tabindex target title type disabled checked "
	for _, a := range got.Attributes {
		if !strings.Contains(attributes, " "+a+" ") {
			t.Errorf("there is an attribute %s", a)
		}
	}
	for _, p := range got.Protocols {
		if p != "http: here" && p != "https:" && p != "http:" {
			t.Errorf("a link leads to %s", p)
		}
	}
	if hosts := b.Hosts(); len(hosts) != 1 || hosts[0] != f.base.Host {
		t.Errorf("it asked %q", hosts)
	}
}

// The browser itself refuses what our own scripts never do: markup of text, inline
// scripts and styles, requests to elsewhere.
func TestBrowserHoldsThePolicy(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	b := f.browser()
	for what, script := range map[string]string{
		"markup of text":   `(() => { try { document.body.innerHTML = "<b>x</b>"; return "done"; } catch { return "refused"; } })()`,
		"an inline script": `(() => { try { const s = document.createElement("script"); s.text = "window.ran = 1"; document.body.append(s); } catch {} return window.ran ? "done" : "refused"; })()`,
		"a policy":         `(() => { try { trustedTypes.createPolicy("x", {}); return "done"; } catch { return "refused"; } })()`,
		"another host":     `fetch("http://127.0.0.1:9/").then(() => "done", () => "refused")`,
		"a frame":          `(() => { const e = document.createElement("iframe"); e.src = "/"; document.body.append(e); return new Promise(r => setTimeout(() => r(e.contentDocument?.querySelector("main") ? "done" : "refused"), 500)); })()`,
		"the cookie":       `document.cookie === "" ? "refused" : "done"`,
		"an inline style":  `(() => { const d = document.createElement("div"); d.setAttribute("style", "color: rgb(1, 2, 3)"); document.body.append(d); return getComputedStyle(d).color === "rgb(1, 2, 3)" ? "done" : "refused"; })()`,
	} {
		var got string
		eval(t, b, script, &got)
		if got != "refused" {
			t.Errorf("%s: %s", what, got)
		}
	}
}

// Markdown as people write it.
func TestMarkdown(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	b := f.browser()
	cases := []struct{ text, want string }{
		{"a *b* **c** `d` ~~e~~", "p(a em(b) strong(c) code(d) s(e))"},
		{"snake_case_name and 2*3*4", "p(snake_case_name and 2em(3)4)"},
		{"***both*** **a *b* c**", "p(em(strong(both)) strong(a em(b) c))"},
		{"**open", "p(**open)"},
		{"a\\*b\\* `` c`d ``", "p(a*b* code(c`d))"},
		{"# One\n## Two ##", "h2(One)h3(Two)"},
		{"One\n===\ntext", "h2(One)p(text)"},
		{"- a\n- b\n  - c\n- d", "ul(li(a)li(bul(li(c)))li(d))"},
		{"3. a\n4. b", "ol(li(a)li(b))"},
		{"- a\n\n  b\n- c", "ul(li(p(a)p(b))li(p(c)))"},
		{"- [x] a", "ul(li(input()a))"},
		{"> a\n> b\n\nc", "blockquote(p(a\nb))p(c)"},
		{"| a | b |\n|---|--:|\n| 1 | 2 |", "div(table(thead(tr(th(a)th(b)))tbody(tr(td(1)td(2)))))"},
		{"a | b, no table", "p(a | b, no table)"},
		{"---", "hr()"},
		{"a  \nb\\\nc", "p(abr()bbr()c)"},
		{"[a](b.md) <https://x.example/> https://y.example/z.", "p(a(a) a(https://x.example/) a(https://y.example/z).)"},
		{"[a [b] c](d.md) [e]", "p(a(a [b] c) [e])"},
		{"&lt;b&gt; &amp; &#65; &nope;", "p(<b> & A &nope;)"},
		{"[weir][w], [weir][], [weir], ![weir][W] and [none]\n\n[w]: places/weir.md\n[weir]: <places/weir.md> \"The weir\"", "p(a=/places/weir.md(weir), a=/places/weir.md(weir), a=/places/weir.md(weir), a=/places/weir.md(picture: weir) and [none])"},
		{"[a][b] [b][none]\n[c]: d.md\n\n[b]: x.md\n[b]: y.md\n\n> [c]: z.md", "p(a=/x.md(a) [b][none]\na=/z.md(c): d.md)blockquote()"},
		{"[[places/weir]] [[places/weir.md|the weir]] [[a b#The *Old* One]] [[1]](x.md) [[ -f x ]] [^x]", "p(a=/places/weir.md(places/weir) a=/places/weir.md(the weir) a=/a%20b.md#The-Old-One(a b#The *Old* One) a=/x.md([1]) [[ -f x ]] [^x])"},
		{"a[^1] and b[^two words] c[^n].\n[^n]: Nota\n  *bene*\n\n    more\n[^1]: One [w]\n\n[w]: w.md\n\nend", "p(asup(a#(1)) and b[^two words] csup(a#(n)).)p(end)section(div(ndiv(p(Nota\nem(bene))p(more))button(↩))div(1div(p(One a=/w.md(w)))button(↩)))"},
		{"---\ntitle: A\ntags:\n  - x\n  - y\nwhy: >\n  it\n  is\n---\n", "table(tbody(tr(th(title)td(A))tr(th(tags)td(x, y))tr(th(why)td(it is))))"},
		{"text\n- list\n\n1) x", "p(text)ul(li(list))ol(li(x))"},
	}
	for _, c := range cases {
		text, _ := json.Marshal(c.text)
		var got string
		eval(t, b, `import("/assets/markdown.js").then(({render}) => {
			const follow = `+strconv.FormatBool(strings.Contains(c.want, "a=") || strings.Contains(c.want, "a#"))+`;
			const to = n => n.tagName !== "A" || !follow ? "" : n.getAttribute("href").startsWith("#note-") ? "#" : "=" + n.getAttribute("href");
			const say = n => n.nodeType === 3 ? n.data : n.tagName.toLowerCase() === "span" ? [...n.childNodes].map(say).join("") : n.tagName.toLowerCase() + to(n) + "(" + [...n.childNodes].map(say).join("") + ")";
			return [...render(`+string(text)+`, h => "/" + h).childNodes].map(say).join("");
		})`, &got)
		if strings.ReplaceAll(got, " (x.example)", "") != c.want {
			t.Errorf("%q\n got %s\nwant %s", c.text, got, c.want)
		}
	}
	// Long runs of marks, which a parser that tries everything would never end with.
	var done bool
	eval(t, b, `import("/assets/markdown.js").then(({render}) => {
		for (const c of ["*", "_", "[", "]", "`+"`"+`", "~~", "![", "](", "**a", "> ", "- ", "|", "<", "&", "\\", "a*b_", "#", "=", " ", "[[", "[[a|", "[a][", "[^", "[^a]", "[a]: ", "[^a]: ", "[a]: x\\n", "[^a]: x\\n", "[a]"]) for (const end of ["", "x", "\n"]) for (const n of [20000, 19000 / c.length]) render(c.repeat(n) + end, h => h);
		return true;
	})`, &done)
}

// What a runner without a model prints is shown as it is.
func TestPrintedIsNoMarkdown(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	s := &story{deaf: true, asked: map[string]int{}}
	s.say("turn-accepted", map[string]any{"session": session, "runner": "text", "resumed": false, "text": "cat f.py", "source": "host"})
	const printed = "# no heading\n\tif <b>x</b>:\n\t\t* y * z\n"
	s.say("message-delta", map[string]any{"text": printed[:12]})
	s.say("message-delta", map[string]any{"text": printed[12:]})
	s.say("message", map[string]any{"text": printed})
	s.say("turn-done", map[string]any{"ok": true, "session": session, "reply": printed, "outcome": "completed", "source": "host"})
	f.options.Memory = &memory{}
	if _, err := f.site.Open(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	b := f.browser()
	if err := b.Open(f.origin() + "/dispatches/" + unit); err != nil {
		t.Fatal(err)
	}
	if err := b.Until(`document.querySelector(".answer")?.textContent.includes("z")`); err != nil {
		t.Fatal(err)
	}
	var got []string
	eval(t, b, `[...document.querySelectorAll(".answer > :not(.sr)")].map(e => e.tagName + " " + e.textContent)`, &got)
	if len(got) != 1 || got[0] != "PRE "+printed {
		t.Errorf("it is shown as %q", got)
	}
}

// Where no WebSocket can be had frames come over HTTP, over any number of broken
// connections, each once.
func TestFallback(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	s := &story{deaf: true, asked: map[string]int{}}
	s.say("turn-accepted", map[string]any{"session": session, "runner": "vexa", "model": "m", "resumed": false, "text": "hello", "source": "host"})
	for _, word := range []string{"one ", "two ", "three ", "four ", "five"} {
		s.say("message-delta", map[string]any{"text": word})
	}
	s.say("plan", map[string]any{"steps": []any{map[string]any{"text": "look", "state": "done"}, map[string]any{"text": "leap", "state": "active"}}})
	s.say("opaque", map[string]any{"event": "novel", "bytes": 12})
	s.say("dance", map[string]any{"steps": 3, "source": "host"}) // of a daemon that is newer than the page
	s.say("rejected", map[string]any{"workspace": "w", "path": "a\\nb", "reason": "a device", "source": "host"})
	s.say("turn-done", map[string]any{"ok": false, "session": session, "reply": "", "outcome": "limit", "error": "the tokens are used up", "source": "host"})
	f.options.Memory = &memory{}
	if _, err := f.site.Open(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	b := f.browser()
	if err := b.Open(f.origin() + "/dispatches/" + unit); err != nil {
		t.Fatal(err)
	}
	if err := b.Until(`document.body.innerText.includes("tokens are used up")`); err != nil {
		t.Fatal(err)
	}
	var answers []string
	eval(t, b, `[...document.querySelectorAll(".answer .md")].map(e => e.innerText)`, &answers)
	if len(answers) != 1 || answers[0] != "one two three four five" {
		t.Errorf("the answer is %q", answers)
	}
	text := b.Text()
	for _, want := range []string{"Plan: 1 of 2 steps done", "2 events not understood", "Not saved:", "A limit of the dispatch is used up"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not shown in\n%s", want, text)
		}
	}
	var strange []string
	eval(t, b, `[...document.querySelectorAll(".unknown li")].map(e => e.textContent)`, &strange)
	if len(strange) != 2 || strange[0] != "novel 12 B" || !regexp.MustCompile(`^dance \d+ B$`).MatchString(strange[1]) {
		t.Errorf("not understood is %q", strange)
	}
	var rows int
	eval(t, b, `document.querySelectorAll(".frames tbody tr").length`, &rows)
	if rows != len(s.frames) {
		t.Errorf("%d frames are listed, there are %d", rows, len(s.frames))
	}
	if len(s.asked) < 4 {
		t.Errorf("it was asked from %v", s.asked)
	}
}
