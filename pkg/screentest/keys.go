package screentest

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Modifiers as xterm and kitty count them.
const (
	shift = 1 << iota
	alt
	ctrl
)

// A function key is sent as CSI number ~ or CSI letter, or SS3 letter in the
// application form of cursor keys.
type function struct {
	number int
	letter byte
	ss3    bool // without modifiers F1 to F4 are always SS3
}

func functions() map[string]function {
	return map[string]function{
		"up": {letter: 'A'}, "down": {letter: 'B'}, "right": {letter: 'C'}, "left": {letter: 'D'},
		"home": {letter: 'H'}, "end": {letter: 'F'},
		"insert": {number: 2}, "delete": {number: 3}, "pgup": {number: 5}, "pgdown": {number: 6},
		"f1": {letter: 'P', ss3: true}, "f2": {letter: 'Q', ss3: true}, "f3": {letter: 'R', ss3: true}, "f4": {letter: 'S', ss3: true},
		"f5": {number: 15}, "f6": {number: 17}, "f7": {number: 18}, "f8": {number: 19},
		"f9": {number: 20}, "f10": {number: 21}, "f11": {number: 23}, "f12": {number: 24},
	}
}

// plainKeys are the keys that have a character of their own.
func plainKeys() map[string]rune {
	return map[string]rune{"enter": '\r', "tab": '\t', "backspace": 0x7f, "esc": 0x1b, "space": ' '}
}

// encode is what a terminal sends for a key in angle brackets, or for typed text.
func (m *model) encode(what string) ([]byte, error) {
	if len(what) > 2 && strings.HasPrefix(what, "<") && strings.HasSuffix(what, ">") {
		return m.key(what[1 : len(what)-1])
	}
	var out []byte
	for _, r := range what {
		if unicode.IsControl(r) {
			return nil, fmt.Errorf("%q has the control character %q, which nobody types: name its key, as <enter>", what, r)
		}
		if m.kittyFlags()&kittyAll != 0 {
			out = fmt.Appendf(out, "\x1b[%d;;%du", unicode.ToLower(r), r)
			continue
		}
		out = utf8.AppendRune(out, r)
	}
	return out, nil
}

// Flags of the kitty keyboard that change what a press sends.
const (
	kittyApart = 1 // keys that have one code in the legacy form are told apart
	kittyAll   = 8 // every key has a code
)

// key is what is sent for a key by its name: modifiers before it, each with a +.
func (m *model) key(name string) ([]byte, error) {
	mods, base := 0, name
	for {
		mod, rest, found := strings.Cut(base, "+")
		bit := map[string]int{"shift": shift, "alt": alt, "ctrl": ctrl}[mod]
		if !found || bit == 0 || rest == "" {
			break
		}
		mods, base = mods|bit, rest
	}
	if f, ok := functions()[base]; ok {
		return m.function(f, mods), nil
	}
	r, named := plainKeys()[base]
	if !named {
		var size int
		if r, size = utf8.DecodeRuneInString(base); size != len(base) || unicode.IsControl(r) || r == utf8.RuneError {
			return nil, fmt.Errorf("there is no key <%s>", name)
		}
	}
	if m.isApart(r, named, mods) {
		return fmt.Appendf(nil, "\x1b[%d;%du", unicode.ToLower(r), mods+1), nil
	}
	return legacy(name, r, mods)
}

// isApart reports whether the program gets the code of a key rather than the
// character of the legacy form.
func (m *model) isApart(r rune, named bool, mods int) bool {
	flags := m.kittyFlags()
	switch {
	case flags&kittyAll != 0:
		return true
	case flags&kittyApart == 0:
		return false
	case r == 0x1b:
		return true
	case named && r != ' ':
		return mods != 0 // enter, tab and backspace stay as they are, for a shell's sake
	default:
		return mods&^shift != 0
	}
}

func (m *model) function(f function, mods int) []byte {
	switch {
	case f.number != 0 && mods == 0:
		return fmt.Appendf(nil, "\x1b[%d~", f.number)
	case f.number != 0:
		return fmt.Appendf(nil, "\x1b[%d;%d~", f.number, mods+1)
	case mods != 0:
		return fmt.Appendf(nil, "\x1b[1;%d%c", mods+1, f.letter)
	case f.ss3 || m.modes[1]:
		return fmt.Appendf(nil, "\x1bO%c", f.letter)
	default:
		return fmt.Appendf(nil, "\x1b[%c", f.letter)
	}
}

// legacy is the form in which some keys are one: ctrl+i and tab, say.
func legacy(name string, r rune, mods int) ([]byte, error) {
	var out []byte
	if mods&alt != 0 {
		out = append(out, 0x1b)
	}
	if r == '\t' && mods&shift != 0 {
		return append(out, "\x1b[Z"...), nil
	}
	if mods&shift != 0 {
		r = unicode.ToUpper(r)
	}
	if mods&ctrl != 0 && r != '\r' && r != '\t' && r != 0x1b {
		var ok bool
		if r, ok = controlOf(r); !ok {
			return nil, fmt.Errorf("a terminal sends nothing of its own for <%s>", name)
		}
	}
	return utf8.AppendRune(out, r), nil
}

// controlOf is the control character of a key.
func controlOf(r rune) (rune, bool) {
	switch upper := unicode.ToUpper(r); {
	case upper >= '@' && upper <= '_':
		return upper - '@', true
	case r == ' ':
		return 0, true
	case r == '/':
		return 0x1f, true
	case r == 0x7f:
		return 0x08, true
	default:
		return 0, false
	}
}
