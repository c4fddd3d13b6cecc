package screentest

import (
	"bytes"
	"fmt"
	"image/color"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	uv "github.com/charmbracelet/ultraviolet"
	"github.com/charmbracelet/x/ansi"
	"github.com/charmbracelet/x/vt"
)

// model is a terminal without its wires: bytes in, a screen and answers out. It is
// not safe for use by several goroutines at once, but for reply, which an own one of
// its calls.
type model struct {
	emu        *vt.Emulator
	cols, rows int
	light      bool
	speaks     Speaks

	modes   map[int]bool // DEC private modes that were set or reset
	kitty   []int        // flags of the kitty keyboard that were pushed
	other   int          // xterm's modifyOtherKeys
	pen     uv.Style     // what would be printed in now
	margins bool         // a part of the screen scrolls
	title   string
	titles  []string // that were put aside
	seen    Seen
	recolor map[int]bool // of 10, 11, 12: set by the program
	unknown []string     // sequences that the model does not know

	state   byte // of the decoder, between two writes
	full    bool // a wide character ends at the end of the line: the next one wraps
	pending bool // the emulator itself wraps before the next character

	held []byte // a frame that is not complete, or the begin of a mark
	sync bool   // a frame is being held
}

// Marks of a frame that is to be shown at once.
const (
	syncBegin = "\x1b[?2026h"
	syncEnd   = "\x1b[?2026l"
	maxHeld   = 16 << 20 // a program that holds more has forgotten the end
)

// newModel returns a model whose answers go to reply.
func newModel(o Options, reply func([]byte)) *model {
	m := &model{
		emu: vt.NewEmulator(o.Cols, o.Rows), cols: o.Cols, rows: o.Rows, light: o.Light, speaks: o.Speaks,
		modes: map[int]bool{25: true, 7: true}, recolor: map[int]bool{},
	}
	fg, bg := color.Color(color.RGBA{0xd8, 0xd8, 0xd8, 0xff}), color.Color(color.RGBA{0x12, 0x14, 0x18, 0xff})
	if o.Light {
		fg, bg = color.RGBA{0x24, 0x29, 0x2f, 0xff}, color.RGBA{0xff, 0xff, 0xff, 0xff}
	}
	m.emu.SetDefaultForegroundColor(fg)
	m.emu.SetDefaultBackgroundColor(bg)
	m.emu.SetDefaultCursorColor(fg)
	m.emu.SetLogger(unknown{m})
	m.emu.SetCallbacks(vt.Callbacks{
		Bell:        func() { m.seen.Bells++ },
		EnableMode:  func(mode ansi.Mode) { m.setMode(mode, true) },
		DisableMode: func(mode ansi.Mode) { m.setMode(mode, false) },
	})
	m.watch()
	m.answer()
	go func() {
		buf := make([]byte, 4096)
		for {
			n, err := m.emu.Read(buf)
			if err != nil {
				return
			}
			if o.Speaks != Silent {
				reply(bytes.Clone(buf[:n]))
			}
		}
	}()
	return m
}

// close ends the goroutine that reads answers.
func (m *model) close() {
	if c, ok := m.emu.InputPipe().(io.Closer); ok {
		_ = c.Close()
	}
}

func (m *model) setMode(mode ansi.Mode, on bool) {
	if dec, ok := mode.(ansi.DECMode); ok {
		m.modes[dec.Mode()] = on
	}
}

// feed takes what the program wrote. A frame between the marks of synchronised output
// is shown when it is complete, as a terminal does that supports them.
func (m *model) feed(p []byte) {
	m.held = append(m.held, p...)
	for len(m.held) > 0 {
		mark := syncBegin
		if m.sync {
			mark = syncEnd
		}
		i := bytes.Index(m.held, []byte(mark))
		switch {
		case i >= 0 && m.sync:
			m.show(i + len(mark))
			m.sync = false
		case i >= 0:
			m.show(i)
			m.sync = true
		case m.sync && len(m.held) < maxHeld:
			return
		default:
			n := len(m.held) - beginOf(m.held, mark)
			m.show(n - partial(m.held[:n]))
			return
		}
	}
}

// flush shows what is held: nothing more comes.
func (m *model) flush() {
	m.show(len(m.held))
	m.sync = false
}

// show gives the first n bytes that are held to the emulator, a cluster or a sequence
// at a time: what it does not know is that a wide character that does not fit at the
// end of a line goes to the next, and that one that just fits ends the line.
func (m *model) show(n int) {
	data := m.held[:n]
	for len(data) > 0 {
		seq, width := m.next(data)
		data = data[len(seq):]
		at := m.emu.CursorPosition()
		if width == 0 {
			m.write(m.onScreen(seq))
			if m.emu.CursorPosition() != at {
				m.full, m.pending = false, false
			}
			continue
		}
		if m.modes[7] && (m.full || width == 2 && at.X == m.cols-1 && !m.pending) {
			m.write([]byte("\r\n"))
			at.X = 0
		} else if m.pending {
			at.X = 0 // the emulator wraps
		}
		m.write(m.drawn(seq))
		m.pending = m.modes[7] && width == 1 && at.X == m.cols-1
		m.full = width == 2 && at.X == m.cols-2
	}
	m.held = bytes.Clone(m.held[n:])
}

