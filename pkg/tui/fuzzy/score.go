package fuzzy

import (
	"math"
	"strings"
	"unicode/utf8"
)

// What a match is worth.
const (
	hit       = 16 // a letter
	beside    = 10 // ... right after the one before
	gapFirst  = 3  // less: letters between two
	gapMore   = 1  // less: each further one
	partStart = 12 // a letter that begins a part of a path
	wordStart = 9  // ... a word
	inName    = 4  // ... is in the last part of the path
	whole     = 20 // nothing but the pattern is in the last part
)

// bonus is what a letter at i is worth beyond hit.
func bonus(text string, i, name int) int {
	n := 0
	if i >= name {
		n = inName
	}
	if i == 0 {
		return n + partStart
	}
	switch before, c := text[i-1], text[i]; {
	case before == '/':
		return n + partStart
	case before == ' ', before == '_', before == '-', before == '.', before == ':':
		return n + wordStart
	case before >= 'a' && before <= 'z' && c >= 'A' && c <= 'Z':
		return n + wordStart
	case (before < '0' || before > '9') && c >= '0' && c <= '9':
		return n + wordStart/2
	}
	return n
}

// nameOf is where the last part of a path begins.
func nameOf(text string) int { return strings.LastIndexByte(text, '/') + 1 }

// quick returns the better score of two matches: the leftmost and the rightmost
// one. It is false where there is none.
func quick(side, text string, letters []string) (int, bool) {
	var at [maxPattern]int
	if !leftmost(side, letters, at[:]) {
		return 0, false
	}
	name := nameOf(text)
	score := worth(text, letters, at[:len(letters)], name)
	rightmost(side, letters, at[:])
	return max(score, worth(text, letters, at[:len(letters)], name)), true
}

// leftmost finds each letter as early as it can be.
func leftmost(side string, letters []string, at []int) bool {
	from := 0
	for j, l := range letters {
		var i int
		if len(l) == 1 {
			i = strings.IndexByte(side[from:], l[0])
		} else {
			i = strings.Index(side[from:], l)
		}
		if i < 0 {
			return false
		}
		at[j] = from + i
		from += i + len(l)
	}
	return true
}

// rightmost finds each letter as late as it can be; the text has them.
func rightmost(side string, letters []string, at []int) {
	to := len(side)
	for j := len(letters) - 1; j >= 0; j-- {
		at[j] = strings.LastIndex(side[:to], letters[j])
		to = at[j]
	}
}

// worth is the score of a match.
func worth(text string, letters []string, at []int, name int) int {
	score := 0
	for j, i := range at {
		score += hit + bonus(text, i, name)
		if j == 0 {
			continue
		}
		if gap := i - at[j-1] - len(letters[j-1]); gap == 0 {
			score += beside
		} else {
			score -= gapFirst + gapMore*(gap-1)
		}
	}
	return score + wholeName(text, letters, at, name)
}

// wholeName is what a match is worth beyond its letters: it is the name, if
// perhaps without the extension.
func wholeName(text string, letters []string, at []int, name int) int {
	last := len(at) - 1
	end := at[last] + len(letters[last])
	if at[0] != name || end-name != size(letters) {
		return 0
	}
	if rest := text[end:]; rest == "" || rest[0] == '.' {
		return whole
	}
	return 0
}

func size(letters []string) int {
	n := 0
	for _, l := range letters {
		n += len(l)
	}
	return n
}

// best returns the match with the highest score and where its letters are.
// score[j][i] is the best one whose letter j is at i.
func best(side, text string, letters []string) (int, []int) {
	at := make([]int, len(letters))
	if !leftmost(side, letters, at) {
		return 0, nil
	}
	name := nameOf(text)
	if len(text) > maxRanked {
		score := worth(text, letters, at, name)
		late := make([]int, len(letters))
		if rightmost(side, letters, late); worth(text, letters, late, name) > score {
			return worth(text, letters, late, name), late
		}
		return score, at
	}
	const none = math.MinInt32
	n, m := len(side), len(letters)
	score, from := make([]int32, m*n), make([]int16, m*n)
	for j, l := range letters {
		reach, by := int32(none), int16(-1) // the best that ends before i, less the gap
		for i := range n {
			k := j*n + i
			score[k] = none
			if j > 0 {
				prev := i - len(letters[j-1]) // where the letter before would end right here
				if reach > none {
					reach -= gapMore
				}
				if p := prev - 1; p >= 0 {
					if s := score[(j-1)*n+p]; s > none && s-gapFirst >= reach {
						reach, by = s-gapFirst, int16(p)
					}
				}
				if !strings.HasPrefix(side[i:], l) {
					continue
				}
				gain := int32(hit + bonus(text, i, name))
				if reach > none {
					score[k], from[k] = reach+gain, by
				}
				if prev >= 0 {
					if s := score[(j-1)*n+prev]; s > none && s+beside+gain > score[k] {
						score[k], from[k] = s+beside+gain, int16(prev)
					}
				}
			} else if strings.HasPrefix(side[i:], l) {
				score[k] = int32(hit + bonus(text, i, name))
			}
		}
	}
	top, end := int32(none), -1
	for i := range n {
		if s := score[(m-1)*n+i]; s > top || s == top && s > none && i >= name && end < name {
			top, end = s, i
		}
	}
	for j := m - 1; j >= 0; j-- {
		at[j] = end
		end = int(from[j*n+end])
	}
	return int(top) + wholeName(text, letters, at, name), at
}

// Runs returns the stretches of text that positions name, as pairs of where each
// begins and ends, for a view that shows them.
func Runs(text string, positions []int) [][2]int {
	var out [][2]int
	for _, p := range positions {
		_, n := utf8.DecodeRuneInString(text[p:])
		if last := len(out) - 1; last >= 0 && out[last][1] == p {
			out[last][1] = p + n
		} else {
			out = append(out, [2]int{p, p + n})
		}
	}
	return out
}
