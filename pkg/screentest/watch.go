package screentest

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"

	uv "github.com/charmbracelet/ultraviolet"
	"github.com/charmbracelet/x/ansi"
)

// Seen is what a program did to the terminal, or tried to, beyond writing on the
// screen. A program that passes on what others wrote shows here whether it does so
// unread.
type Seen struct {
	Titles        []string // each title of the window and of its icon, in order
	Clipboard     []Clip   // each access to the clipboard
	Notifications []string // messages for the desktop
	Links         []string // URLs of hyperlinks, in order
	Bells         int
}

// Clip is one access to the clipboard (OSC 52).
type Clip struct {
	Target string // c: the clipboard, p: the selection
	Text   string // what was written
	Read   bool   // the program asked what is in it; it is not told
}

// watch has the model note what is not of the screen. The handlers that are
// registered last are asked first; one that returns false leaves the rest to the
// emulator's own.
func (m *model) watch() {
	for _, n := range []int{0, 1, 2} {
		m.emu.RegisterOscHandler(n, func(data []byte) bool {
			text := afterCommand(data)
			m.seen.Titles = append(m.seen.Titles, text)
			if n != 1 {
				m.title = text
			}
			return true
		})
	}
	m.emu.RegisterOscHandler(8, func(data []byte) bool {
		if _, url, _ := strings.Cut(afterCommand(data), ";"); url != "" {
			m.seen.Links = append(m.seen.Links, url)
		}
		return false
	})
	for _, n := range []int{9, 99, 777} {
		m.emu.RegisterOscHandler(n, func(data []byte) bool {
			text := afterCommand(data)
			if n != 9 || !strings.HasPrefix(text, "4;") { // ConEmu's progress bar
				m.seen.Notifications = append(m.seen.Notifications, text)
			}
			return true
		})
	}
	m.emu.RegisterOscHandler(52, func(data []byte) bool {
		m.clipboard(afterCommand(data))
		return true
	})
	for _, n := range []int{10, 11, 12, 110, 111, 112} {
		m.emu.RegisterOscHandler(n, func(data []byte) bool {
			if afterCommand(data) != "?" {
				m.recolor[n%100] = n < 100
			}
			return false
		})
	}
	m.emu.RegisterCsiHandler('m', func(params ansi.Params) bool {
		uv.ReadStyle(params, &m.pen)
		return false
	})
	m.emu.RegisterCsiHandler('r', func(params ansi.Params) bool {
		top, _, _ := params.Param(0, 1)
		bottom, _, _ := params.Param(1, m.rows)
		m.margins = top > 1 || bottom > 0 && bottom < m.rows
		return false
	})
	m.emu.RegisterEscHandler('c', func() bool {
		m.modes = map[int]bool{25: true, 7: true}
		m.kitty, m.other, m.pen, m.margins, m.title = nil, 0, uv.Style{}, false, ""
		return false
	})
	m.watchKeyboard()
	m.watchWindow()
}

// watchKeyboard follows which keys the program asks to be told apart.
func (m *model) watchKeyboard() {
	m.emu.RegisterCsiHandler(ansi.Command('>', 0, 'u'), func(params ansi.Params) bool {
		flags, _, _ := params.Param(0, 0)
		m.kitty = append(m.kitty, flags)
		return true
	})
	m.emu.RegisterCsiHandler(ansi.Command('<', 0, 'u'), func(params ansi.Params) bool {
		n, _, _ := params.Param(0, 1)
		m.kitty = m.kitty[:max(0, len(m.kitty)-max(n, 1))]
		return true
	})
	m.emu.RegisterCsiHandler(ansi.Command('=', 0, 'u'), func(params ansi.Params) bool {
		flags, _, _ := params.Param(0, 0)
		how, _, _ := params.Param(1, 1)
		switch how {
		case 2:
			flags |= m.kittyFlags()
		case 3:
			flags = m.kittyFlags() &^ flags
		}
		m.kitty = append(m.kitty[:max(0, len(m.kitty)-1)], flags)
		return true
	})
	m.emu.RegisterCsiHandler(ansi.Command('>', 0, 'm'), func(params ansi.Params) bool {
		if resource, _, _ := params.Param(0, 0); resource == 4 {
			m.other, _, _ = params.Param(1, 0)
		}
		return true
	})
}

// watchWindow follows requests to the window.
func (m *model) watchWindow() {
	m.emu.RegisterCsiHandler('t', func(params ansi.Params) bool {
		switch n, _, _ := params.Param(0, 0); n {
		case 22:
			m.titles = append(m.titles, m.title)
		case 23:
			if n := len(m.titles); n > 0 {
				m.title, m.titles = m.titles[n-1], m.titles[:n-1]
			}
		case 18:
			m.say(fmt.Sprintf("\x1b[8;%d;%dt", m.rows, m.cols))
		}
		return true
	})
}

func (m *model) clipboard(data string) {
	target, payload, _ := strings.Cut(data, ";")
	clip := Clip{Target: target, Read: payload == "?"}
	if !clip.Read {
		text, err := base64.StdEncoding.DecodeString(payload)
		if err != nil {
			text = []byte(payload) // a terminal would clear the clipboard
		}
		clip.Text = string(text)
	}
	m.seen.Clipboard = append(m.seen.Clipboard, clip)
}

// afterCommand is the data of an OSC sequence behind its number.
func afterCommand(data []byte) string {
	_, rest, _ := bytes.Cut(data, []byte(";"))
	return string(rest)
}

// sequence spells what the emulator logs of a sequence.
func sequence(format string, v []any) string {
	text := fmt.Sprintf(format, v...)
	if len(text) > 200 {
		text = text[:200] + "… of " + strconv.Itoa(len(text)) + " bytes"
	}
	return text
}
