package markdown

import (
	"strings"
	"unicode/utf8"
)

// Bounds, in bytes. A block is rendered again with every piece that is added to
// it, so one that grows beyond maxBlock is ended where a line ends, and a line
// that grows beyond maxLine where a word does.
const (
	maxBlock = 8 << 10
	maxLine  = 4 << 10
	maxCode  = 2 << 10
)

// kind is what a block of the top level is, as far as where it ends depends on it.
type kind uint8

const (
	none     kind = iota
	prose         // ends at a blank line and less than an indentation: a paragraph, a quote, a table
	list          // ends at a line that belongs to none of its items
	indented      // code by indentation; ends at a line with less of it
	fenced        // code; ends at its closing fence
	verbatim      // lines of a text that is no Markdown
)

// block is a part of the text that is rendered on its own.
type block struct {
	kind   kind
	text   string
	prefix string // the head of the table that goes on in this block
	fence  fence
	joined bool // nothing stands between it and the block before
	last   bool // of a fence: it closes it
}

// fence is the opening line of a block of code.
type fence struct {
	char     byte
	n        int
	indent   int
	language string
}

// splitter finds where the blocks of the top level end, from whole lines, in
// their order. What it decides depends on the text alone, never on the pieces in
// which it came. Where it is in doubt it does not split, which is always right:
// a block may hold several.
type splitter struct {
	cur   block
	text  strings.Builder // of cur
	item  int             // of a list: where the content of its newest item begins
	bare  bool            // ... and it has none: a blank line ends it
	lines int             // of cur
	head  string          // its first line, if a table may begin with it
	table string          // the head of the table that it is
	blank bool            // the last line was blank
	done  func(block)
}

// line takes the next line, with its line feed if it has one.
func (s *splitter) line(l string) {
	if s.cur.kind == fenced {
		s.inFence(l)
		return
	}
	indent, rest := indentOf(l)
	if rest == "" {
		s.blank = true
		if s.bare {
			s.item, s.bare = 4, false
		}
		if s.cur.kind != none {
			s.text.WriteString(l)
			s.full()
		}
		return
	}
	f, opens := openFence(indent, rest)
	heading := indent < 4 && isHeading(rest)
	if s.cur.kind != none && (s.ends(indent, rest) || (opens || heading) && indent < s.inside()) {
		s.end()
	}
	s.blank = false
	if s.cur.kind == none {
		switch {
		case opens:
			s.cur.kind, s.cur.fence = fenced, f
			return
		case heading:
			s.cur.kind = prose
			s.text.WriteString(l)
			s.end()
			return
		case indent >= 4:
			s.cur.kind = indented
		default:
			s.cur.kind = prose
		}
	}
	s.listed(indent, rest)
	s.lines++
	s.tableHead(l)
	s.text.WriteString(l)
	s.full()
}

// listed finds out whether the line begins an item, or ends the list.
func (s *splitter) listed(indent int, rest string) {
	if s.cur.kind == indented && indent < 4 {
		s.cur.kind = prose
	}
	n := marker(rest)
	interrupts := n <= len(rest) || s.cur.kind == list || s.lines == 0 // an item of nothing does not interrupt a paragraph
	if n > 0 && interrupts && indent < s.inside() {
		if s.cur.kind == list && s.text.Len() > maxBlock/2 {
			s.split()
		}
		s.cur.kind, s.item, s.bare = list, indent+n, n == len(rest)+1
	} else {
		if s.cur.kind == list && indent < s.item && (s.bare || rest[0] == '>' || isRule(rest)) {
			s.cur.kind = prose // it is no lazy continuation: the list is over
		}
		s.bare = false
	}
}

// inside is the indentation from which a line belongs to an item of a list.
func (s *splitter) inside() int {
	if s.cur.kind == list {
		return s.item
	}
	return 4
}

// ends reports whether a line that is not blank begins another block.
func (s *splitter) ends(indent int, rest string) bool {
	if !s.blank {
		return false
	}
	switch s.cur.kind {
	case list:
		return indent < s.item && marker(rest) == 0
	default:
		return indent < 4 // else code by indentation may go on
	}
}

// tableHead notes the two lines that a table begins with.
func (s *splitter) tableHead(l string) {
	switch {
	case s.lines == 1 && s.cur.kind == prose && strings.Contains(l, "|"):
		s.head = l
	case s.lines == 2 && s.head != "" && isDelimiter(l):
		s.table = s.head + l
	}
}

