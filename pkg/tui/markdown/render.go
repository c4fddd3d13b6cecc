package markdown

import (
	"slices"
	"strconv"
	"strings"

	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"

	"github.com/vexa-ai/vexa/pkg/tui/flow"
	"github.com/vexa-ai/vexa/pkg/tui/syntax"
	"github.com/vexa-ai/vexa/pkg/tui/theme"
)

// maxReferences bounds what link definitions are kept: each block is parsed with
// all of them.
const maxReferences = 256

// narrow is the width below which nothing is indented any more.
const narrow = 12

// renderer turns blocks into lines, in their order.
type renderer struct {
	parser parser.Parser
	plain  bool               // styles show nothing: marks are spelled out
	refs   []parser.Reference // of the blocks before
	lexer  syntax.Lexer       // of the code that may go on
	begun  bool               // something was rendered
	source []byte             // of the block
	inCell bool
}

func newRenderer(th theme.Theme) renderer {
	return renderer{parser: newParser(), plain: th.Plain()}
}

// fork returns a renderer for the open block, whose end does not matter.
func (r *renderer) fork() *renderer {
	c := *r
	c.refs = slices.Clip(r.refs)
	return &c
}

// block returns the lines of a block and of the space before it.
func (r *renderer) block(b block, width int) []flow.Line {
	var lines []flow.Line
	switch b.kind {
	case fenced:
		lines = r.fenced(b, width)
	case verbatim:
		for line := range strings.SplitSeq(b.text, "\n") {
			lines = append(lines, flow.Plain(flow.Tabs(line, 0)).Break(width)...)
		}
	default:
		lines = r.parsed(b.prefix+b.text, width)
	}
	if len(lines) == 0 {
		return nil
	}
	if r.begun && !b.joined {
		lines = append([]flow.Line{nil}, lines...)
	}
	r.begun = true
	return lines
}

// parsed renders what Goldmark parses.
func (r *renderer) parsed(source string, width int) []flow.Line {
	r.source = []byte(source)
	pc := parser.NewContext()
	for _, ref := range r.refs {
		pc.AddReference(ref)
	}
	doc := r.parser.Parse(text.NewReader(r.source), parser.WithContext(pc))
	if found := pc.References(); len(found) > len(r.refs) && len(found) <= maxReferences {
		r.refs = found
	}
	return r.children(doc, width, 0, true)
}

// children renders the blocks within n, with a line between them if loose.
func (r *renderer) children(n ast.Node, width int, base theme.Set, loose bool) []flow.Line {
	var out []flow.Line
	for c := n.FirstChild(); c != nil; c = c.NextSibling() {
		lines := r.node(c, width, base)
		if len(lines) > 0 && len(out) > 0 && loose {
			out = append(out, nil)
		}
		out = append(out, lines...)
	}
	return out
}

// node renders one block.
func (r *renderer) node(n ast.Node, width int, base theme.Set) []flow.Line {
	switch n := n.(type) {
	case *ast.Heading:
		mark := strings.Repeat("#", n.Level) + " "
		base = base.With(theme.Heading)
		return flow.Join(flow.Line{{Text: mark, Style: base}}, r.inline(n, base)).Wrap(width)
	case *ast.Blockquote:
		base = base.With(theme.Quote)
		if width < narrow {
			return r.children(n, width, base, true)
		}
		bar := flow.Plain("│ ", theme.Border)
		return flow.Indent(r.children(n, width-2, base, true), bar, bar)
	case *ast.List:
		return r.list(n, width, base)
	case *ast.ThematicBreak:
		return []flow.Line{flow.Plain(strings.Repeat("─", width), theme.Border)}
	case *ast.FencedCodeBlock:
		lexer := syntax.New(string(n.Language(r.source)))
		return r.code(&lexer, r.raw(n), width)
	case *ast.CodeBlock:
		return r.code(&syntax.Lexer{}, r.raw(n), width)
	case *table:
		return r.table(n, width, base)
	case *ast.Paragraph, *ast.TextBlock:
		line := r.inline(n, base)
		if len(line) == 0 {
			return nil
		}
		return line.Wrap(width)
	}
	return nil
}

