package harness

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/vexa-ai/vexa/pkg/browsertest"
)

// browserVerbs are what can be done with a browser, with the form of each.
func browserVerbs() map[string]struct {
	usage string
	least int // arguments besides the name
	do    func(ts *testscript.TestScript, b *browsertest.Browser, neg bool, args []string) error
} {
	return map[string]struct {
		usage string
		least int
		do    func(ts *testscript.TestScript, b *browsertest.Browser, neg bool, args []string) error
	}{
		"click": {"browser click NAME WHAT", 1, func(_ *testscript.TestScript, b *browsertest.Browser, _ bool, args []string) error {
			return b.Click(args[0])
		}},
		"eval": {"browser eval NAME EXPRESSION", 1, browserEval},
		"goto": {"browser goto NAME URL", 1, func(_ *testscript.TestScript, b *browsertest.Browser, _ bool, args []string) error {
			return b.Open(args[0])
		}},
		"flawless": {"browser flawless NAME", 0, browserFlawless},
		"press":    {"browser press NAME KEY...", 1, browserPress},
		"reach": {"browser reach NAME WHAT", 1, func(_ *testscript.TestScript, b *browsertest.Browser, _ bool, args []string) error {
			return b.Reach(args[0])
		}},
		"reload": {"browser reload NAME", 0, func(_ *testscript.TestScript, b *browsertest.Browser, _ bool, _ []string) error {
			return b.Reload()
		}},
		"says":       {"[!] browser says NAME REGEXP", 1, browserSays},
		"screenshot": {"browser screenshot NAME TITLE", 1, browserScreenshot},
		"seen":       {"browser seen NAME", 0, browserSeen},
		"type": {"browser type NAME WHAT TEXT", 2, func(_ *testscript.TestScript, b *browsertest.Browser, _ bool, args []string) error {
			return b.Type(args[0], args[1])
		}},
		"until": {"browser until NAME EXPRESSION", 1, func(_ *testscript.TestScript, b *browsertest.Browser, _ bool, args []string) error {
			return b.Until(args[0])
		}},
		"wait": {"[!] browser wait NAME WHAT", 1, func(_ *testscript.TestScript, b *browsertest.Browser, neg bool, args []string) error {
			return b.Wait(args[0], neg)
		}},
	}
}

// cmdBrowser says that the claim needs a browser, or does something with one:
// browser, [!] browser VERB NAME ARG...
func cmdBrowser(ts *testscript.TestScript, neg bool, args []string) {
	c, ok := ts.Value(claimKey{}).(*claim)
	if !ok {
		ts.Fatalf("no claim has browsers")
	}
	if len(args) == 0 {
		needsBrowser(c)
		return
	}
	list := browserVerbs()
	usage(ts, len(args) >= 2, "browser open|close|"+strings.Join(slices.Sorted(maps.Keys(list)), "|")+" NAME ARG...")
	verb, name, rest := args[0], args[1], args[2:]
	switch verb {
	case "open":
		usage(ts, !neg && len(rest) == 2, "browser open NAME WIDTHxHEIGHT[,dark][,phone][,still] URL")
		c.openBrowser(ts, name, rest[0], rest[1])
		return
	case "close":
		c.closeBrowser(name)
		return
	}
	v, ok := list[verb]
	if !ok {
		ts.Fatalf("browser has no %q", verb)
	}
	usage(ts, len(rest) >= v.least && (!neg || strings.HasPrefix(v.usage, "[!]")), v.usage)
	b := c.browsers[name]
	if b == nil {
		ts.Fatalf("no browser %q was opened", name)
	}
	ts.Check(v.do(ts, b, neg, rest))
}

// needsBrowser ends a claim that cannot be tried: skipped, or failed where
// VEXA_TEST_REQUIRE names browser.
func needsBrowser(c *claim) {
	_, err := browsertest.Program()
	switch {
	case err == nil:
	case slices.Contains(strings.Split(os.Getenv(EnvNeeds), ","), "browser"):
		c.Fatalf("%s requires browser: %v", EnvNeeds, err)
	default:
		c.Skipf("needs browser: %v", err)
	}
}

