package syntax

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/vexa-ai/vexa/pkg/tui/flow"
	"github.com/vexa-ai/vexa/pkg/tui/theme"
)

// scanner goes over one line.
type scanner struct {
	*Lexer
	text string
	base theme.Set
	at   int // what is looked at
	from int // what was not put out begins here
	out  flow.Line
}

// flush puts out what lies behind, as text.
func (s *scanner) flush() {
	if s.from < s.at {
		s.out = append(s.out, flow.Run{Text: s.text[s.from:s.at], Style: s.base})
		s.from = s.at
	}
}

// emit puts out the next n bytes in a role.
func (s *scanner) emit(n int, r theme.Role) {
	if r == theme.Text {
		s.at += n
		return
	}
	s.flush()
	s.at += n
	s.out = append(s.out, flow.Run{Text: s.text[s.from:s.at], Style: s.base.With(r)})
	s.from = s.at
}

func (s *scanner) rest() string { return s.text[s.at:] }

// code scans a language of words.
func (s *scanner) code() {
	for s.at < len(s.text) {
		if s.until != nil {
			s.inQuote()
			continue
		}
		if s.opens() {
			continue
		}
		c := s.text[s.at]
		switch {
		case c >= '0' && c <= '9':
			s.emit(numberLen(s.rest()), theme.Number)
		case s.letter(s.rest()) > 0:
			s.word()
		default:
			s.at++
		}
	}
	if s.until != nil && !s.until.multi {
		s.until = nil
	}
}

// inQuote puts out what is left of a comment or a string.
func (s *scanner) inQuote() {
	q, rest := s.until, s.rest()
	n := 0
	for n < len(rest) {
		if q.escape && rest[n] == '\\' {
			n = min(n+2, len(rest))
			continue
		}
		if strings.HasPrefix(rest[n:], q.shut) {
			n += len(q.shut)
			s.until = nil
			break
		}
		n++
	}
	s.emit(n, s.roleOf(q, n))
}

// roleOf is the role of the next n bytes, which q encloses.
func (s *scanner) roleOf(q *quote, n int) theme.Role {
	if q.comment {
		return theme.Comment
	}
	if s.lang.keys && s.until == nil && isKey(s.text[s.at+n:]) {
		return theme.Type
	}
	return theme.String
}

// opens begins a comment or a string, if one does.
func (s *scanner) opens() bool {
	rest := s.rest()
	for _, mark := range s.lang.line {
		if strings.HasPrefix(rest, mark) && (mark != "#" || s.at == 0 || s.text[s.at-1] == ' ' || s.text[s.at-1] == '\t') {
			s.emit(len(rest), theme.Comment)
			return true
		}
	}
	for i := range s.lang.quotes {
		q := &s.lang.quotes[i]
		if !strings.HasPrefix(rest, q.open) {
			continue
		}
		// An apostrophe that nothing ends is one: a lifetime, a word of prose.
		if q.open == "'" && !strings.Contains(rest[1:], "'") {
			s.at++
			return true
		}
		n := s.shuts(q, rest)
		if n == 0 {
			s.until, n = q, len(rest)
		}
		s.emit(n, s.roleOf(q, n))
		return true
	}
	return false
}

// shuts returns how long what q begins is, or 0 where this line does not end it.
func (s *scanner) shuts(q *quote, rest string) int {
	for n := len(q.open); n < len(rest); n++ {
		if q.escape && rest[n] == '\\' {
			n++
		} else if strings.HasPrefix(rest[n:], q.shut) {
			return n + len(q.shut)
		}
	}
	return 0
}

// letter returns the length of the letter that text begins with, or 0.
func (s *scanner) letter(text string) int {
	c := text[0]
	switch {
	case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c == '_', strings.IndexByte(s.lang.letters, c) >= 0:
		return 1
	case c < utf8.RuneSelf:
		return 0
	}
	if r, n := utf8.DecodeRuneInString(text); unicode.IsLetter(r) {
		return n
	}
	return 0
}

// word puts out a name, as what the language knows of it.
func (s *scanner) word() {
	n := 0
	for rest := s.rest(); n < len(rest); {
		size := s.letter(rest[n:])
		if size == 0 && rest[n] >= '0' && rest[n] <= '9' {
			size = 1
		}
		if size == 0 {
			break
		}
		n += size
	}
	name, after := s.text[s.at:s.at+n], s.text[s.at+n:]
	if s.lang.fold {
		name = strings.ToLower(name)
	}
	role, known := s.lang.words[name]
	switch {
	case known:
	case s.lang.keys && isKey(after), strings.HasPrefix(name, "$"):
		role = theme.Type
	case strings.HasPrefix(after, "("):
		role = theme.Function
	}
	s.emit(n, role)
}

// isKey reports whether what comes before after is the key of a value.
func isKey(after string) bool {
	after = strings.TrimLeft(after, " ")
	return strings.HasPrefix(after, ":") || strings.HasPrefix(after, "=")
}

// numberLen is the length of the number that text begins with.
func numberLen(text string) int {
	n := 1
	for n < len(text) {
		c := text[n]
		if (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && c != '.' && c != '_' {
			break
		}
		n++
	}
	return n
}

// diff colours a line of a patch by what it begins with.
func (s *scanner) diff() {
	role := theme.Text
	switch {
	case strings.HasPrefix(s.text, "@@"):
		role = theme.Accent
	case strings.HasPrefix(s.text, "+"):
		role = theme.Added
	case strings.HasPrefix(s.text, "-"):
		role = theme.Removed
	case strings.HasPrefix(s.text, "diff "), strings.HasPrefix(s.text, "index "):
		role = theme.Muted
	}
	s.emit(len(s.text), role)
}

// markup scans a language of tags.
func (s *scanner) markup() {
	for s.at < len(s.text) {
		rest := s.rest()
		switch {
		case s.until != nil:
			s.inQuote()
		case s.tag:
			s.inTag(rest)
		case strings.HasPrefix(rest, "<!--"):
			s.opens()
		case rest[0] == '<':
			n := 1
			for n < len(rest) && !strings.ContainsRune(" \t/>", rune(rest[n])) || n == 1 && n < len(rest) && rest[n] == '/' {
				n++
			}
			s.tag = true
			s.emit(n, theme.Type)
		default:
			s.at++
		}
	}
	if s.until != nil && !s.until.multi {
		s.until = nil
	}
}

// inTag puts out the next part of a tag.
func (s *scanner) inTag(rest string) {
	switch c := rest[0]; {
	case c == '>':
		s.tag = false
		s.emit(1, theme.Type)
	case c == '"', c == '\'':
		if !s.opens() {
			s.at++
		}
	case s.letter(rest) > 0:
		n := 0
		for n < len(rest) && !strings.ContainsRune(" \t=/>\"'", rune(rest[n])) {
			n++
		}
		s.emit(n, theme.Function)
	default:
		s.at++
	}
}
