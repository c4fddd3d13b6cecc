// Package mention finds what a message names by @: files of workspaces, and of this
// machine.
//
// A mention begins at the beginning of a message or behind white space, and ends before
// the next. A backslash takes the character behind it as it is, a space too. Periods and
// the like at the end are the sentence's.
package mention

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/vexa-ai/vexa/pkg/cli/plain"
)

// Mention is a name in a text, such as @notes/a.md.
type Mention struct {
	From, To int    // where it is, in bytes, with its @
	Name     string // without it, and without what escapes
}

const (
	white  = " \t\n"
	closes = ".,;:!?)]}\"'" // at the end they are not the name's
)

// All returns the mentions of a text in order.
func All(text string) []Mention {
	var out []Mention
	for i := 0; i < len(text); {
		if text[i] != '@' {
			i = nextWord(text, i)
			continue
		}
		end := wordEnd(text, i)
		to := end
		for to > i+1 && strings.IndexByte(closes, text[to-1]) >= 0 && !escaped(text[i:to]) {
			to--
		}
		if name := unescape(text[i+1 : to]); name != "" {
			out = append(out, Mention{i, to, name})
		}
		i = nextWord(text, end)
	}
	return out
}

// At returns the mention in which a cursor stands that is at a byte of text, behind the
// @; its name is as far as the cursor, its end is that of the word.
func At(text string, cursor int) (Mention, bool) {
	if cursor < 0 || cursor > len(text) {
		return Mention{}, false
	}
	// A mention has no line feed unless it is escaped, which nobody types.
	for i := strings.LastIndexByte(text[:cursor], '\n') + 1; i < cursor; {
		if text[i] != '@' {
			i = nextWord(text, i)
			continue
		}
		end := wordEnd(text, i)
		if cursor <= end {
			return Mention{i, end, unescape(text[i+1 : cursor])}, true
		}
		i = nextWord(text, end)
	}
	return Mention{}, false
}

// Shown reports whether a name is what a person sees of it. One with characters that
// would not reach a screen is not to be offered: nobody could say what they name by it.
func Shown(name string) bool { return name != "" && plain.Line(name) == name }

// Write returns the mention of a name.
func Write(name string) string {
	var b strings.Builder
	b.WriteByte('@')
	last := len(name) - 1
	for i := range len(name) {
		if c := name[i]; c == '\\' || strings.IndexByte(white, c) >= 0 || i == last && strings.IndexByte(closes, c) >= 0 {
			b.WriteByte('\\')
		}
		b.WriteByte(name[i])
	}
	return b.String()
}

// nextWord is where the first word behind i begins that white space stands before.
func nextWord(text string, i int) int {
	n := strings.IndexAny(text[i:], white)
	if n < 0 {
		return len(text)
	}
	for i += n; i < len(text) && strings.IndexByte(white, text[i]) >= 0; i++ {
	}
	return i
}

// wordEnd is where a mention ends that begins at i.
func wordEnd(text string, i int) int {
	for ; i < len(text) && strings.IndexByte(white, text[i]) < 0; i++ {
		if text[i] == '\\' && i+1 < len(text) && text[i+1] != '\n' {
			i++
		}
	}
	return min(i, len(text))
}

// escaped reports whether the last character of a mention is escaped.
func escaped(s string) bool {
	before := strings.TrimRight(s[:len(s)-1], `\`)
	return (len(s)-1-len(before))%2 == 1
}

func unescape(s string) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// Place returns a text with the mentions @NAME:PATH of workspaces as what an agent knows
// them by, which is told no names: dirs has the directory of each by its name, and none,
// an empty text, for the one that it works in, whose files are then @PATH.
func Place(text string, dirs map[string]string) string {
	var b strings.Builder
	at := 0
	for _, m := range All(text) {
		name, path, ok := strings.Cut(m.Name, ":")
		dir, known := dirs[name]
		if !ok || !known || path == "" {
			continue
		}
		b.WriteString(text[at:m.From])
		switch place := dir + "/" + path; {
		case dir == "":
			b.WriteString(Write(path))
		case strings.ContainsAny(place, white+`"`):
			b.WriteString(strconv.Quote(place))
		default:
			b.WriteString(place)
		}
		at = m.To
	}
	return b.String() + text[at:]
}

// Unplace returns a text that Place made as it was written, as far as that can be told: what
// lies in a directory of dirs is a mention of its workspace again.
func Unplace(text string, dirs map[string]string) string {
	for _, name := range slices.Sorted(maps.Keys(dirs)) {
		if dir := dirs[name]; dir != "" {
			text = unplace(text, name, dir+"/")
		}
	}
	return text
}

func unplace(text, name, dir string) string {
	var b strings.Builder
	for {
		before, after, found := strings.Cut(text, dir)
		if !found {
			return b.String() + text
		}
		quoted, err := strconv.QuotedPrefix(`"` + dir + after)
		if !strings.HasSuffix(before, `"`) || err != nil {
			b.WriteString(before + "@" + name + ":")
			text = after
			continue
		}
		place, _ := strconv.Unquote(quoted) // QuotedPrefix returns nothing else
		b.WriteString(before[:len(before)-1] + Write(name+":"+place[len(dir):]))
		text = after[len(quoted)-1-len(dir):]
	}
}
