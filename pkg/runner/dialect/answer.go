package dialect

// answer is what pieces make together, of which at most MaxMessage bytes are kept.
type answer struct {
	kept   []byte
	length int // of all of it
}

func (a *answer) add(piece string) {
	if a.length == len(a.kept) { // nothing was left out so far
		kept, _ := cut(piece, MaxMessage-len(a.kept))
		a.kept = append(a.kept, kept...)
	}
	a.length += len(piece)
}

// take returns the answer, "" where there is none, and begins another.
func (a *answer) take() string {
	text, more := string(a.kept), a.length-len(a.kept)
	a.kept, a.length = a.kept[:0], 0
	if more > 0 {
		text += moreBytes(more)
	}
	return text
}
