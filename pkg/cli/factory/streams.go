package factory

import (
	"fmt"
	"os"

	"github.com/vexa-ai/vexa/pkg/cli/plain"
)

// IsTTY reports what a TTY field says; nil is no terminal.
func IsTTY(tty func() bool) bool { return tty != nil && tty() }

// Printf writes to stdout: the result of a command and nothing else.
func (f *Factory) Printf(format string, args ...any) error {
	_, err := fmt.Fprintf(f.Out, format, args...)
	return err
}

// Plain is foreign text as it may be printed to a terminal; to a pipe it goes as it
// is.
func (f *Factory) Plain(text string) string {
	if IsTTY(f.OutTTY) {
		return plain.Text(text)
	}
	return text
}

// Patch is Plain for a unified diff.
func (f *Factory) Patch(text string) string {
	if IsTTY(f.OutTTY) {
		return plain.Patch(text)
	}
	return text
}

// Notice writes one line to stderr that says what a command did. It is silent
// where stderr is not a terminal and under --quiet. A failed write is ignored:
// a notice is nobody's result.
func (f *Factory) Notice(format string, args ...any) {
	if !f.Flags.Quiet && IsTTY(f.ErrTTY) {
		f.beside(plain.Text(fmt.Sprintf(format, args...)))
	}
}

// Say is Notice for what must be read in any case, a prompt's answer or a
// second line of an error; only --quiet silences it.
func (f *Factory) Say(format string, args ...any) {
	if !f.Flags.Quiet {
		f.beside(plain.Text(fmt.Sprintf(format, args...)))
	}
}

// Warn writes one line to stderr, always.
func (f *Factory) Warn(format string, args ...any) {
	f.beside(f.ErrStyle().Doubtful("vexa: warning:") + " " + plain.Line(fmt.Sprintf(format, args...)))
}

// IsRoot reports whether this process runs as root, as which no agent runs.
func (f *Factory) IsRoot() bool {
	if f.UID == nil {
		return os.Getuid() == 0
	}
	return f.UID() == 0
}

// CanPrompt reports whether a person can be asked: stdin and stderr are
// terminals, and neither --no-input nor VEXA_NO_INPUT nor CI is set.
func (f *Factory) CanPrompt() bool {
	return IsTTY(f.InTTY) && IsTTY(f.ErrTTY) && f.Terminal != nil &&
		!f.Flags.NoInput && f.Env("VEXA_NO_INPUT") == "" && f.Env("CI") == ""
}
