package markdown

import (
	"strings"

	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/util"

	"github.com/vexa-ai/vexa/pkg/cli/plain"
	"github.com/vexa-ai/vexa/pkg/tui/flow"
	"github.com/vexa-ai/vexa/pkg/tui/theme"
)

// inline returns what a block says as one line with line feeds in it.
func (r *renderer) inline(n ast.Node, base theme.Set) flow.Line {
	var out flow.Line
	for c := n.FirstChild(); c != nil; c = c.NextSibling() {
		out = r.span(out, c, base)
	}
	return out
}

// span appends what n says to out.
func (r *renderer) span(out flow.Line, n ast.Node, style theme.Set) flow.Line {
	switch n := n.(type) {
	case *ast.Text:
		out = put(out, unescape(string(n.Segment.Value(r.source))), style)
		if n.SoftLineBreak() || n.HardLineBreak() {
			out = put(out, "\n", style)
		}
	case *ast.String:
		out = put(out, string(n.Value), style)
	case *ast.CodeSpan:
		out = r.marked(out, "`", style, func(out flow.Line) flow.Line { return put(out, r.verbatim(n), style.With(theme.Code)) })
	case *ast.Emphasis:
		mark, role := "*", theme.Emphasis
		if n.Level > 1 {
			mark, role = "**", theme.Strong
		}
		out = r.marked(out, mark, style, func(out flow.Line) flow.Line { return r.spans(out, n, style.With(role)) })
	case *strike:
		out = r.marked(out, "~~", style, func(out flow.Line) flow.Line { return r.spans(out, n, style.With(theme.Strike)) })
	case *ast.Link:
		from := len(out)
		out = r.spans(out, n, style.With(theme.Link))
		out = r.target(out, from, string(n.Destination), style)
	case *ast.Image:
		from := len(out)
		out = put(out, "[image: ", style.With(theme.Muted))
		out = put(r.spans(out, n, style), "]", style.With(theme.Muted))
		out = r.target(out, from, string(n.Destination), style)
	case *ast.AutoLink:
		out = put(out, string(n.Label(r.source)), style.With(theme.Link))
	default:
		out = r.spans(out, n, style)
	}
	return out
}

func (r *renderer) spans(out flow.Line, n ast.Node, style theme.Set) flow.Line {
	for c := n.FirstChild(); c != nil; c = c.NextSibling() {
		out = r.span(out, c, style)
	}
	return out
}

// marked puts what inner appends between marks, where styles show nothing.
func (r *renderer) marked(out flow.Line, mark string, style theme.Set, inner func(flow.Line) flow.Line) flow.Line {
	if !r.plain {
		return inner(out)
	}
	return put(inner(put(out, mark, style)), mark, style)
}

// target appends where a link leads, unless its text, from that run on, is that.
func (r *renderer) target(out flow.Line, from int, url string, style theme.Set) flow.Line {
	url = unescape(url)
	if text := out[from:].Text(); url == "" || text == url || "mailto:"+text == url {
		return out
	}
	if out[from:].Text() != "" {
		out = put(out, " ", style)
	}
	return put(out, "("+plain.Line(url)+")", style.With(theme.URL))
}

// verbatim is what a code span says.
func (r *renderer) verbatim(n ast.Node) string {
	var b strings.Builder
	for c := n.FirstChild(); c != nil; c = c.NextSibling() {
		if t, ok := c.(*ast.Text); ok {
			b.Write(t.Segment.Value(r.source))
		}
	}
	s := strings.ReplaceAll(b.String(), "\n", " ")
	if r.inCell {
		s = strings.ReplaceAll(s, `\|`, "|")
	}
	return s
}

// put appends text in one style.
func put(out flow.Line, text string, style theme.Set) flow.Line {
	if text = flow.Tabs(text, 0); text == "" {
		return out
	}
	return append(out, flow.Run{Text: text, Style: style})
}

// maxEntity is the length of the longest name of a character, with & and ;.
const maxEntity = 34

// unescape resolves backslashes and entities. Since an entity can be any
// character, what comes of one is stripped again.
func unescape(s string) string {
	if !strings.ContainsAny(s, `\&`) {
		return s
	}
	var b strings.Builder
	entities := false
	for i := 0; i < len(s); {
		switch c := s[i]; {
		case c == '\\' && i+1 < len(s) && util.IsPunct(s[i+1]):
			b.WriteByte(s[i+1])
			i += 2
		case c == '&':
			n := min(strings.IndexByte(s[i:min(len(s), i+maxEntity)], ';')+1, maxEntity)
			if n < 3 {
				n = 1
			}
			text := s[i : i+n]
			if n > 1 {
				text = string(util.ResolveEntityNames(util.ResolveNumericReferences([]byte(text))))
			}
			entities = true
			b.WriteString(text)
			i += n
		default:
			b.WriteByte(c)
			i++
		}
	}
	if entities {
		return plain.Line(b.String())
	}
	return b.String()
}
