package rehearsal

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/vexa-ai/vexa/pkg/internal/textform"
)

// A template holds expressions in double braces: the number or name of a
// capture of the match, lastUser, previousUser or toolResult, each optionally
// after the word slug, which makes a file name of it.
var expression = textform.Regexp(`\{\{([^{}]*)\}\}`)

// Longest text, in bytes, that an expression of a whole message fills in, and
// the longest slug.
const (
	maxQuote = 4 << 10
	maxSlug  = 48
)

// scene is what templates are filled from.
type scene struct {
	vars map[string]string
}

// newScene takes the captures of the turn's patterns. The numbers are those of
// the user pattern where there is one; names come from both.
func newScene(m Match, c *conversation) scene {
	s := scene{vars: map[string]string{
		"lastUser":     cut(c.LastUser),
		"previousUser": cut(c.PreviousUser),
		"toolResult":   cut(c.ToolResult),
	}}
	numbered := m.User
	if numbered == nil {
		numbered = m.ToolResult
	}
	for _, src := range []struct {
		re   *regexp.Regexp
		text string
	}{{m.ToolResult, c.ToolResult}, {m.User, c.LastUser}} {
		if src.re == nil {
			continue
		}
		groups := src.re.FindStringSubmatch(src.text)
		for i, name := range src.re.SubexpNames() {
			if i >= len(groups) {
				break
			}
			if src.re == numbered {
				s.vars[strconv.Itoa(i)] = groups[i]
			}
			if name != "" {
				s.vars[name] = groups[i]
			}
		}
	}
	return s
}

func cut(s string) string {
	if len(s) <= maxQuote {
		return s
	}
	return strings.ToValidUTF8(s[:maxQuote], "") + "…"
}

// fill replaces the expressions of a template that checkTemplate has passed.
func (s scene) fill(template string) string {
	return expression.ReplaceAllStringFunc(template, func(e string) string {
		verb, name := split(e[2 : len(e)-2])
		if verb == "slug" {
			return slug(s.vars[name])
		}
		return s.vars[name]
	})
}

// fillAny fills the strings within a value of a tool's arguments.
func (s scene) fillAny(v any) any {
	switch v := v.(type) {
	case string:
		return s.fill(v)
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = s.fillAny(v[i])
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for k := range v {
			out[k] = s.fillAny(v[k])
		}
		return out
	default:
		return v
	}
}

func split(e string) (verb, name string) {
	words := strings.Fields(e)
	if len(words) == 2 {
		return words[0], words[1]
	}
	return "", strings.TrimSpace(e)
}

// checkTemplate reports an expression that could never be filled under match.
func checkTemplate(template string, m Match) error {
	known := []string{"lastUser", "previousUser", "toolResult"}
	numbered := m.User
	if numbered == nil {
		numbered = m.ToolResult
	}
	for _, re := range []*regexp.Regexp{m.User, m.ToolResult} {
		if re == nil {
			continue
		}
		for i, name := range re.SubexpNames() {
			if re == numbered {
				known = append(known, strconv.Itoa(i))
			}
			if name != "" {
				known = append(known, name)
			}
		}
	}
	for _, e := range expression.FindAllStringSubmatch(template, -1) {
		verb, name := split(e[1])
		if verb != "" && verb != "slug" {
			return fmt.Errorf("%s: there is no function %q, only slug", e[0], verb)
		}
		if !slices.Contains(known, name) {
			return fmt.Errorf("%s: nothing is called %q here; there is %s", e[0], name, strings.Join(known, ", "))
		}
	}
	return nil
}

// slug makes a file name of a text: its letters and digits in lower case,
// joined by dashes, cut at a word's end.
func slug(s string) string {
	words := strings.FieldsFunc(strings.ToLower(s), func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r)
	})
	out := ""
	for _, w := range words {
		if out == "" {
			out = strings.ToValidUTF8(w[:min(len(w), maxSlug)], "")
			continue
		}
		if len(out)+1+len(w) > maxSlug {
			break
		}
		out += "-" + w
	}
	if out == "" {
		return "note"
	}
	return out
}
