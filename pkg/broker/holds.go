package broker

import (
	"encoding/binary"
	"math/bits"
	"slices"
)

// holds reports whether a text has one of the words in it, in whatever case; see find.
func holds(text []byte, words ...string) bool { return find(text, words...) >= 0 }

// find returns where a text has the first of the words in it, in whatever case, -1 where it
// has none. They are of ASCII without capitals, and as long as each other; together they
// begin with four letters at most, and end with four. It looks at eight places at once
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

// letters are up to four that are looked for, each of them eight times.
type letters struct {
	all [4]uint64
	n   int // of them are different
}

const ones = 0x0101010101010101

// with is the letters with another, which stands in the places that are left, too.
func (l letters) with(c byte) letters {
	letter := ones * uint64(c|' ')
	if l.n > 0 && slices.Contains(l.all[:], letter) {
		return l
	}
	if l.n == len(l.all) {
		panic("more than four letters are looked for at once")
	}
	for i := l.n; i < len(l.all); i++ {
		l.all[i] = letter
	}
	l.n++
	return l
}

// in has the highest bit of each of eight bytes that is one of the letters in whatever
// case, and maybe of others behind the first. See "Determine if a word has a zero byte" in
// Bit Twiddling Hacks.
func (l letters) in(w uint64) uint64 {
	const lower, high = ones * ' ', ones << 7
	w |= lower
	a, b, c, d := w^l.all[0], w^l.all[1], w^l.all[2], w^l.all[3]
	return ((a-ones)&^a | (b-ones)&^b | (c-ones)&^c | (d-ones)&^d) & high
}
