package flow

// piece is a part of a run that is laid out as one.
type piece struct{ run, from, to int }

// wrapper fills lines from left to right.
type wrapper struct {
	in    Line
	width int
	out   []Line

	line  []piece // what stands on the line already
	used  int     // its width
	gap   []piece // spaces after it, which a line's end swallows
	space int     // their width
	word  []piece // what must not be separated
	wide  int     // its width
}

// Wrap breaks the line where it has line feeds and, where it is wider than
// width, at spaces, beside wide characters, and within words that no line could
// hold. Spaces at a break are dropped. A width below two counts as two.
func (l Line) Wrap(width int) []Line {
	w := wrapper{in: l, width: max(width, 2)}
	for i, r := range l {
		w.add(i, r.Text)
	}
	w.endWord()
	w.endLine()
	return w.out
}

// Break breaks the line where it has line feeds and wherever it is full. It
// drops nothing else: this is for code.
func (l Line) Break(width int) []Line {
	w := wrapper{in: l, width: max(width, 2)}
	for i, r := range l {
		for n := 0; n < len(r.Text); {
			if r.Text[n] == '\n' {
				w.endLine()
				n++
				continue
			}
			size, cols := next(r.Text[n:])
			w.place(piece{i, n, n + size}, cols)
			n += size
		}
	}
	w.endLine()
	return w.out
}

func (w *wrapper) add(run int, text string) {
	for n := 0; n < len(text); {
		switch text[n] {
		case '\n':
			w.endWord()
			w.endLine()
			n++
			continue
		case ' ':
			w.endWord()
			w.gap, w.space = extend(w.gap, piece{run, n, n + 1}), w.space+1
			n++
			continue
		}
		size, cols := next(text[n:])
		w.word, w.wide = extend(w.word, piece{run, n, n + size}), w.wide+cols
		if n += size; cols > 1 {
			w.endWord()
		}
	}
}

// extend appends p, as a part of the last piece where it goes on there.
func extend(list []piece, p piece) []piece {
	if n := len(list); n > 0 && list[n-1].run == p.run && list[n-1].to == p.from {
		list[n-1].to = p.to
		return list
	}
	return append(list, p)
}

// endWord places the word: on this line, on the next, or over several.
func (w *wrapper) endWord() {
	if len(w.word) == 0 {
		return
	}
	if w.used+w.space+w.wide <= w.width {
		for _, p := range append(w.gap, w.word...) {
			w.line = extend(w.line, p)
		}
		w.used += w.space + w.wide
	} else {
		if w.used > 0 {
			w.endLine()
		}
		w.dropGap()
		for _, p := range w.word {
			w.placeAll(p)
		}
	}
	w.dropGap()
	w.word, w.wide = w.word[:0], 0
}

func (w *wrapper) dropGap() { w.gap, w.space = w.gap[:0], 0 }

// placeAll places a piece character by character.
func (w *wrapper) placeAll(p piece) {
	for n := p.from; n < p.to; {
		size, cols := next(w.in[p.run].Text[n:p.to])
		w.place(piece{p.run, n, n + size}, cols)
		n += size
	}
}

// place puts one character onto the line, or onto the next one.
func (w *wrapper) place(p piece, cols int) {
	if w.used > 0 && w.used+cols > w.width {
		w.endLine()
	}
	w.line, w.used = extend(w.line, p), w.used+cols
}

func (w *wrapper) endLine() {
	line := make(Line, len(w.line))
	for i, p := range w.line {
		line[i] = Run{w.in[p.run].Text[p.from:p.to], w.in[p.run].Style}
	}
	w.out, w.line, w.used = append(w.out, line), w.line[:0], 0
	w.dropGap()
}
