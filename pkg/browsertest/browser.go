// Package browsertest is a browser for tests: a headless Chromium with a window of a
// size, and what a person does with it. It is no part of the binary.
//
// Elements are named as a person finds them: by a CSS selector, or as in text=Send by what
// a button, link, field or heading says.
package browsertest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// patience is when what a page is waited for is called a failure.
const patience = 30 * time.Second

// Options say what window a browser has.
type Options struct {
	Width, Height int  // CSS pixels; 0: 1280 by 800
	Dark          bool // the system's colours are dark
	Touch         bool // a phone: there is no mouse
	Still         bool // nothing is to move
}

// Browser is one window. It is used by one goroutine.
type Browser struct {
	o      Options
	ctx    context.Context //nolint:containedctx // chromedp keeps the browser in it
	cancel func()

	mu       sync.Mutex
	console  []string // errors that pages wrote, and what was refused
	requests []string // addresses that were asked for
}

// Program finds Chromium.
func Program() (string, error) {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", errors.New("there is no chromium")
}

// Start opens a window.
func Start(o Options) (*Browser, error) {
	program, err := Program()
	if err != nil {
		return nil, err
	}
	if o.Width == 0 {
		o.Width, o.Height = 1280, 800
	}
	flags := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]),
		chromedp.ExecPath(program), chromedp.WindowSize(o.Width, o.Height),
		chromedp.NoSandbox, // a container or root has no user namespace for it; what is opened is our own
		chromedp.Flag("disable-dev-shm-usage", true), chromedp.Flag("no-proxy-server", true), chromedp.Flag("hide-scrollbars", false),
	)
	alloc, stopAlloc := chromedp.NewExecAllocator(context.Background(), flags...)
	ctx, stop := chromedp.NewContext(alloc)
	b := &Browser{o: o, ctx: ctx, cancel: func() { stop(); stopAlloc() }}
	// The first use of the context starts the browser, and has no time limit of its own.
	err = errors.Join(chromedp.Listen(ctx, b.hear), chromedp.Do(ctx, o.apply()))
	if err != nil {
		b.cancel()
		return nil, fmt.Errorf("start chromium: %w", err)
	}
	return b, nil
}

// Tab opens another tab, with nothing in it, of the same window and browser.
func (b *Browser) Tab() (*Browser, error) {
	ctx, stop := chromedp.NewContext(b.ctx)
	tab := &Browser{o: b.o, ctx: ctx, cancel: stop}
	if err := errors.Join(chromedp.Listen(ctx, tab.hear), chromedp.Do(ctx, b.o.apply())); err != nil {
		stop()
		return nil, fmt.Errorf("open a tab: %w", err)
	}
	return tab, nil
}

// apply makes the window what the options say.
func (o Options) apply() chromedp.Action[chromedp.Void] {
	either := func(yes bool, is, isNot string) string {
		if yes {
			return is
		}
		return isNot
	}
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, network.Enable, network.EnableParams{})
		_, err2 := cdp.Call(ctx, t, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{
			Width: int64(o.Width), Height: int64(o.Height), DeviceScaleFactor: 1, Mobile: o.Touch,
		})
		_, err3 := cdp.Call(ctx, t, emulation.SetTouchEmulationEnabled, emulation.SetTouchEmulationEnabledParams{Enabled: o.Touch})
		_, err4 := cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
			{Name: "prefers-color-scheme", Value: either(o.Dark, "dark", "light")},
			{Name: "prefers-reduced-motion", Value: either(o.Still, "reduce", "no-preference")},
		}})
		return errors.Join(err, err2, err3, err4)
	})
}

// Close ends the browser.
func (b *Browser) Close() { b.cancel() }

func (b *Browser) hear(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *runtime.EventConsoleAPICalled:
		if e.Type == "error" {
			var parts []string
			for _, a := range e.Args {
				parts = append(parts, string(a.Value)+" "+a.Description)
			}
			b.console = append(b.console, strings.Join(parts, " "))
		}
	case *runtime.EventExceptionThrown:
		b.console = append(b.console, e.ExceptionDetails.Text)
	case *network.EventRequestWillBeSent:
		b.requests = append(b.requests, e.Request.URL)
	case *network.EventWebSocketCreated:
		b.requests = append(b.requests, e.URL)
	}
}

