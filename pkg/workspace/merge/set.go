package merge

import (
	"strings"

	"gopkg.in/yaml.v3"
)

// list is the text of a sequence: what is around its items.
type list struct {
	before string // up to the bracket, or to the first item's line
	pad    string // inside the brackets
	dash   int    // the column of the dashes; -1 in brackets
	after  string // behind the bracket
}

// setText returns the lines of a key whose sequence has the wanted items, in the
// style of ours. It says false where that may lose something.
func setText(ours, theirs *entry, want *value) (string, bool) {
	if want.kind != yaml.SequenceNode {
		return "", false
	}
	l, ok := listOf(ours)
	if _, too := listOf(theirs); !ok || !too {
		return "", false
	}
	mine, others := ids(ours.val), ids(theirs.val)
	items := make([]string, 0, len(want.items))
	for _, item := range want.items {
		at, lines := mine[item.id()], ours.lines
		if at == nil {
			at, lines = others[item.id()], theirs.lines
		}
		if at == nil {
			return "", false
		}
		text, ok := itemText(at.node, lines, l.dash < 0)
		if !ok {
			return "", false
		}
		items = append(items, text)
	}
	text, ok := l.render(items)
	return (&block{col: ours.col()}).text(strings.SplitAfter(text, "\n")), ok
}

func (l list) render(items []string) (string, bool) {
	switch {
	case l.dash < 0 && len(items) == 0:
		return l.before + "[]" + l.after, true
	case l.dash < 0:
		return l.before + "[" + l.pad + strings.Join(items, ", ") + l.pad + "]" + l.after, true
	case len(items) == 0:
		before, ok := strings.CutSuffix(l.before, ":\n")
		return before + ": []\n", ok
	}
	var out strings.Builder
	out.WriteString(l.before)
	for _, item := range items {
		out.WriteString(strings.Repeat(" ", l.dash) + "- " + item + "\n")
	}
	return out.String(), true
}

// listOf finds the text of an entry's sequence. It says false where there is
// something among the items that may be a comment.
func listOf(e *entry) (list, bool) {
	n := e.val.node
	at := n.Line - 1
	if at < e.from || at >= e.to {
		return list{}, false
	}
	if n.Style&yaml.FlowStyle == 0 {
		l := list{before: strings.Join(e.lines[e.from:at], ""), dash: indent(e.lines[at])}
		rest := e.lines[at:e.to]
		return l, at > e.from && strings.HasPrefix(rest[0][l.dash:], "-") && comments(strings.Join(rest, "")) == ""
	}
	off, ok := offset(e.lines[at], n.Column)
	if !ok {
		return list{}, false
	}
	text := e.lines[at][off:] + strings.Join(e.lines[at+1:e.to], "")
	end := closing(text)
	if end < 0 || comments(text[:end]) != "" {
		return list{}, false
	}
	l := list{before: strings.Join(e.lines[e.from:at], "") + e.lines[at][:off], dash: -1, after: text[end+1:]}
	if strings.HasPrefix(text, "[ ") && len(n.Content) > 0 {
		l.pad = " "
	}
	return l, true
}

// offset is the byte at which a column, which counts characters from 1, begins.
func offset(line string, column int) (int, bool) {
	n := 1
	for i := range line {
		if n == column {
			return i, true
		}
		n++
	}
	return 0, false
}

// closing finds the bracket that closes the one a text begins with, which has
// only scalars in it; -1 where there is none. A quote inside a plain word is a
// letter.
func closing(text string) int {
	if !strings.HasPrefix(text, "[") {
		return -1
	}
	start := true // of an item
	for i := 1; i < len(text); i++ {
		switch c := text[i]; {
		case c == ']':
			return i
		case start && (c == '"' || c == '\''):
			n := quoted(text[i:])
			if n == 0 {
				return -1
			}
			i += n - 1
			start = false
		case c == ',':
			start = true
		case c != ' ' && c != '\t' && c != '\n':
			start = false
		}
	}
	return -1
}

// quoted is the length of the quoted string that a text begins with; 0 where it
// does not end.
func quoted(text string) int {
	for i := 1; i < len(text); i++ {
		switch {
		case text[0] == '"' && text[i] == '\\':
			i++
		case text[0] == '\'' && strings.HasPrefix(text[i:], "''"):
			i++
		case text[i] == text[0]:
			return i + 1
		}
	}
	return 0
}

// itemText returns one line that reads as an item, as it was written where that
// is possible. flow is whether it goes between brackets.
func itemText(n *yaml.Node, lines []string, flow bool) (string, bool) {
	const singly = yaml.SingleQuotedStyle
	switch {
	case n.Style&yaml.TaggedStyle != 0:
		return "", false
	case n.Style == 0 && n.Tag == tagNull && n.Value == "":
		return "null", true
	case n.Style == 0 && !strings.Contains(n.Value, "\n") && (!flow || !strings.ContainsAny(n.Value, ",[]{}")):
		return n.Value, true
	case (n.Style == 0 || n.Style == singly) && !strings.Contains(n.Value, "\n"):
		return "'" + strings.ReplaceAll(n.Value, "'", "''") + "'", true
	case n.Style == yaml.DoubleQuotedStyle:
		line := lines[n.Line-1]
		if off, ok := offset(line, n.Column); ok && line[off] == '"' {
			if length := quoted(line[off:]); length > 0 {
				return line[off : off+length], true
			}
		}
	}
	text, err := yaml.Marshal(&yaml.Node{Kind: yaml.ScalarNode, Tag: tagStr, Value: n.Value, Style: yaml.DoubleQuotedStyle})
	return strings.TrimSuffix(string(text), "\n"), err == nil
}
