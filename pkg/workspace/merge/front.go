package merge

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

// The limits of a frontmatter that is interpreted.
const (
	maxFront = 64 << 10 // bytes, with the fences
	maxDepth = 64       // mappings and sequences within each other
)

const fence = "---"

// Split cuts a page after its frontmatter, which may be empty; the two are parts of
// text.
func Split(text []byte) (front, body []byte) { return split(text) }

// split cuts a file after the fence that ends its frontmatter. One without
// frontmatter is all body.
func split(text []byte) (head, body []byte) {
	open := 0
	for line := range bytes.Lines(text) {
		open += len(line)
		switch {
		case open == len(line) && !isFence(line):
			return nil, text
		case open == len(line) || !isFence(line):
			continue
		}
		return text[:open], text[open:]
	}
	return nil, text
}

func isFence(line []byte) bool {
	line = bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r"))
	return string(line) == fence
}

// front is a frontmatter that can be merged by key.
type front struct {
	root  *value
	lines []string // without the fences; each ends with a line feed alone
	crlf  bool     // the lines end with it in the file
	bare  bool     // the file ends with the second fence, without a line end
}

// read interprets a frontmatter, or says why it does not. who names the version.
func read(who string, raw []byte) (*front, string) {
	f, why := readFront(raw)
	if why != "" {
		return nil, "both sides changed the frontmatter, which cannot be merged by key: that of " + who + " " + why
	}
	return f, ""
}

func readFront(raw []byte) (*front, string) {
	switch {
	case len(raw) == 0:
		return nil, "is missing"
	case len(raw) > maxFront:
		return nil, "is larger than 64 KiB"
	case !utf8.Valid(raw):
		return nil, "is not UTF-8"
	}
	text := string(raw)
	f := &front{bare: !strings.HasSuffix(text, "\n")}
	switch strings.Count(text, "\r\n") {
	case 0:
	case strings.Count(text, "\n"):
		f.crlf = true
		text = strings.ReplaceAll(text, "\r\n", "\n")
	default:
		return nil, "mixes line ends"
	}
	// YAML ends lines at these, too, so that its numbers of lines were not ours.
	if strings.ContainsAny(text, "\r\u0085\u2028\u2029\ufeff") {
		return nil, "has an unusual line end or a byte order mark"
	}
	text = strings.TrimSuffix(strings.TrimPrefix(text, fence+"\n"), "\n")
	text = strings.TrimSuffix(text, fence)
	for line := range strings.Lines(text) {
		for _, mark := range []string{"...", fence} {
			if rest, ok := strings.CutPrefix(line, mark); ok && strings.TrimLeft(rest, " \t\n") != rest {
				return nil, "has several documents"
			}
		}
		f.lines = append(f.lines, line)
	}
	var why string
	f.root, why = parse(text)
	return f, why
}

// assemble puts the fences around the merged text. How lines end is merged, too;
// of two ways there is always one that at most one side has changed to.
func assemble(b, o, t *front, text string) []byte {
	out := fence + "\n" + text + fence
	if !either(b.bare, o.bare, t.bare) {
		out += "\n"
	}
	if either(b.crlf, o.crlf, t.crlf) {
		out = strings.ReplaceAll(out, "\n", "\r\n")
	}
	return []byte(out)
}

// either merges three answers to one question.
func either(b, o, t bool) bool {
	if b == o {
		return t
	}
	return o
}
