package markdown

import (
	"strings"
)

// What has not come yet is shown as what it will most likely be. Nothing of this
// touches what is kept: it is for the picture between two pieces.

// mendCode returns as much of the unfinished line as is code: what may become
// the closing fence is not shown.
func mendCode(f fence, tail string) string {
	if rest := strings.TrimSpace(tail); rest != "" && strings.Trim(rest, string(f.char)) == "" {
		return ""
	}
	return tail
}

// mend returns the open block with its unfinished line.
func mend(b block, tail string) block {
	if b.kind == indented {
		b.text += tail
		return b
	}
	if text, ok := mendTable(b.text, tail); ok {
		b.text = text
		return b
	}
	// A dash may be a rule, a heading's underline or a bullet: the next piece says.
	if strings.Trim(tail, "-*+=#~`_> \t") == "" {
		return b
	}
	b.text += mendSpans(tail)
	return b
}

// mendTable makes a table of what has a head and no delimiter row yet.
func mendTable(text, tail string) (string, bool) {
	head := text
	if text == "" {
		head = tail
	} else if strings.Count(text, "\n") != 1 || strings.Trim(tail, "-|: \t") != "" {
		return "", false
	}
	head = strings.TrimSpace(head)
	if !strings.HasPrefix(head, "|") || text == "" && strings.Count(head, "|") < 2 {
		return "", false
	}
	return head + "\n|" + strings.Repeat("-|", len(splitRow(head))), true
}

// mendSpans closes what the line has opened: code, strong text, a link's target.
func mendSpans(tail string) string {
	line := strings.TrimRight(tail, " ")
	if i := strings.LastIndex(line, "]("); i >= 0 && !strings.Contains(line[i:], ")") {
		return line + ")"
	}
	code, strong := "", false
	for i := 0; i < len(line); {
		switch {
		case line[i] == '`':
			n := len(line[i:]) - len(strings.TrimLeft(line[i:], "`"))
			switch run := line[i : i+n]; code {
			case "":
				code = run
			case run:
				code = ""
			}
			i += n
		case code == "" && line[i] == '\\':
			i += 2
		case code == "" && strings.HasPrefix(line[i:], "**"):
			strong = !strong
			i += 2
		default:
			i++
		}
	}
	if code == "" && !strong {
		return tail
	}
	bare := strings.TrimRight(line, "*`")
	if bare != line && (code != "" || strings.HasSuffix(bare, " ") || bare == "") {
		return bare // the mark alone has come
	}
	if line += code; strong {
		line += "**"
	}
	return line
}