// raw is the text of a block of code.
func (r *renderer) raw(n ast.Node) string {
	var b strings.Builder
	for _, seg := range n.Lines().Sliced(0, n.Lines().Len()) {
		b.Write(seg.Value(r.source))
	}
	return b.String()
}

// list renders the items of a list behind their bullets or numbers.
func (r *renderer) list(l *ast.List, width int, base theme.Set) []flow.Line {
	var out []flow.Line
	number := l.Start
	size := len(strconv.Itoa(l.Start + l.ChildCount() - 1))
	for item := l.FirstChild(); item != nil; item = item.NextSibling() {
		mark := "• "
		if l.IsOrdered() {
			digits := strconv.Itoa(number)
			mark = strings.Repeat(" ", max(size-len(digits), 0)) + digits + string(l.Marker) + " "
			number++
		}
		if box := r.checkbox(item); box != "" {
			mark = box
		}
		if len(out) > 0 && !l.IsTight {
			out = append(out, nil)
		}
		indent := flow.Width(mark)
		if width < narrow+indent {
			out = append(append(out, flow.Plain(strings.TrimSpace(mark), theme.Accent)), r.children(item, width, base, !l.IsTight)...)
			continue
		}
		lines := r.children(item, width-indent, base, !l.IsTight)
		if len(lines) == 0 {
			lines = []flow.Line{nil}
		}
		out = append(out, flow.Indent(lines, flow.Plain(mark, theme.Accent), flow.Plain(strings.Repeat(" ", indent)))...)
	}
	return out
}

// checkbox returns the box of a task and takes its mark off the text.
func (r *renderer) checkbox(item ast.Node) string {
	first := item.FirstChild()
	if first == nil || first.Lines().Len() == 0 {
		return ""
	}
	if first.Kind() != ast.KindParagraph && first.Kind() != ast.KindTextBlock {
		return ""
	}
	line := first.Lines().At(0)
	mark := string(line.Value(r.source))
	if len(mark) < 5 || mark[0] != '[' || mark[2] != ']' || mark[3] != ' ' {
		return ""
	}
	box := map[byte]string{' ': "☐ ", 'x': "☑ ", 'X': "☑ "}[mark[1]]
	end := line.Start + 4 - line.Padding
	for c := first.FirstChild(); box != "" && c != nil; {
		t, ok := c.(*ast.Text)
		if !ok {
			return "" // a link of that name
		}
		if t.Segment.Stop > end {
			t.Segment.Start = max(t.Segment.Start, end)
			return box
		}
		next := c.NextSibling()
		first.RemoveChild(first, c)
		c = next
	}
	return box
}

// fenced renders a part of a block of code of the top level.
func (r *renderer) fenced(b block, width int) []flow.Line {
	if !b.joined {
		r.lexer = syntax.New(b.fence.language)
	}
	code := b.text
	if b.fence.indent > 0 {
		code = dedent(code, b.fence.indent)
	}
	lines := r.code(&r.lexer, code, width)
	if !r.plain {
		return lines
	}
	mark := strings.Repeat(string(b.fence.char), b.fence.n)
	if !b.joined {
		lines = append([]flow.Line{flow.Plain(mark + b.fence.language).Cut(width)}, lines...)
	}
	if b.last {
		lines = append(lines, flow.Plain(mark).Cut(width))
	}
	return lines
}

// dedent takes up to n columns of white space off each line.
func dedent(code string, n int) string {
	var b strings.Builder
	for line := range strings.Lines(code) {
		line = flow.Tabs(line, 0)
		i := 0
		for i < n && i < len(line) && line[i] == ' ' {
			i++
		}
		b.WriteString(line[i:])
	}
	return b.String()
}

// code renders lines of code. One that is too long goes on behind an arrow.
func (r *renderer) code(lexer *syntax.Lexer, code string, width int) []flow.Line {
	if code == "" {
		return nil
	}
	first, rest := flow.Plain("  "), flow.Plain("↪ ", theme.Muted)
	var out []flow.Line
	for line := range strings.SplitSeq(strings.TrimSuffix(code, "\n"), "\n") {
		colored := lexer.Line(flow.Tabs(line, 0), theme.Of(theme.CodeBlock))
		if len(colored) == 0 {
			out = append(out, nil)
			continue
		}
		out = append(out, flow.Indent(colored.Break(width-2), first, rest)...)
	}
	return out
}
