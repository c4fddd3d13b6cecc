package screentest

import (
	"fmt"
	"image/color"

	"github.com/charmbracelet/x/ansi"
)

// basic are the names of the sixteen colours that a terminal's theme defines.
func basic(n uint8) Color {
	names := [...]Color{"black", "red", "green", "yellow", "blue", "magenta", "cyan", "white"}
	if n < 8 {
		return names[n]
	}
	return "bright-" + names[n&7]
}

// colorOf names a colour of the emulator.
func colorOf(c color.Color) Color {
	switch c := c.(type) {
	case nil:
		return ""
	case ansi.BasicColor:
		return basic(uint8(c) & 15)
	case ansi.IndexedColor:
		if c < 16 {
			return basic(uint8(c))
		}
	}
	r, g, b, _ := c.RGBA()
	return Color(fmt.Sprintf("#%02x%02x%02x", r>>8, g>>8, b>>8))
}
