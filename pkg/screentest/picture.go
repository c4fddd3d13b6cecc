package screentest

import (
	"fmt"
	"html"
	"strings"
)

// Sizes in a picture, in pixels.
const (
	fontSize   = 14
	cellWidth  = 8.4
	lineHeight = 18
	padding    = 14
	barHeight  = 34
)

// theme is what the sixteen colours and the terminal's own look like in a picture. A
// picture has a ground of its own, so that it reads on a light page and on a dark one.
type theme struct {
	ground, bar, edge, text, title string
	colors                         map[Color]string
}

func themeOf(light bool) theme {
	names := [...]Color{
		"black", "red", "green", "yellow", "blue", "magenta", "cyan", "white",
		"bright-black", "bright-red", "bright-green", "bright-yellow", "bright-blue", "bright-magenta", "bright-cyan", "bright-white",
	}
	t := theme{ground: "#121418", bar: "#1d2026", edge: "#4a505c", text: "#d8d8d8", title: "#a2a8b4"}
	values := [len(names)]string{
		"#1d2026", "#f47067", "#8ddb8c", "#e3b341", "#6cb6ff", "#dcbdfb", "#76e3ea", "#c9d1d9",
		"#868e9b", "#ff938a", "#b4f1b4", "#f7d070", "#96d0ff", "#eedcff", "#b3f0ff", "#ffffff",
	}
	if light {
		t = theme{ground: "#ffffff", bar: "#eef0f3", edge: "#8c959f", text: "#24292f", title: "#57606a"}
		values = [len(names)]string{
			"#24292f", "#b3161f", "#116329", "#7d4e00", "#0550ae", "#6e3fb5", "#146c74", "#6e7781",
			"#57606a", "#a40e26", "#1a7f37", "#633c01", "#0969da", "#8250df", "#1b7c83", "#8c959f",
		}
	}
	t.colors = make(map[Color]string, len(names))
	for i, name := range names {
		t.colors[name] = values[i]
	}
	return t
}

func (t theme) color(c Color, own string) string {
	if c == "" {
		return own
	}
	if value, ok := t.colors[c]; ok {
		return value
	}
	return string(c)
}

// Picture is the screen as an SVG: a window with a title, which embeds nothing and
// loads nothing. The same screen gives the same bytes.
func (s Screen) Picture(title string) []byte {
	t := themeOf(s.Light)
	width := 2*padding + float64(s.Cols)*cellWidth
	height := barHeight + 2*padding + s.Rows*lineHeight
	var b strings.Builder
	name := html.EscapeString(printable(title))
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%[1]s" height="%[2]d" viewBox="0 0 %[1]s %[2]d" role="img" aria-label="%[3]s">`+"\n", number(width), height, name)
	fmt.Fprintf(&b, "<title>%s</title>\n", name)
	fmt.Fprintf(&b, "<style>text{font:%dpx ui-monospace,\"SF Mono\",\"Cascadia Mono\",Menlo,Consolas,\"DejaVu Sans Mono\",\"Liberation Mono\",monospace;white-space:pre}</style>\n", fontSize)
	fmt.Fprintf(&b, `<rect x="0.5" y="0.5" width="%s" height="%d" rx="8" fill="%s" stroke="%s"/>`+"\n", number(width-1), height-1, t.ground, t.edge)
	fmt.Fprintf(&b, `<path d="M1 %[1]dV8.5A7.5 7.5 0 0 1 8.5 1H%[2]sA7.5 7.5 0 0 1 %[3]s 8.5V%[1]dZ" fill="%[4]s"/>`+"\n", barHeight, number(width-8.5), number(width-1), t.bar)
	for i := range 3 {
		fmt.Fprintf(&b, `<circle cx="%d" cy="%d" r="5" fill="none" stroke="%s"/>`+"\n", 20+i*18, barHeight/2, t.edge)
	}
	fmt.Fprintf(&b, `<text x="%s" y="%d" text-anchor="middle" fill="%s">%s</text>`+"\n", number(width/2), barHeight/2+5, t.title, name)
	for y := range s.Rows {
		for _, r := range s.runs(y, t) {
			r.draw(&b, y)
		}
	}
	b.WriteString("</svg>\n")
	return []byte(b.String())
}

// run is a piece of a line that looks the same all along.
type run struct {
	x, width int
	text     string
	fg, bg   string
	style    string // attributes of the text, as SVG has them
}

// runs are the pieces of line y that are not blank.
func (s Screen) runs(y int, t theme) []run {
	var out []run
	for x := range s.Cols {
		c := s.At(x, y)
		if c.Width == 0 {
			continue
		}
		r := run{x: x, width: c.Width, text: c.Text, fg: t.color(c.Fg, t.text), bg: t.color(c.Bg, t.ground), style: c.style()}
		if c.Reverse != (s.Cursor.Visible && s.Cursor.X == x && s.Cursor.Y == y) {
			r.fg, r.bg = r.bg, r.fg
		}
		if c.Conceal {
			r.text = " "
		}
		if r.bg == t.ground {
			r.bg = ""
		}
		if n := len(out); n > 0 && c.Width == 1 && out[n-1].alike(r) {
			out[n-1].text += r.text
			out[n-1].width++
			continue
		}
		out = append(out, r)
	}
	return out
}

func (r run) alike(o run) bool {
	// A wide character stands alone: fonts do not agree on its width.
	wide := r.width > 1 && len([]rune(r.text)) < r.width
	return !wide && r.x+r.width == o.x && r.fg == o.fg && r.bg == o.bg && r.style == o.style
}

// style is how the text of a cell is drawn.
func (c Cell) style() string {
	var b strings.Builder
	if c.Bold {
		b.WriteString(` font-weight="bold"`)
	}
	if c.Italic {
		b.WriteString(` font-style="italic"`)
	}
	if c.Faint {
		b.WriteString(` opacity="0.7"`)
	}
	switch {
	case c.Underline && c.Strike:
		b.WriteString(` text-decoration="underline line-through"`)
	case c.Underline:
		b.WriteString(` text-decoration="underline"`)
	case c.Strike:
		b.WriteString(` text-decoration="line-through"`)
	}
	return b.String()
}

func (r run) draw(b *strings.Builder, y int) {
	x, top := padding+float64(r.x)*cellWidth, barHeight+padding+y*lineHeight
	width := float64(r.width) * cellWidth
	if r.bg != "" {
		fmt.Fprintf(b, `<rect x="%s" y="%d" width="%s" height="%d" fill="%s"/>`+"\n", number(x), top, number(width), lineHeight, r.bg)
	}
	if !strings.Contains(r.style, "decoration") { // blanks are drawn only where there is a line on them
		text := strings.TrimRight(r.text, " ")
		width -= float64(len(r.text)-len(text)) * cellWidth
		r.text = text
	}
	if r.text == "" {
		return
	}
	fmt.Fprintf(b, `<text x="%s" y="%d" textLength="%s" lengthAdjust="spacingAndGlyphs" xml:space="preserve" fill="%s"%s>%s</text>`+"\n",
		number(x), top+fontSize, number(width), r.fg, r.style, html.EscapeString(printable(r.text)))
}

// number is a length without what it does not need.
func number(f float64) string {
	return strings.TrimSuffix(strings.TrimRight(fmt.Sprintf("%.2f", f), "0"), ".")
}

// printable is text without what XML cannot hold.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r >= 0x7f && r < 0xa0 || r == 0xfffe || r == 0xffff {
			return 0xfffd
		}
		return r
	}, text)
}
