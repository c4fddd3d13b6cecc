package markdown_test

import (
	"strings"
	"testing"
	"time"

	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"

	"github.com/vexa-ai/vexa/pkg/tui/markdown"
	"github.com/vexa-ai/vexa/pkg/tui/theme"
)

const mega = 1 << 20

// answer is what an agent may say, of about n bytes.
func answer(b *testing.B, n int) string {
	b.Helper()
	text := zoo(b)
	return strings.Repeat(text+"\n\n", n/len(text)+1)[:n]
}

// parse is the floor: Goldmark alone, over the whole text, with no picture.
func parse(source []byte) {
	p := parser.NewParser(
		parser.WithBlockParsers(parser.DefaultBlockParsers()...),
		parser.WithInlineParsers(parser.DefaultInlineParsers()...),
		parser.WithParagraphTransformers(parser.DefaultParagraphTransformers()...),
	)
	p.Parse(text.NewReader(source))
}

// BenchmarkWhole: a megabyte at once, against parsing it.
func BenchmarkWhole(b *testing.B) {
	source := answer(b, mega)
	b.SetBytes(int64(len(source)))
	var floor, ours time.Duration
	for b.Loop() {
		begin := time.Now()
		parse([]byte(source))
		parsed := time.Now()
		whole(theme.Dark(), 100, source)
		floor, ours = floor+parsed.Sub(begin), ours+time.Since(parsed)
	}
	b.ReportMetric(float64(ours)/float64(floor), "x-floor")
	b.ReportMetric(float64(ours.Milliseconds())/float64(b.N), "ms/MB")
}

// BenchmarkPiece: a word and its picture at the end of a megabyte, against the
// same at the beginning.
func BenchmarkPiece(b *testing.B) {
	const word, words = "word ", 40
	run := func(d *markdown.Document) time.Duration {
		d.Lines(100)
		begin := time.Now()
		for range words {
			d.Append(word)
			d.Lines(100)
		}
		return time.Since(begin) / words
	}
	long := answer(b, mega) + "\n\n"
	var floor, ours time.Duration
	for b.Loop() {
		floor += run(markdown.New(theme.Dark()))
		d := markdown.New(theme.Dark())
		d.Append(long)
		ours += run(d)
	}
	b.ReportMetric(float64(ours)/float64(floor), "x-floor")
	b.ReportMetric(float64(ours.Microseconds())/float64(b.N), "µs/piece")
}

// BenchmarkOpen is the worst piece: one more in a block of the greatest size.
func BenchmarkOpen(b *testing.B) {
	for name, unit := range map[string]string{
		"prose": "word **strong** `code` and ", "list": "- item of a list\n", "table": "| cell | another cell |\n", "code": "func main() { return 1 }\n",
		"brackets": "[", "stars": "*a ", "quotes": "> ", "ticks": "`a`` ", "links": "[a](", "references": "[a]: <x\n",
	} {
		b.Run(name, func(b *testing.B) {
			d := markdown.New(theme.Dark())
			switch name {
			case "code":
				d.Append("```go\n" + strings.Repeat(unit, 1900/len(unit)))
			case "table":
				d.Append("| a | b |\n|---|---|\n" + strings.Repeat(unit, 8000/len(unit)))
			default:
				d.Append(strings.Repeat(unit, 4000/len(unit)) + "\n" + strings.Repeat(unit, 3900/len(unit)))
			}
			for b.Loop() {
				d.Append("")
				d.Forget()
				d.Lines(100)
			}
		})
	}
}