func (c *claim) openBrowser(ts *testscript.TestScript, name, kind, url string) {
	if c.browsers[name] != nil {
		ts.Fatalf("browser %q is open", name)
	}
	size, kinds, _ := strings.Cut(kind, ",")
	var o browsertest.Options
	o.Width, o.Height = pixels(ts, size)
	for k := range strings.SplitSeq(kinds, ",") {
		switch k {
		case "":
		case "dark":
			o.Dark = true
		case "phone":
			o.Touch = true
		case "still":
			o.Still = true
		default:
			ts.Fatalf("a browser is dark, phone or still, not %q", k)
		}
	}
	b, err := browsertest.Start(o)
	ts.Check(err)
	if c.browsers == nil {
		c.browsers = map[string]*browsertest.Browser{}
	}
	c.browsers[name] = b
	ts.Defer(func() {
		if c.browsers[name] == b && c.Failed() {
			c.note("-- browser " + name + " --\n" + b.Text() + "\n" + strings.Join(b.Console(), "\n"))
			c.picture(ts, b, name+" when it failed")
		}
		c.closeBrowser(name)
	})
	ts.Check(b.Open(url))
}

func pixels(ts *testscript.TestScript, text string) (width, height int) {
	if _, err := fmt.Sscanf(text, "%dx%d", &width, &height); err != nil || width < 100 || height < 100 || width > 4000 || height > 4000 {
		ts.Fatalf("%q is no size: WIDTHxHEIGHT", text)
	}
	return width, height
}

func (c *claim) closeBrowser(name string) {
	if b := c.browsers[name]; b != nil {
		delete(c.browsers, name)
		b.Close()
	}
}

func browserPress(_ *testscript.TestScript, b *browsertest.Browser, _ bool, args []string) error {
	for _, key := range args {
		if err := b.Press(key); err != nil {
			return err
		}
	}
	return nil
}

// browserFlawless fails where somebody who sees little, or nothing, would miss something.
func browserFlawless(_ *testscript.TestScript, b *browsertest.Browser, _ bool, _ []string) error {
	flaws, err := b.Flaws()
	if err == nil && len(flaws) > 0 {
		err = fmt.Errorf("the page has flaws:\n%s", strings.Join(flaws, "\n"))
	}
	return err
}

// browserSays waits until the text of the page matches, or with ! until it does not.
func browserSays(_ *testscript.TestScript, b *browsertest.Browser, neg bool, args []string) error {
	re, err := json.Marshal(args[0])
	if err != nil {
		return err
	}
	return b.Until(fmt.Sprintf("new RegExp(%s, %q).test(document.body.innerText) !== %t", re, "mu", neg))
}

func browserEval(ts *testscript.TestScript, b *browsertest.Browser, _ bool, args []string) error {
	out, err := b.Eval(args[0])
	fmt.Fprintln(ts.Stdout(), out)
	return err
}

// browserSeen prints as JSON what the browser asked and what its pages complained of.
func browserSeen(ts *testscript.TestScript, b *browsertest.Browser, _ bool, _ []string) error {
	out, err := json.Marshal(map[string]any{"hosts": append([]string{}, b.Hosts()...), "console": append([]string{}, b.Console()...)})
	fmt.Fprintf(ts.Stdout(), "%s\n", out)
	return err
}

// browserScreenshot adds what the window shows to the report.
func browserScreenshot(ts *testscript.TestScript, b *browsertest.Browser, _ bool, args []string) error {
	c, _ := ts.Value(claimKey{}).(*claim)
	c.picture(ts, b, strings.Join(args, " "))
	return nil
}

// picture draws a window into the directory of the report.
func (c *claim) picture(ts *testscript.TestScript, b *browsertest.Browser, title string) {
	png, err := b.Screenshot()
	if err != nil {
		c.note("no picture: " + err.Error())
		return
	}
	plain := regexp.MustCompile(`[^a-z0-9]+`).ReplaceAllString(strings.ToLower(title), "-")
	file := filepath.Join("pictures", filepath.Base(c.Name())+"-"+plain+".png")
	path := filepath.Join(outDir(c.suite.root), file)
	ts.Check(os.MkdirAll(filepath.Dir(path), 0o755))
	ts.Check(os.WriteFile(path, png, 0o644))
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pictures = append(c.pictures, picture{Title: title, File: file})
}

// cmdSite serves the files of a directory on another port of this machine, until the
// script ends: site VAR DIR.
func cmdSite(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args) == 2, "site VAR DIR")
	dir := os.DirFS(ts.MkAbs(args[1]))
	srv := httptest.NewServer(http.FileServerFS(dir))
	ts.Defer(srv.Close)
	ts.Logf("%s=%s", args[0], srv.URL)
	ts.Setenv(args[0], srv.URL)
}
