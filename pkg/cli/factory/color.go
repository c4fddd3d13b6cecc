package factory

import (
	"fmt"
	"slices"
	"strings"

	"github.com/vexa-ai/vexa/pkg/fault"
)

// Color says when there is colour. It is the value of the flag --color.
type Color string

// When there is colour. The empty value is ColorAuto.
const (
	ColorAuto   Color = "auto"
	ColorAlways Color = "always"
	ColorNever  Color = "never"
)

// Colors lists the values.
func Colors() []string { return []string{string(ColorAuto), string(ColorAlways), string(ColorNever)} }

// String implements pflag.Value.
func (c *Color) String() string { return string(*c) }

// Type implements pflag.Value.
func (*Color) Type() string { return "when" }

// Set implements pflag.Value.
func (c *Color) Set(s string) error {
	if !slices.Contains(Colors(), s) {
		return fault.New(fault.Usage, fmt.Sprintf("%q says nothing about colour", s), "use one of: "+strings.Join(Colors(), ", "))
	}
	*c = Color(s)
	return nil
}

// Style gives text the colours of one stream, or leaves it as it is. What a colour
// means the text says, too. Foreign text is made plain before.
type Style struct{ on bool }

// On reports whether there are colours.
func (s Style) On() bool { return s.on }

func (s Style) sgr(code, text string) string {
	if !s.on || text == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// Bold is for headings.
func (s Style) Bold(text string) string { return s.sgr("1", text) }

// Good is for what is as it should be, and for what was added.
func (s Style) Good(text string) string { return s.sgr("32", text) }

// Doubtful is for warnings.
func (s Style) Doubtful(text string) string { return s.sgr("33", text) }

// Bad is for errors, and for what was removed.
func (s Style) Bad(text string) string { return s.sgr("31", text) }

// Aside is for what says where or how.
func (s Style) Aside(text string) string { return s.sgr("36", text) }

// OutStyle is the style of stdout.
func (f *Factory) OutStyle() Style { return f.style(f.OutTTY) }

// ErrStyle is the style of stderr, which may be a terminal while stdout is none.
func (f *Factory) ErrStyle() Style { return f.style(f.ErrTTY) }

// style decides for one stream: what the flag says, else NO_COLOR, else CLICOLOR_FORCE,
// else whether it is a terminal that has colours.
func (f *Factory) style(tty func() bool) Style {
	force := f.Env("CLICOLOR_FORCE")
	switch {
	case f.Flags.Color == ColorAlways:
		return Style{true}
	case f.Flags.Color == ColorNever || f.Env("NO_COLOR") != "":
		return Style{}
	case force != "" && force != "0":
		return Style{true}
	default:
		return Style{IsTTY(tty) && f.Env("TERM") != "dumb"}
	}
}
