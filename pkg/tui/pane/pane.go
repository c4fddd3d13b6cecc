// Package pane scrolls through blocks of lines, as many as there are, and asks for those
// alone that are seen: what is before and behind them is never drawn, nor counted.
package pane

// Blocks are what a pane shows, numbered from First up to Len. Lines are those of one, for
// a width in cells; a block may have none. They are asked for often, so that whoever makes
// them keeps them.
type Blocks interface {
	First() int
	Len() int
	Lines(block, width int) []string
}

// Pane is a window onto blocks. It follows their end until somebody scrolls up, and again
// once they are back there. The zero value is one without a size; it is used by one
// goroutine.
type Pane struct {
	width, height int
	up            bool // scrolled up: top holds
	top           Place
}

// Place is a line of a block.
type Place struct{ Block, Line int }

// Resize sets the size in cells. What is at the top stays there, as far as its lines are
// still the same.
func (p *Pane) Resize(width, height int) { p.width, p.height = max(width, 0), max(height, 0) }

// Following reports whether the end is shown, whatever comes.
func (p *Pane) Following() bool { return !p.up }

// Below reports whether there is more behind what is shown.
func (p *Pane) Below(b Blocks) bool { return p.up && before(p.top, p.end(b)) }

// Follow shows the end.
func (p *Pane) Follow() { p.up = false }

// Scroll moves by lines, up where they are negative.
func (p *Pane) Scroll(b Blocks, lines int) {
	at := p.begin(b)
	if lines < 0 {
		p.up, p.top = true, p.back(b, at, -lines)
		if p.top == at && at == p.end(b) { // there is nothing above
			p.up = false
		}
		return
	}
	p.top = p.forth(b, at, lines)
	if end := p.end(b); !before(p.top, end) {
		p.up = false
	}
}

// Home shows the beginning.
func (p *Pane) Home(b Blocks) {
	p.up, p.top = true, Place{b.First(), 0}
	if !before(p.top, p.end(b)) {
		p.up = false
	}
}

// Show scrolls as little as it takes for the first line of a block to be seen.
func (p *Pane) Show(b Blocks, block int) {
	want, at := Place{block, 0}, p.begin(b)
	if before(want, at) {
		p.up, p.top = true, want
		return
	}
	for n := range p.height {
		if p.forth(b, at, n) == want {
			return
		}
	}
	if p.up, p.top = true, want; !before(want, p.end(b)) {
		p.up = false
	}
}

// View returns the lines that are seen, as many as the pane is high, and the place of
// each; behind the end they are empty and of block -1.
func (p *Pane) View(b Blocks) (lines []string, places []Place) {
	at := p.begin(b)
	for i := at.Block; i < b.Len() && len(lines) < p.height; i++ {
		for n, line := range b.Lines(i, p.width) {
			if i == at.Block && n < at.Line {
				continue
			}
			if len(lines) == p.height {
				break
			}
			lines, places = append(lines, line), append(places, Place{i, n})
		}
	}
	for len(lines) < p.height {
		lines, places = append(lines, ""), append(places, Place{Block: -1})
	}
	return lines, places
}

// begin is the place that is at the top: never so far down that less is shown than could
// be.
func (p *Pane) begin(b Blocks) Place {
	end := p.end(b)
	if !p.up || !before(p.top, end) {
		return end
	}
	at := p.top
	if at.Block < b.First() { // it went
		return Place{b.First(), 0}
	}
	if n := len(b.Lines(at.Block, p.width)); at.Line >= n { // it has become shorter
		at.Line = max(n-1, 0)
	}
	return at
}

// end is the place at the top where the last line is at the bottom.
func (p *Pane) end(b Blocks) Place { return p.back(b, Place{b.Len(), 0}, p.height) }

// back goes up by lines, at most to the first.
func (p *Pane) back(b Blocks, at Place, lines int) Place {
	for at.Line < lines {
		lines -= at.Line
		if at.Block <= b.First() {
			return Place{b.First(), 0}
		}
		at.Block--
		at.Line = len(b.Lines(at.Block, p.width))
	}
	at.Line -= lines
	return at
}

// forth goes down by lines, at most to behind the last.
func (p *Pane) forth(b Blocks, at Place, lines int) Place {
	for at.Block < b.Len() {
		n := len(b.Lines(at.Block, p.width)) - at.Line
		if lines < n {
			at.Line += lines
			return at
		}
		lines -= max(n, 0)
		at = Place{at.Block + 1, 0}
	}
	return at
}

func before(a, b Place) bool {
	return a.Block < b.Block || a.Block == b.Block && a.Line < b.Line
}
