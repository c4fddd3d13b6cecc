// Package syntax colours code by the roles of a theme, line by line.
//
// It knows what most languages share: comments, strings, numbers, names, and the
// words of each. That is enough to read by, and it costs one look at each byte:
// an answer of a megabyte is coloured while it comes, a line when it is whole,
// and no text, however hostile, makes it take longer. What no language is known
// for comes back in one style.
package syntax

import (
	"strings"

	"github.com/vexa-ai/vexa/pkg/tui/flow"
	"github.com/vexa-ai/vexa/pkg/tui/theme"
)

// Lexer colours the lines of one text in their order: it knows at each line
// whether a comment or a string goes on. A copy goes on from where the original
// was. The zero value colours nothing. It is not safe for concurrent use.
type Lexer struct {
	lang  *language
	until *quote // what is open at the start of the next line; nil: nothing
	tag   bool   // a tag of a markup language is
}

// New returns a lexer for a language by its name, an alias of it or a file
// extension; the case does not matter. One that is not known colours nothing.
func New(name string) Lexer {
	return Lexer{lang: languages()[strings.ToLower(name)]}
}

// Language returns a name that New knows for the language of a file, by the
// file's own name. It is empty where none is known.
func Language(file string) string {
	file = strings.ToLower(file[strings.LastIndexByte(file, '/')+1:])
	switch {
	case strings.HasPrefix(file, "dockerfile"), strings.HasPrefix(file, "containerfile"):
		return "dockerfile"
	case file == "makefile", file == "gnumakefile":
		return "make"
	}
	ext := file[strings.LastIndexByte(file, '.')+1:]
	if len(ext) == len(file) || languages()[ext] == nil {
		return ""
	}
	return ext
}

// Line returns the next line of the text, which has no line feed. Every run has
// the style base, too. The text of the runs is that of the line.
func (l *Lexer) Line(text string, base theme.Set) flow.Line {
	if text == "" {
		return nil
	}
	s := scanner{Lexer: l, text: text, base: base}
	switch {
	case l.lang == nil:
	case l.lang.mode == diff:
		s.diff()
	case l.lang.mode == markup:
		s.markup()
	default:
		s.code()
	}
	s.at = len(text)
	s.flush()
	return s.out
}

// Highlight returns the lines of code. A line feed at its end begins no further
// line.
func Highlight(code, name string, base theme.Set) []flow.Line {
	l := New(name)
	code = strings.TrimSuffix(code, "\n")
	lines := make([]flow.Line, 0, strings.Count(code, "\n")+1)
	for text := range strings.SplitSeq(code, "\n") {
		lines = append(lines, l.Line(text, base))
	}
	return lines
}
