package broker

import (
	"fmt"
	"strings"
	"sync"
	"unicode/utf8"
)

// clipped holds the output of a call up to a number of bytes and counts the
// rest, so that a tool cannot make the host hold more. It is safe for concurrent
// use: a call that was given up may still write.
type clipped struct {
	most int

	mu      sync.Mutex
	text    strings.Builder
	written int64
	taken   bool
}

// Write takes what fits and never fails.
func (c *clipped) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.written += int64(len(p))
	if room := c.most - c.text.Len(); room > 0 && !c.taken {
		c.text.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}

// take returns the output as UTF-8, with what was cut off said at its end, and
// how many bytes there were. Nothing is held after it.
func (c *clipped) take() (text string, written int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.taken = true
	text = c.text.String()
	cut := c.written - int64(len(text))
	for range utf8.UTFMax - 1 { // a character that was cut in the middle
		if r, size := utf8.DecodeLastRuneInString(text); cut <= 0 || r != utf8.RuneError || size != 1 {
			break
		}
		text = text[:len(text)-1]
	}
	text = strings.ToValidUTF8(text, "\uFFFD")
	if cut > 0 {
		text += fmt.Sprintf("\n[vexa: cut off here; it was %d bytes, %d may be returned]", c.written, c.most)
	}
	return text, c.written
}
