package merge

import (
	"strings"

	"gopkg.in/yaml.v3"
)

// block is the text of a mapping whose keys each begin a line. Its texts are
// whole lines, without the column that its keys have.
type block struct {
	col     int // of the keys, in spaces
	entries []*entry
	index   map[string]*entry
	tail    string // comments after the last entry
}

// entry is the text of one key.
type entry struct {
	key   string
	val   *value
	lead  string // the comments above it
	main  string // the key and its value
	trail string // empty lines behind it
	lines []string
	from  int    // of the main's first line
	to    int    // one behind the main's last line
	head  string // the key's own line, where it has a sub
	sub   *block // nil: the value is no such mapping
}

func (b *block) get(key string) *entry {
	if b == nil {
		return nil
	}
	return b.index[key]
}

// blockOf finds the text of a mapping in the lines from one to another. It says
// false where the lines are not simply the keys one below the other.
func blockOf(lines []string, from, to int, v *value) (*block, bool) {
	b := &block{index: make(map[string]*entry)}
	if len(v.fields) == 0 {
		b.tail = strings.Join(lines[from:to], "")
		return b, v.node == nil
	}
	if v.node.Style&yaml.FlowStyle != 0 {
		return nil, false
	}
	b.col = v.fields[0].at.Column - 1
	if !b.even(lines[from:to]) || !b.found(lines, from, to, v) {
		return nil, false
	}
	lead := from
	for i, f := range v.fields {
		end := to
		if i+1 < len(v.fields) {
			end = v.fields[i+1].at.Line - 1
		}
		e := &entry{key: f.key, val: f.val, lines: lines, from: f.at.Line - 1}
		var trail int
		e.to, trail = b.gap(lines, e.from, end)
		e.lead = b.text(lines[lead:e.from])
		e.main = b.text(lines[e.from:e.to])
		e.trail = b.text(lines[e.to:trail])
		lead = trail
		e.descend(b.col)
		b.entries = append(b.entries, e)
		b.index[e.key] = e
	}
	b.tail = b.text(lines[lead:to])
	return b, true
}

// even reports whether every line can lose and regain the block's column
// without a change.
func (b *block) even(lines []string) bool {
	for _, line := range lines {
		if b.col > 0 && line != "\n" && (indent(line) < b.col || blank(line)) {
			return false
		}
	}
	return true
}

// found reports whether each key begins a line of its own at the block's column.
func (b *block) found(lines []string, from, to int, v *value) bool {
	last := from - 1
	for i, f := range v.fields {
		at := f.at.Line - 1
		if at <= last || at >= to || f.at.Column-1 != b.col || indent(lines[at]) != b.col {
			return false
		}
		for _, line := range lines[last+1 : at] {
			if i == 0 && !blank(line) && !isComment(line) {
				return false
			}
		}
		last = at
	}
	return true
}

// gap looks for the end of the value of a key whose lines are those from one to
// another: behind it are empty lines, up to trail, and then comments that are
// not deeper than the keys and belong to what follows. A line of a block scalar
// that looks like a comment is deeper.
func (b *block) gap(lines []string, from, to int) (end, trail int) {
	end, trail = to, to
	for end > from+1 {
		line := lines[end-1]
		switch {
		case isComment(line) && indent(line) <= b.col:
			trail = end - 1
		case !blank(line):
			return end, trail
		}
		end--
	}
	return end, trail
}

// descend finds the keys of a value that is a mapping.
func (e *entry) descend(col int) {
	if e.val.kind != yaml.MappingNode || len(e.val.fields) == 0 {
		return
	}
	sub, ok := blockOf(e.lines, e.from+1, e.to, e.val)
	if !ok || sub.col <= col {
		return
	}
	e.sub, e.head = sub, dedent(e.lines[e.from], col)
}

func (b *block) text(lines []string) string {
	var out strings.Builder
	for _, line := range lines {
		out.WriteString(dedent(line, b.col))
	}
	return out.String()
}

func indent(line string) int { return len(line) - len(strings.TrimLeft(line, " ")) }

// dedent removes so many spaces from the begin of a line, as far as there are.
func dedent(line string, n int) string { return line[min(n, indent(line)):] }

// deeper puts so many spaces before each line that is not empty.
func deeper(text string, n int) string {
	var out strings.Builder
	for line := range strings.Lines(text) {
		if line != "\n" {
			out.WriteString(strings.Repeat(" ", n))
		}
		out.WriteString(line)
	}
	return out.String()
}

func blank(line string) bool { return strings.TrimSpace(line) == "" }

func isComment(line string) bool { return strings.HasPrefix(strings.TrimLeft(line, " \t"), "#") }

// comments returns whatever may be a comment in a text, one a line. It misses
// none, and takes some for one that is inside a string.
func comments(text string) string {
	var out strings.Builder
	for line := range strings.Lines(text) {
		for i := range len(line) {
			if line[i] == '#' && (i == 0 || line[i-1] == ' ' || line[i-1] == '\t') {
				out.WriteString(strings.TrimRight(line[i:], " \t\n") + "\n")
				break
			}
		}
	}
	return out.String()
}