// next is the cluster, of one or two columns, or the sequence that data begins with.
func (m *model) next(data []byte) (seq []byte, width int) {
	if r, _ := utf8.DecodeRune(data); m.state == ansi.NormalState && r != utf8.RuneError && !unicode.IsControl(r) {
		if m.speaks == Unclustered {
			return codePoint(data)
		}
		return ansi.FirstGraphemeCluster(data, ansi.GraphemeWidth)
	}
	seq, _, _, m.state = ansi.DecodeSequence(data, m.state, nil)
	return seq, 0
}

// codePoint is the code point that data begins with and those behind it that have no
// column of their own, as a terminal has them that knows no clusters.
func codePoint(data []byte) (seq []byte, width int) {
	n := 0
	for n < len(data) {
		r, size := utf8.DecodeRune(data[n:])
		w := ansi.WcWidth.StringWidth(string(data[n : n+size]))
		if n > 0 && (w > 0 || r == utf8.RuneError || unicode.IsControl(r)) {
			break
		}
		n, width = n+size, width+w
	}
	return data[:n], width
}

// emojiStyle makes the character before it an emoji, which has two columns; a terminal
// without clusters does not heed it.
const emojiStyle = "\ufe0f"

// drawn is what the emulator, which knows clusters alone, is given of a character.
func (m *model) drawn(seq []byte) []byte {
	if m.speaks == Unclustered {
		return bytes.ReplaceAll(seq, []byte(emojiStyle), nil)
	}
	return seq
}

// onScreen is a sequence, but that the margins which it sets are on the screen: a program
// that does not know yet that its terminal has become smaller sets others, which the
// emulator would take.
func (m *model) onScreen(seq []byte) []byte {
	var top, bottom int
	if !bytes.HasSuffix(seq, []byte("r")) {
		return seq
	}
	if n, _ := fmt.Sscanf(string(seq), "\x1b[%d;%dr", &top, &bottom); n < 2 || bottom <= m.rows {
		return seq
	}
	if top >= m.rows {
		return nil
	}
	return fmt.Appendf(nil, "\x1b[%d;%dr", top, m.rows)
}

func (m *model) write(p []byte) { _, _ = m.emu.Write(p) } // it fails only when it is closed

// beginOf is how many bytes at the end of data could be the begin of mark.
func beginOf(data []byte, mark string) int {
	for n := min(len(mark)-1, len(data)); n > 0; n-- {
		if bytes.HasSuffix(data, []byte(mark[:n])) {
			return n
		}
	}
	return 0
}

// partial is how many bytes at the end of data are the begin of a character.
func partial(data []byte) int {
	for n := 1; n < utf8.UTFMax && n <= len(data); n++ {
		if tail := data[len(data)-n:]; utf8.RuneStart(tail[0]) {
			if utf8.FullRune(tail) {
				return 0
			}
			return n
		}
	}
	return 0
}

func (m *model) resize(cols, rows int) {
	m.cols, m.rows, m.margins = cols, rows, false
	m.emu.Resize(cols, rows)
}

// mouse reports which reports of the mouse the program has asked for: 0 for none.
func (m *model) mouse() int {
	for _, mode := range []int{1003, 1002, 1000, 9} {
		if m.modes[mode] {
			return mode
		}
	}
	return 0
}

// kittyFlags are the flags of the kitty keyboard in force.
func (m *model) kittyFlags() int {
	if len(m.kitty) == 0 {
		return 0
	}
	return m.kitty[len(m.kitty)-1]
}

// screen copies what is shown.
func (m *model) screen() Screen {
	at := m.emu.CursorPosition()
	style, blink := m.emu.CursorStyle()
	s := Screen{
		Cols: m.cols, Rows: m.rows, Title: m.title, Light: m.light,
		Cursor:    Cursor{X: at.X, Y: at.Y, Visible: m.modes[25], Shape: shape(style), Blink: blink},
		AltScreen: m.emu.IsAltScreen(), Mouse: m.mouse() != 0, Paste: m.modes[2004],
		cells: make([]Cell, 0, m.cols*m.rows),
	}
	for y := range m.rows {
		for x := range m.cols {
			s.cells = append(s.cells, cell(m.emu.CellAt(x, y)))
		}
	}
	return s
}

func shape(style vt.CursorStyle) string {
	switch style {
	case vt.CursorUnderline:
		return "underline"
	case vt.CursorBar:
		return "bar"
	default:
		return "block"
	}
}

func cell(c *uv.Cell) Cell {
	if c == nil {
		return Cell{Text: " ", Width: 1}
	}
	is := func(attr uint8) bool { return c.Style.Attrs&attr != 0 }
	out := Cell{
		Text: c.Content, Width: c.Width, Fg: colorOf(c.Style.Fg), Bg: colorOf(c.Style.Bg), Link: c.Link.URL,
		Bold: is(uv.AttrBold), Faint: is(uv.AttrFaint), Italic: is(uv.AttrItalic), Underline: c.Style.Underline != uv.UnderlineNone,
		Blink: is(uv.AttrBlink) || is(uv.AttrRapidBlink), Reverse: is(uv.AttrReverse), Conceal: is(uv.AttrConceal), Strike: is(uv.AttrStrikethrough),
	}
	if out.Text == "" && out.Width != 0 {
		out.Text = " "
	}
	return out
}

// unknown collects what the emulator says it does not know.
type unknown struct{ m *model }

// Printf takes one line of the emulator's log.
func (u unknown) Printf(format string, v ...any) {
	if text, ok := strings.CutPrefix(format, "unhandled sequence: "); ok {
		u.m.unknown = append(u.m.unknown, sequence(text, v))
	}
}