// Console returns the errors that pages wrote so far.
func (b *Browser) Console() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.console)
}

// Hosts returns what was asked for something so far, each host with its port once.
func (b *Browser) Hosts() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var hosts []string
	for _, r := range b.requests {
		u, err := url.Parse(r)
		if err == nil && u.Host != "" && !slices.Contains(hosts, u.Host) {
			hosts = append(hosts, u.Host)
		}
	}
	return hosts
}

func (b *Browser) run(actions ...chromedp.Action[chromedp.Void]) error {
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	return chromedp.Do(ctx, actions...)
}

func value[T any](b *Browser, script string) (T, error) {
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	return chromedp.Run(ctx, chromedp.Evaluate[T](script, chromedp.EvalAwaitPromise))
}

// Open goes to an address.
func (b *Browser) Open(address string) error { return b.run(chromedp.Navigate(address)) }

// Reload loads the page again.
func (b *Browser) Reload() error { return b.run(chromedp.Reload()) }

// Eval runs a script, awaits what it promises, and returns that as JSON.
func (b *Browser) Eval(script string) (string, error) {
	return value[string](b, fmt.Sprintf("(async () => JSON.stringify(await (%s)) ?? 'null')()", script))
}

// find is a script that finds what a person names: visible, the innermost.
const find = `(what => {
  const shown = el => el.checkVisibility ? el.checkVisibility({checkVisibilityCSS: true}) : el.offsetParent !== null;
  if (!what.startsWith("text=")) return [...document.querySelectorAll(what)].find(shown) ?? null;
  const text = what.slice(5), says = el => [el.innerText, el.getAttribute("aria-label"), el.getAttribute("place" + "holder"), el.value].some(t => typeof t === "string" && t.includes(text));
  const all = sel => [...document.querySelectorAll(sel)].filter(el => shown(el) && says(el));
  const good = all("button, a, summary, input, textarea, select, label");
  return good.at(-1) ?? all("body *").at(-1) ?? null;
})(%s)`

func finder(what string) string {
	quoted, _ := json.Marshal(what) // a string always encodes
	return fmt.Sprintf(find, quoted)
}

// Wait waits until there is an element, or with gone until there is none.
func (b *Browser) Wait(what string, gone bool) error {
	return b.Until(fmt.Sprintf("(%s === null) === %t", finder(what), gone))
}

// Until waits until an expression is true, over reloads, too.
func (b *Browser) Until(expression string) error {
	for end := time.Now().Add(patience); ; time.Sleep(poll) {
		ok, err := value[bool](b, "Boolean("+expression+")")
		if err == nil && ok {
			return nil
		}
		if time.Now().After(end) {
			return errors.Join(fmt.Errorf("it does not come to be: %s; the page says:\n%s", expression, b.Text()), err)
		}
	}
}

// poll is between two looks at a page.
const poll = 20 * time.Millisecond

// Text is what the page says, as a person reads it.
func (b *Browser) Text() string {
	text, err := value[string](b, `document.body?.innerText ?? ""`)
	if err != nil {
		return err.Error()
	}
	return text
}

// Click clicks an element where it is, once it is there.
func (b *Browser) Click(what string) error {
	if err := b.Wait(what, false); err != nil {
		return err
	}
	type point struct{ X, Y float64 }
	at, err := value[point](b, fmt.Sprintf(`(() => { const el = %s; el.scrollIntoView({block: "center", behavior: "instant"}); const r = el.getClientRects()[0]; return {X: r.x + r.width/2, Y: r.y + r.height/2}; })()`, finder(what)))
	if err != nil {
		return err
	}
	return b.run(chromedp.MouseClickXY(at.X, at.Y))
}

// Type writes into a field, once it is there.
func (b *Browser) Type(what, text string) error {
	if err := b.Wait(what, false); err != nil {
		return err
	}
	if _, err := value[bool](b, fmt.Sprintf(`(%s.focus(), true)`, finder(what))); err != nil {
		return err
	}
	return b.run(chromedp.KeyEvent(text))
}

// Screenshot draws what the window shows, as PNG.
func (b *Browser) Screenshot() ([]byte, error) {
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	return chromedp.Run(ctx, chromedp.CaptureScreenshot())
}
