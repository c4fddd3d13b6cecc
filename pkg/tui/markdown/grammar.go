package markdown

import (
	"strings"

	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"
)

// newParser returns the parser of a block. Goldmark's own parsers but those of
// HTML, and of its extensions two that are written here: its package of
// extensions costs every start of this program a millisecond of compiling.
func newParser() parser.Parser {
	return parser.NewParser(
		parser.WithBlockParsers(
			util.Prioritized(parser.NewSetextHeadingParser(), 100),
			util.Prioritized(parser.NewThematicBreakParser(), 200),
			util.Prioritized(parser.NewListParser(), 300),
			util.Prioritized(parser.NewListItemParser(), 400),
			util.Prioritized(parser.NewCodeBlockParser(), 500),
			util.Prioritized(parser.NewATXHeadingParser(), 600),
			util.Prioritized(parser.NewFencedCodeBlockParser(), 700),
			util.Prioritized(parser.NewBlockquoteParser(), 800),
			util.Prioritized(parser.NewParagraphParser(), 1000),
		),
		parser.WithInlineParsers(
			util.Prioritized(parser.NewCodeSpanParser(), 100),
			util.Prioritized(parser.NewLinkParser(), 200),
			util.Prioritized(parser.NewAutoLinkParser(), 300),
			util.Prioritized(parser.NewEmphasisParser(), 500),
			util.Prioritized(strikeParser{}, 500),
		),
		parser.WithParagraphTransformers(
			util.Prioritized(parser.LinkReferenceParagraphTransformer, 100),
			util.Prioritized(tableParser{}, 200),
		),
	)
}

//nolint:gochecknoglobals // constants; the library hands out numbers
var (
	kindStrike = ast.NewNodeKind("Strike")
	kindTable  = ast.NewNodeKind("Table")
	kindRow    = ast.NewNodeKind("Row")
	kindCell   = ast.NewNodeKind("Cell")
)

// strike is text that was struck through.
type strike struct{ ast.BaseInline }

func (*strike) Kind() ast.NodeKind { return kindStrike }

func (n *strike) Dump(source []byte, level int) { ast.DumpHelper(n, source, level, nil, nil) }

// strikeParser parses ~~text~~ and ~text~.
type strikeParser struct{}

func (strikeParser) Trigger() []byte { return []byte{'~'} }

func (strikeParser) Parse(_ ast.Node, block text.Reader, pc parser.Context) ast.Node {
	before := block.PrecendingCharacter()
	line, segment := block.PeekLine()
	d := parser.ScanDelimiter(line, before, 1, strikeParser{})
	if d == nil || d.OriginalLength > 2 || before == '~' {
		return nil
	}
	d.Segment = segment.WithStop(segment.Start + d.OriginalLength)
	block.Advance(d.OriginalLength)
	pc.PushDelimiter(d)
	return d
}

func (strikeParser) IsDelimiter(b byte) bool { return b == '~' }

func (strikeParser) CanOpenCloser(opener, closer *parser.Delimiter) bool {
	return opener.Char == closer.Char
}

func (strikeParser) OnMatch(int) ast.Node { return &strike{} }

// align is where the text of a column stands.
type align uint8

const (
	left align = iota
	center
	right
)

// table holds rows, of which the first is the head.
type table struct {
	ast.BaseBlock
	align []align
}

func (*table) Kind() ast.NodeKind { return kindTable }

func (n *table) Dump(source []byte, level int) { ast.DumpHelper(n, source, level, nil, nil) }

// row holds as many cells as the table has columns.
type row struct{ ast.BaseBlock }

func (*row) Kind() ast.NodeKind { return kindRow }

func (n *row) Dump(source []byte, level int) { ast.DumpHelper(n, source, level, nil, nil) }

// cell holds text.
type cell struct{ ast.BaseBlock }

func (*cell) Kind() ast.NodeKind { return kindCell }

func (n *cell) Dump(source []byte, level int) { ast.DumpHelper(n, source, level, nil, nil) }

// tableParser makes a table of a paragraph whose lines are one, from the line
// before the delimiter row.
type tableParser struct{}

func (tableParser) Transform(p *ast.Paragraph, reader text.Reader, _ parser.Context) {
	lines, source := p.Lines(), reader.Source()
	for i := 1; i < lines.Len(); i++ {
		delimiter := lines.At(i)
		aligns := alignments(string(delimiter.Value(source)))
		if aligns == nil {
			continue
		}
		if head := lines.At(i - 1); len(splitRow(string(head.Value(source)))) != len(aligns) {
			return
		}
		t := &table{align: aligns}
		for j := i - 1; j < lines.Len(); j++ {
			if j != i {
				t.AppendChild(t, newRow(lines.At(j), source, len(aligns)))
			}
		}
		p.Parent().InsertAfter(p.Parent(), p, t)
		if p.Lines().SetSliced(0, i-1); i == 1 {
			p.Parent().RemoveChild(p.Parent(), p)
		}
		return
	}
}

// newRow makes a row of a line, whatever number of cells that has.
func newRow(line text.Segment, source []byte, columns int) *row {
	r := &row{}
	spans := splitRow(string(line.Value(source)))
	for i := range columns {
		c := &cell{}
		if i < len(spans) {
			start := line.Start - line.Padding
			seg := text.NewSegment(max(start+spans[i][0], line.Start), start+spans[i][1])
			c.Lines().Append(seg)
		}
		r.AppendChild(r, c)
	}
	return r
}

// splitRow returns where the cells of a row are, without the white space around
// them. A pipe after a backslash parts no cells.
func splitRow(line string) [][2]int {
	from, to := 0, len(line)
	trim := func() {
		for from < to && isBlank(line[from]) {
			from++
		}
		for to > from && isBlank(line[to-1]) {
			to--
		}
	}
	trim()
	if from < to && line[from] == '|' {
		from++
	}
	if to > from && line[to-1] == '|' && (to < 2 || line[to-2] != '\\') {
		to--
	}
	var spans [][2]int
	end := to
	for at := from; ; at++ {
		if at < end && (line[at] != '|' || at > 0 && line[at-1] == '\\') {
			continue
		}
		next := at + 1
		to = min(at, end)
		trim()
		spans = append(spans, [2]int{from, to})
		if at >= end {
			return spans
		}
		from = next
	}
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' || c == '\n' }

// alignments reads a delimiter row; it is nil where the line is none.
func alignments(line string) []align {
	if !isDelimiter(line) {
		return nil
	}
	var out []align
	for _, span := range splitRow(line) {
		col := line[span[0]:span[1]]
		dashes := strings.TrimSuffix(strings.TrimPrefix(col, ":"), ":")
		if dashes == "" || strings.Trim(dashes, "-") != "" {
			return nil
		}
		switch {
		case !strings.HasSuffix(col, ":"):
			out = append(out, left)
		case strings.HasPrefix(col, ":"):
			out = append(out, center)
		default:
			out = append(out, right)
		}
	}
	return out
}
