package diff

import (
	"unicode"
	"unicode/utf8"
)

// Bounds on what is compared word by word.
const (
	maxBytes = 1 << 10 // of a line
	maxWords = 128     // of what two lines do not begin and end with alike
)

// span is a stretch of bytes of a line.
type stretch struct{ from, to int }

// changed returns what of two lines differs, word by word. Both are nil where
// they have so little in common that everything does.
func changed(before, after string) (gone, come []stretch) {
	if len(before) > maxBytes || len(after) > maxBytes {
		return nil, nil
	}
	a, b := split(before), split(after)
	same := func(i, j int) bool { return before[a[i].from:a[i].to] == after[b[j].from:b[j].to] }
	head := 0
	for head < len(a) && head < len(b) && same(head, head) {
		head++
	}
	tail := 0
	for tail < len(a)-head && tail < len(b)-head && same(len(a)-1-tail, len(b)-1-tail) {
		tail++
	}
	n, m := len(a)-head-tail, len(b)-head-tail
	if n > maxWords || m > maxWords {
		return nil, nil
	}
	keptA, keptB := common(n, m, func(i, j int) bool { return same(head+i, head+j) })
	gone, alike := outside(a, head, tail, keptA, before)
	come, _ = outside(b, head, tail, keptB, after)
	if alike*3 < max(len(before), len(after)) {
		return nil, nil
	}
	return gone, come
}

// outside returns the stretches of words that were not kept, and how many bytes
// that are not blank were.
func outside(words []stretch, head, tail int, kept []bool, text string) (out []stretch, alike int) {
	for i, w := range words {
		if i < head || i >= len(words)-tail || kept[i-head] {
			if text[w.from] != ' ' {
				alike += w.to - w.from
			}
			continue
		}
		if n := len(out); n > 0 && out[n-1].to == w.from {
			out[n-1].to = w.to
		} else {
			out = append(out, w)
		}
	}
	return out, alike
}

// common marks a longest common subsequence of n and m words.
func common(n, m int, same func(i, j int) bool) (a, b []bool) {
	a, b = make([]bool, n), make([]bool, m)
	length := make([][]uint8, n+1) // of what follows; maxWords fits
	for i := range length {
		length[i] = make([]uint8, m+1)
	}
	for i := n - 1; i >= 0; i-- {
		for j := m - 1; j >= 0; j-- {
			if same(i, j) {
				length[i][j] = length[i+1][j+1] + 1
			} else {
				length[i][j] = max(length[i+1][j], length[i][j+1])
			}
		}
	}
	for i, j := 0, 0; i < n && j < m; {
		switch {
		case same(i, j):
			a[i], b[j] = true, true
			i, j = i+1, j+1
		case length[i+1][j] >= length[i][j+1]:
			i++
		default:
			j++
		}
	}
	return a, b
}

// split cuts a line into words, blanks and single other characters.
func split(s string) []stretch {
	var out []stretch
	class := func(r rune) int {
		switch {
		case unicode.IsLetter(r), unicode.IsDigit(r), unicode.IsMark(r), r == '_':
			return 1
		case r == ' ':
			return 2
		}
		return 0
	}
	last := 0
	for i, r := range s {
		n := i + utf8.RuneLen(r)
		if c := class(r); len(out) > 0 && c != 0 && c == last {
			out[len(out)-1].to = n
		} else {
			out, last = append(out, stretch{i, n}), c
		}
	}
	return out
}
