package dialect

import (
	"unicode/utf8"

	"github.com/vexa-ai/vexa/pkg/contract/wsv2"
)

// textParser takes everything a program prints for its answer. Each chunk is a
// delta as it arrives; a character that is cut between two chunks waits for
// its rest. There is no terminal event: the exit code ends the turn.
type textParser struct {
	partial []byte // the first bytes of a character, at most three
	said    answer
}

func (p *textParser) Feed(chunk []byte) []wsv2.Body {
	data := chunk
	if len(p.partial) > 0 {
		data = append(p.partial, chunk...)
	}
	whole := len(data) - tail(data)
	p.partial = append([]byte(nil), data[whole:]...)
	return p.emit(valid(string(data[:whole])))
}

func (p *textParser) End() ([]wsv2.Body, Result) {
	out := p.emit(valid(string(p.partial)))
	reply := p.said.take()
	if reply == "" {
		return out, Result{}
	}
	return append(out, wsv2.Message{Text: reply}), Result{Reply: reply}
}

func (p *textParser) emit(text string) []wsv2.Body {
	p.said.add(text)
	return pieces(text, delta)
}

// tail returns how many bytes at the end of data are the beginning of a
// character that more bytes could complete.
func tail(data []byte) int {
	for n := 1; n <= min(utf8.UTFMax-1, len(data)); n++ {
		b := data[len(data)-n]
		if !utf8.RuneStart(b) {
			continue
		}
		if b >= utf8.RuneSelf && !utf8.FullRune(data[len(data)-n:]) {
			return n
		}
		return 0
	}
	return 0
}
