package screentest

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/charmbracelet/x/ansi"
)

// Speaks is which questions a terminal answers.
type Speaks int

// Kinds of terminals.
const (
	// Modern answers what current terminals do: device attributes, cursor, colours,
	// modes, the kitty keyboard, synchronised output, its name.
	Modern Speaks = iota
	// Unclustered answers all that but one: it knows nothing of grapheme clusters (mode
	// 2027), and gives each code point its own columns.
	Unclustered
	// Legacy answers what a VT220 does: device attributes, status, cursor.
	Legacy
	// Silent answers nothing, as a terminal behind a broken connection.
	Silent
)

// say answers the program.
func (m *model) say(answer string) {
	_, _ = io.WriteString(m.emu.InputPipe(), answer) // it fails only when it is closed
}

// answer has the model answer what the emulator does not by itself.
func (m *model) answer() {
	if m.speaks != Modern && m.speaks != Unclustered {
		m.ignore()
		return
	}
	m.emu.RegisterCsiHandler(ansi.Command('?', '$', 'p'), func(params ansi.Params) bool {
		n, _, _ := params.Param(0, 0)
		if n == 2027 && m.speaks == Unclustered {
			m.say(ansi.ReportMode(ansi.DECMode(n), ansi.ModeNotRecognized))
			return true
		}
		on, used := m.modes[n]
		if !used && n != 2026 && n != 2027 {
			return false
		}
		setting := ansi.ModeReset
		if on {
			setting = ansi.ModeSet
		}
		m.say(ansi.ReportMode(ansi.DECMode(n), setting))
		return true
	})
	m.emu.RegisterCsiHandler(ansi.Command('?', 0, 'u'), func(ansi.Params) bool {
		m.say(fmt.Sprintf("\x1b[?%du", m.kittyFlags()))
		return true
	})
	m.emu.RegisterCsiHandler(ansi.Command('>', 0, 'q'), func(ansi.Params) bool {
		m.say("\x1bP>|screentest\x1b\\")
		return true
	})
	m.emu.RegisterCsiHandler(ansi.Command('?', 0, 'n'), func(params ansi.Params) bool {
		if n, _, _ := params.Param(0, 0); n != 996 {
			return false
		}
		scheme := 1
		if m.light {
			scheme = 2
		}
		m.say(fmt.Sprintf("\x1b[?997;%dn", scheme))
		return true
	})
	m.emu.RegisterDcsHandler(ansi.Command(0, '+', 'q'), func(_ ansi.Params, data []byte) bool {
		m.say("\x1bP0+r" + string(data) + "\x1b\\") // it has no such capability
		return true
	})
	m.emu.RegisterDcsHandler(ansi.Command(0, '$', 'q'), func(ansi.Params, []byte) bool {
		m.say("\x1bP0$r\x1b\\")
		return true
	})
	m.emu.RegisterOscHandler(4, func(data []byte) bool {
		index, what, _ := strings.Cut(afterCommand(data), ";")
		if n, err := strconv.Atoi(index); err == nil && what == "?" && n >= 0 && n < 256 {
			r, g, b, _ := m.emu.IndexedColor(n).RGBA()
			m.say(fmt.Sprintf("\x1b]4;%d;rgb:%04x/%04x/%04x\x1b\\", n, r, g, b))
		}
		return true
	})
}

// ignore takes the questions that a VT220 does not know.
func (m *model) ignore() {
	for _, c := range []int{ansi.Command('?', '$', 'p'), ansi.Command('?', 0, 'u'), ansi.Command('>', 0, 'q'), ansi.Command('>', 0, 'c')} {
		m.emu.RegisterCsiHandler(c, func(ansi.Params) bool { return true })
	}
	for _, c := range []int{ansi.Command(0, '+', 'q'), ansi.Command(0, '$', 'q')} {
		m.emu.RegisterDcsHandler(c, func(ansi.Params, []byte) bool { return true })
	}
	for _, n := range []int{4, 10, 11, 12} {
		m.emu.RegisterOscHandler(n, func(data []byte) bool { return strings.HasSuffix(string(data), ";?") })
	}
}
