package broker

import (
	"encoding/binary"
	"math/bits"
)

// holds reports whether a text has one of the words in it, in whatever case; see find.
func holds(text []byte, words ...string) bool { return find(text, words...) >= 0 }

// find returns where a text has the first of the words in it, in whatever case, -1 where it
// has none. They are of ASCII without capitals, and as long as each other; together they
// begin with three letters at most, and end with three. It looks at eight places at once
// for both, for most of a request has none.
func find(text []byte, words ...string) int {
	const word = 8
	last := len(words[0]) - 1
	var firsts, lasts letters
	for _, w := range words {
		firsts, lasts = firsts.with(w[0]), lasts.with(w[last])
	}
	for at := 0; at+last < len(text); at++ {
		for at+last+word <= len(text) {
			m := firsts.in(binary.LittleEndian.Uint64(text[at:])) & lasts.in(binary.LittleEndian.Uint64(text[at+last:]))
			if m != 0 {
				at += bits.TrailingZeros64(m) / word
				break
			}
			at += word
		}
		for _, w := range words {
			if at+last < len(text) && begins(text[at:], w) {
				return at
			}
		}
	}
	return -1
}

// begins reports whether a text, which is as long, begins with a word in whatever case.
func begins(text []byte, word string) bool {
	for i := range len(word) {
		c := text[i]
		if 'A' <= c && c <= 'Z' {
			c |= ' '
		}
		if c != word[i] {
			return false
		}
	}
	return true
}

// letters are up to three that are looked for, each of them eight times.
type letters struct{ one, other, third uint64 }

const ones = 0x0101010101010101

// with is the letters with another.
func (l letters) with(c byte) letters {
	all := ones * uint64(c|' ')
	switch {
	case l.one == 0:
		return letters{all, all, all}
	case l.one == all || l.other == all || l.third == all:
		return l
	case l.one == l.other:
		return letters{l.one, all, all}
	case l.other == l.third:
		return letters{l.one, l.other, all}
	default:
		panic("more than three letters are looked for at once")
	}
}

// in has the highest bit of each of eight bytes that is one of the letters in whatever
// case, and maybe of others behind the first. See "Determine if a word has a zero byte" in
// Bit Twiddling Hacks.
func (l letters) in(w uint64) uint64 {
	const lower, high = ones * ' ', ones << 7
	one, other, third := (w|lower)^l.one, (w|lower)^l.other, (w|lower)^l.third
	return ((one-ones)&^one | (other-ones)&^other | (third-ones)&^third) & high
}