// full ends a block that has become too long.
func (s *splitter) full() {
	if s.text.Len() > maxBlock {
		s.split()
	}
}

// split ends the block in its middle. A table goes on with its head.
func (s *splitter) split() {
	table := s.table
	s.end()
	s.cur.joined = true
	if table != "" {
		s.cur.kind, s.cur.prefix, s.table = prose, table, table
	}
}

// end ends the block and is ready for another.
func (s *splitter) end() {
	b := s.cur
	b.text = s.text.String()
	s.text.Reset()
	s.cur, s.item, s.bare, s.lines, s.head, s.table = block{}, 0, false, 0, "", ""
	if b.kind == fenced || strings.TrimSpace(b.text) != "" {
		s.done(b)
	}
}

// inFence takes a line of code, or the one that ends it.
func (s *splitter) inFence(l string) {
	if closesFence(s.cur.fence, l) {
		s.cur.last = true
		s.end()
		return
	}
	s.text.WriteString(l)
	if s.text.Len() > maxCode {
		f := s.cur.fence
		s.end()
		s.cur.kind, s.cur.fence, s.cur.joined = fenced, f, true
	}
}

// overlong returns how much of an unfinished line is a line by itself because
// it is too long, or 0.
func overlong(l string) int {
	if len(l) <= maxLine {
		return 0
	}
	if i := strings.LastIndexByte(l[:maxLine], ' '); i > maxLine/2 {
		return i + 1
	}
	n := maxLine
	for n > maxLine-utf8.UTFMax && !utf8.RuneStart(l[n]) {
		n--
	}
	return n
}

// indentOf returns the columns of white space before a line, and the line
// without the white space around it.
func indentOf(l string) (n int, rest string) {
	for i := range len(l) {
		switch l[i] {
		case ' ':
			n++
		case '\t':
			n += 4 - n%4
		default:
			return n, strings.TrimRight(l[i:], " \t\n")
		}
	}
	return n, ""
}

// isHeading reports whether a line is an ATX heading.
func isHeading(rest string) bool {
	n := len(rest) - len(strings.TrimLeft(rest, "#"))
	return n >= 1 && n <= 6 && (len(rest) == n || rest[n] == ' ' || rest[n] == '\t')
}

// isRule reports whether a line is a thematic break.
func isRule(rest string) bool {
	c := rest[0]
	if c != '-' && c != '*' && c != '_' {
		return false
	}
	marks := strings.NewReplacer(" ", "", "\t", "").Replace(rest)
	return len(marks) > 2 && strings.Trim(marks, string(c)) == ""
}

// openFence reports whether a line begins a block of code.
func openFence(indent int, rest string) (fence, bool) {
	c := rest[0]
	if indent > 3 || c != '`' && c != '~' {
		return fence{}, false
	}
	info := strings.TrimLeft(rest, string(c))
	n := len(rest) - len(info)
	if n < 3 || c == '`' && strings.Contains(info, "`") {
		return fence{}, false
	}
	language, _, _ := strings.Cut(strings.TrimLeft(info, " \t"), " ")
	return fence{char: c, n: n, indent: indent, language: strings.TrimRight(language, "\t")}, true
}

// closesFence reports whether a line ends the block of code that f began.
func closesFence(f fence, l string) bool {
	indent, rest := indentOf(l)
	return indent < 4 && len(rest) >= f.n && strings.Trim(rest, string(f.char)) == ""
}

// marker returns how far the content of a list's item is from the beginning of
// its marker, or 0 where the line begins no item.
func marker(rest string) int {
	if isRule(rest) {
		return 0
	}
	n := 0
	switch c := rest[0]; {
	case c == '-' || c == '*' || c == '+':
		n = 1
	case c >= '0' && c <= '9':
		for n < len(rest) && n < 9 && rest[n] >= '0' && rest[n] <= '9' {
			n++
		}
		if n == len(rest) || rest[n] != '.' && rest[n] != ')' {
			return 0
		}
		n++
	default:
		return 0
	}
	if n == len(rest) {
		return n + 1
	}
	space, _ := indentOf(rest[n:])
	switch {
	case space == 0:
		return 0
	case space > 4:
		return n + 1
	}
	return n + space
}

// isDelimiter reports whether a line parts a table's head from its rows.
func isDelimiter(l string) bool {
	l = strings.TrimSpace(l)
	return strings.Contains(l, "-") && strings.Contains(l, "|") && strings.Trim(l, "-|: \t") == ""
}
