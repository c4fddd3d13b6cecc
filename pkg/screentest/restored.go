package screentest

import (
	"slices"

	"golang.org/x/sys/unix"
)

// left lists how the terminal differs from what a shell expects of it.
func (m *model) left() []string {
	var out []string
	note := func(is bool, what string) {
		if is {
			out = append(out, what)
		}
	}
	note(m.emu.IsAltScreen(), "the alternate screen is shown")
	note(!m.modes[25], "the cursor is hidden")
	note(!m.modes[7], "lines do not wrap")
	for _, mode := range []struct {
		n    int
		what string
	}{
		{1, "cursor keys send application codes"},
		{6, "the origin is relative"},
		{66, "the keypad sends application codes"},
		{9, "the mouse is reported (9)"},
		{1000, "the mouse is reported (1000)"},
		{1002, "the mouse is reported (1002)"},
		{1003, "the mouse is reported (1003)"},
		{1004, "the focus is reported"},
		{1006, "the mouse is reported in SGR form"},
		{2004, "pastes are bracketed"},
		{2026, "a frame is held back"},
		{2027, "characters are measured by clusters"},
		{2031, "changes of the colour scheme are reported"},
		{2048, "changes of the size are reported"},
	} {
		note(m.modes[mode.n], mode.what)
	}
	note(m.sync, "a frame is held back")
	note(m.kittyFlags() != 0, "keys are sent in the kitty form")
	note(m.other != 0, "keys are sent in xterm's form (modifyOtherKeys)")
	note(m.margins, "a part of the screen scrolls")
	note(!m.pen.IsZero(), "what is printed has colours or attributes")
	note(m.recolor[10], "the foreground colour is changed")
	note(m.recolor[11], "the background colour is changed")
	note(m.recolor[12], "the cursor's colour is changed")
	slices.Sort(out)
	return slices.Compact(out)
}

// differ lists how lines are treated differently from before.
func differ(before, after unix.Termios) []string {
	var out []string
	for _, flag := range []struct {
		was, is, bit uint32
		what         string
	}{
		{before.Lflag, after.Lflag, unix.ECHO, "echo"},
		{before.Lflag, after.Lflag, unix.ICANON, "line editing"},
		{before.Lflag, after.Lflag, unix.ISIG, "Ctrl-C as a signal"},
		{before.Iflag, after.Iflag, unix.ICRNL, "enter as a line end"},
		{before.Oflag, after.Oflag, unix.OPOST, "line ends as new lines"},
	} {
		if flag.was&flag.bit != flag.is&flag.bit {
			out = append(out, flag.what+" is "+map[bool]string{true: "on", false: "off"}[flag.is&flag.bit != 0])
		}
	}
	if len(out) == 0 && before != after {
		out = append(out, "the line settings are changed")
	}
	return out
}
