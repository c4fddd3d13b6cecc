package browsertest

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
)

// key is one that Press knows by its name. What it types the browser does itself where
// no page keeps it from that.
type key struct {
	code  string
	text  string
	value int64
}

func keys() map[string]key {
	return map[string]key{
		"tab": {"Tab", "", 9}, "enter": {"Enter", "\r", 13}, "escape": {"Escape", "", 27}, "space": {"Space", " ", 32},
		"end": {"End", "", 35}, "home": {"Home", "", 36}, "left": {"ArrowLeft", "", 37}, "up": {"ArrowUp", "", 38}, "right": {"ArrowRight", "", 39}, "down": {"ArrowDown", "", 40},
	}
}

// Press presses a key by its name, as in enter or shift+tab, where the focus is.
func (b *Browser) Press(name string) error {
	name, shift := strings.CutPrefix(name, "shift+")
	k, ok := keys()[name]
	if !ok {
		return fmt.Errorf("there is no key %q", name)
	}
	named := k.code
	if k.text == " " {
		named = k.text
	}
	p := input.DispatchKeyEventParams{Type: "rawKeyDown", Key: named, Code: k.code, WindowsVirtualKeyCode: k.value, NativeVirtualKeyCode: k.value}
	if k.text != "" {
		p.Type, p.Text = "keyDown", k.text
	}
	if shift {
		p.Modifiers = int64(chromedp.ModifierShift)
	}
	return b.run(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		up := p
		up.Type, up.Text = "keyUp", ""
		_, err := cdp.Call(ctx, t, input.DispatchKeyEvent, p)
		_, err2 := cdp.Call(ctx, t, input.DispatchKeyEvent, up)
		return errors.Join(err, err2)
	}))
}

// mostTabs is after how many presses of Tab something is called out of reach.
const mostTabs = 300

// marked is a script that says of the element with the focus what keeps a person from
// seeing that it has it, "" where nothing does.
const marked = `(() => {
  const el = document.activeElement, r = el.getBoundingClientRect(), c = getComputedStyle(el);
  const x = (Math.max(r.left, 0) + Math.min(r.right, innerWidth)) / 2, y = (Math.max(r.top, 0) + Math.min(r.bottom, innerHeight)) / 2;
  const at = document.elementFromPoint(x, y);
  if (!at || !(el.contains(at) || at.contains(el))) return "it is out of sight";
  if (c.outlineStyle !== "none" && parseFloat(c.outlineWidth) > 0) return "";
  for (let e = el; e; e = e.parentElement) if (e.matches(":focus-within") && getComputedStyle(e).boxShadow !== "none") return "";
  return "nothing marks it";
})()`

// Reach presses Tab until an element has the focus, once it is there. It fails where Tab
// does not lead to it, and where nobody sees that it has the focus.
func (b *Browser) Reach(what string) error {
	if err := b.Wait(what, false); err != nil {
		return err
	}
	for range mostTabs {
		if err := b.Press("tab"); err != nil {
			return err
		}
		there, err := value[bool](b, "document.activeElement === "+finder(what))
		if err != nil {
			return err
		}
		if !there {
			continue
		}
		flaw, err := value[string](b, marked)
		if err == nil && flaw != "" {
			err = fmt.Errorf("%s has the focus, and %s", what, flaw)
		}
		return err
	}
	return fmt.Errorf("no Tab leads to %s; the page says:\n%s", what, b.Text())
}
