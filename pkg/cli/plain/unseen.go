package plain

import "unicode"

// What takes no room on the screen can hide: letters that make two names look
// like one, words that only a program reads, a pile of accents that runs over
// the lines around it. Scripts and emoji need some of it, so what may stay
// depends on what it follows.

// maxMarks is how many combining marks one character may have. Vietnamese has
// two, pointed Hebrew four.
const maxMarks = 8

// seen is what was kept last, as far as what may follow depends on it. The zero
// value is the beginning of a text.
type seen struct {
	last  rune
	marks int
}

// keep reports whether r is text where it stands, and remembers it then.
func (s *seen) keep(r rune) bool {
	if r < 0x300 {
		if dropped(r) {
			return false
		}
		*s = seen{last: r}
		return true
	}
	switch {
	case dropped(r):
		return false
	case joiner(r):
		// Within ASCII and Latin it joins nothing that anybody sees.
		if s.last < 0x300 || joiner(s.last) {
			return false
		}
	case selector(r):
		if s.last <= ' ' || joiner(s.last) || selector(s.last) {
			return false
		}
	case mark(r):
		if s.marks == maxMarks {
			return false
		}
		s.marks++
		s.last = r
		return true
	default:
		s.marks = 0
	}
	s.last = r
	return true
}

// joiner reports whether r joins or parts its neighbours: emoji, and the letters
// of Arabic and Indic scripts.
func joiner(r rune) bool { return r == 0x200c || r == 0x200d }

// selector reports whether r chooses how the character before it looks.
func selector(r rune) bool {
	return r >= 0xfe00 && r <= 0xfe0f || r >= 0xe0100 && r <= 0xe01ef
}

// mark reports whether r is drawn over the character before it.
func mark(r rune) bool {
	if r >= 0x3400 && r <= 0x9fff || r >= 0xac00 && r <= 0xd7a3 { // what most of the others are
		return false
	}
	return unicode.In(r, unicode.Mn, unicode.Me)
}

// unseen reports whether r is never drawn and no script needs it.
func unseen(r rune) bool {
	switch r {
	case 0xad, 0x34f, 0x115f, 0x1160, 0x17b4, 0x17b5, 0x180e, 0x200b, 0x3164, 0xffa0: // soft hyphen, joiner, fillers, spaces without width
		return true
	}
	return r >= 0x2060 && r <= 0x2065 || r >= 0x206a && r <= 0x206f || // word joiner, invisible operators, deprecated formats
		r >= 0x1d173 && r <= 0x1d17a || // formats of musical notation
		r >= 0xe0000 && r <= 0xe00ff // tags
}
