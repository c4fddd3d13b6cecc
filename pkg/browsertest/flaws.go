package browsertest

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/chromedp"
)

// looks is a script that lists what is wrong with a page for somebody who sees little, or
// nothing: contrasts below those of WCAG 2.2 AA, headings out of order, no title.
const looks = `(() => {
  const flaws = [];
  const rgba = s => { const m = s.match(/[\d.]+/g)?.map(Number) ?? [0, 0, 0, 0]; return [m[0], m[1], m[2], m[3] ?? 1]; };
  const over = (a, b) => [0, 1, 2].map(i => a[i] * a[3] + b[i] * (1 - a[3])).concat(1);
  const light = c => { const [r, g, b] = c.map(x => x / 255 <= .04045 ? x / 255 / 12.92 : ((x / 255 + .055) / 1.055) ** 2.4); return .2126 * r + .7152 * g + .0722 * b; };
  const ratio = (a, b) => { const [x, y] = [light(a), light(b)]; return (Math.max(x, y) + .05) / (Math.min(x, y) + .05); };
  const under = el => { const all = []; for (let e = el; e; e = e.parentElement) all.unshift(rgba(getComputedStyle(e).backgroundColor)); return all.reduce((below, c) => over(c, below), [255, 255, 255, 1]); };
  const shown = el => el.checkVisibility({checkVisibilityCSS: true}) && el.getBoundingClientRect().width > 1;
  const name = el => el.tagName.toLowerCase() + (el.className ? "." + el.className : "") + " “" + (el.textContent || el["place" + "holder"] || "").trim().slice(0, 30) + "”";
  const check = (what, is, least) => { if (is < least) flaws.push(what + ": contrast " + is.toFixed(2) + ", " + least + " is the least"); };
  for (const el of document.querySelectorAll("body *")) {
    if (!shown(el) || el.disabled) continue;
    const c = getComputedStyle(el), paper = under(el), size = parseFloat(c.fontSize);
    if ([...el.childNodes].some(n => n.nodeType === 3 && n.data.trim())) check(name(el), ratio(over(rgba(c.color), paper), paper), size >= 24 || (size >= 18.66 && c.fontWeight >= 700) ? 3 : 4.5);
    if (el["place" + "holder"]) check("hint of " + name(el), ratio(over(rgba(getComputedStyle(el, "::place" + "holder").color), paper), paper), 4.5);
    if (el.matches("input:not([type=checkbox]), textarea, select")) {
      const box = parseFloat(c.borderTopWidth) > 0 ? el : el.parentElement; // the box around it, where it has none
      check("edge of " + name(el), ratio(over(rgba(getComputedStyle(box).borderTopColor), paper), under(box.parentElement)), 3);
    }
  }
  let level = 0;
  for (const el of document.querySelectorAll("h1, h2, h3, h4, h5, h6")) {
    if (!el.checkVisibility()) continue;
    const now = +el.tagName[1];
    if (now > level + 1) flaws.push(name(el) + ": a heading of level " + now + " after one of level " + level);
    level = now;
  }
  if (document.querySelectorAll("h1").length !== 1) flaws.push("there are " + document.querySelectorAll("h1").length + " headings of the first level");
  if (document.querySelectorAll("main").length !== 1) flaws.push("there is not one main part");
  if (!document.title || document.title === "Vexa") flaws.push("the title says nothing of the page: " + document.title);
  if (!document.documentElement.lang) flaws.push("no language");
  if (document.documentElement.scrollWidth > innerWidth) flaws.push("it is wider than the window");
  return flaws;
})()`

// Flaws lists what is wrong with a page for people who see little, or nothing, or have no
// mouse: the looks above, and controls and regions without a name.
func (b *Browser) Flaws() ([]string, error) {
	flaws, err := value[[]string](b, looks)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	var tree accessibility.GetFullAXTreeResult
	err = chromedp.Do(ctx, chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		got, err := cdp.Call(ctx, t, accessibility.GetFullAXTree, accessibility.GetFullAXTreeParams{})
		if err == nil {
			tree = got
		}
		return err
	}))
	for _, n := range tree.Nodes {
		if role := text(n.Role); !n.Ignored && slices.Contains(named(), role) && text(n.Name) == "" {
			flaws = append(flaws, fmt.Sprintf("a %s without a name", role))
		}
	}
	return flaws, err
}

// named are the roles of which each has to have a name.
func named() []string {
	return []string{
		"button", "link", "textbox", "searchbox", "checkbox", "combobox", "radio", "DisclosureTriangle",
		"navigation", "region", "log", "heading",
	}
}

func text(v *accessibility.Value) string {
	if v == nil {
		return ""
	}
	var s string
	if json.Unmarshal(v.Value, &s) != nil { // it is no text
		return ""
	}
	return s
}
