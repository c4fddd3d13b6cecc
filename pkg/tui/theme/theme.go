// Package theme says what pieces of text mean, and how a terminal shows that.
//
// Views name roles, never colours. A theme gives each role a style; one without
// colour gives none, so that whatever a role says stands in the text or in a
// glyph, too. Paint is the one place where styled text becomes bytes: it strips
// what is foreign first, so the only control sequences in its result are those
// of the theme, and they select graphic renditions alone (SGR).
package theme

import (
	"math/bits"
	"strings"

	"charm.land/lipgloss/v2"

	"github.com/vexa-ai/vexa/pkg/cli/plain"
)

// Role is what a piece of text means.
type Role uint8

// The roles. Where a text has several, a later one decides what they disagree on.
const (
	Text        Role = iota // nothing in particular
	Muted                   // of less weight: times, hints, gutters
	Accent                  // what stands out in a view: names, the current entry
	Heading                 // a title of any level
	Quote                   // what somebody else said
	CodeBlock               // a block of code, where nothing more is known of it
	TableHead               // a column's title
	Strong                  // **so**
	Emphasis                // *so*
	Strike                  // ~~so~~
	Code                    // code within a sentence
	Link                    // a link's text
	URL                     // where it leads
	Keyword                 // syntax: words of the language
	Type                    // syntax: types, tags, attributes
	Function                // syntax: what is called or defined
	String                  // syntax: text, characters, regular expressions
	Number                  // syntax: numbers and other constants
	Comment                 // syntax: for people alone
	Added                   // the sign and the number of a line that came
	Removed                 // ... that went
	Changed                 // ... that is another one
	AddedLine               // the line itself
	RemovedLine             // the line itself
	AddedWord               // what is new in a line that changed
	RemovedWord             // what is gone from it
	Success                 // it worked
	Warning                 // it may not have
	Error                   // it did not, or was refused
	Prompt                  // before what the person types
	Match                   // what a search found within a text
	Fill                    // blanks up to a column, as many as it takes on the terminal
	Border                  // lines between things
	StatusLine              // the line that says how things are
	Selection               // what a key would act upon
	roles                   // how many there are
)

// Set is any number of roles at once. The zero value is Text.
type Set uint64

// Of returns the set of these roles.
func Of(list ...Role) Set {
	var s Set
	for _, r := range list {
		s = s.With(r)
	}
	return s
}

// With returns s and r.
func (s Set) With(r Role) Set { return s | 1<<r }

// Without returns s without r.
func (s Set) Without(r Role) Set { return s &^ (1 << r) }

// Has reports whether r is in s.
func (s Set) Has(r Role) bool { return s&(1<<r) != 0 }

// reset ends every style, as Lip Gloss ends its own.
const reset = "\x1b[m"

// Theme is a style for every role. It is an immutable value, safe for
// concurrent use; the zero value is None.
type Theme struct {
	name   string
	styles *[roles]lipgloss.Style
	open   *[roles]string // what begins each style; empty: nothing does

	clusters bool
}

// newTheme computes once what every role begins with.
func newTheme(name string, styles map[Role]lipgloss.Style) Theme {
	t := Theme{name: name, styles: new([roles]lipgloss.Style), open: new([roles]string)}
	for r, st := range styles {
		t.styles[r] = st
		t.open[r], _, _ = strings.Cut(st.Render("x"), "x")
	}
	return t
}

// None returns the theme without colour and without any control sequence.
func None() Theme { return Theme{} }

// Name is "light", "dark" or "none".
func (t Theme) Name() string {
	if t.open == nil {
		return "none"
	}
	return t.name
}

// Plain reports whether the theme styles nothing. A view then spells out what
// a style would have said.
func (t Theme) Plain() bool { return t.open == nil }

// Clusters reports whether the terminal gives a grapheme cluster, such as an emoji of
// several, the columns of one character (mode 2027). Where it does not, it counts each
// code point.
func (t Theme) Clusters() bool { return t.clusters }

// WithClusters returns the theme for a terminal that does so, or does not.
func (t Theme) WithClusters(on bool) Theme {
	t.clusters = on
	return t
}

// Style returns a role's style, for views that lay out with Lip Gloss. Foreign
// text that is rendered with it is to be stripped by the caller; Paint does so.
func (t Theme) Style(r Role) lipgloss.Style {
	if t.styles == nil || r >= roles {
		return lipgloss.NewStyle()
	}
	return t.styles[r]
}

// Paint returns text on one line in the styles of all roles in s. What must not
// reach a terminal is stripped from it.
func (t Theme) Paint(text string, s Set) string {
	return string(t.AppendPaint(nil, text, s))
}

// AppendPaint appends what Paint returns to dst.
func (t Theme) AppendPaint(dst []byte, text string, s Set) []byte {
	if text = plain.Line(text); text == "" {
		return dst
	}
	styled := false
	if t.open != nil {
		for rest := uint64(s) & (1<<roles - 1); rest != 0; rest &= rest - 1 {
			open := t.open[bits.TrailingZeros64(rest)]
			dst, styled = append(dst, open...), styled || open != ""
		}
	}
	dst = append(dst, text...)
	if styled {
		dst = append(dst, reset...)
	}
	return dst
}
