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
	score, end := 0, 0
	for j, i := range at {
		score += hit + bonus(text, i, name)
		switch gap := i - end; {
		case j == 0:
		case gap == 0:
			score += beside
		default:
			score -= gapFirst + gapMore*(gap-1)
		}
		end = i + len(letters[j])
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
func best(side, text string, letters []string) (int, []int) {
	at := make([]int, len(letters))
	if !leftmost(side, letters, at) {
		return 0, nil
	}
	name := nameOf(text)
	if len(text) > maxRanked {
		early, late := worth(text, letters, at, name), make([]int, len(letters))
		rightmost(side, letters, late)
		if n := worth(text, letters, late, name); n > early {
			return n, late
		}
		return early, at
	}
	g := grid{side: side, text: text, letters: letters, name: name, score: make([]int32, len(letters)*len(side)), from: make([]int16, len(letters)*len(side))}
	for j := range letters {
		g.fill(j)
	}
	score := g.trace(at)
	return score + wholeName(text, letters, at, name), at
}

// grid holds for each letter of a pattern and each byte of a text the best match
// whose letter is there.
type grid struct {
	side, text string
	letters    []string
	name       int
	score      []int32
	from       []int16 // where the letter before is
}

const none = math.MinInt32

// fill computes the row of letter j from the one before.
func (g *grid) fill(j int) {
	n := len(g.side)
	reach, by := int32(none), int16(-1) // the best match that ends further left, less the gap
	for i := range n {
		k := j*n + i
		g.score[k] = none
		beforeAt := -1
		if j > 0 {
			beforeAt = i - len(g.letters[j-1]) // where the letter before would be right beside
			if reach > none {
				reach -= gapMore
			}
			if s := g.at(j-1, beforeAt-1); s > none && s-gapFirst >= reach {
				reach, by = s-gapFirst, int16(beforeAt-1)
			}
		}
		if !strings.HasPrefix(g.side[i:], g.letters[j]) {
			continue
		}
		gain := int32(hit + bonus(g.text, i, g.name))
		switch s := g.at(j-1, beforeAt); {
		case j == 0:
			g.score[k] = gain
		case s > none && s+beside > reach:
			g.score[k], g.from[k] = s+beside+gain, int16(beforeAt)
		case reach > none:
			g.score[k], g.from[k] = reach+gain, by
		}
	}
}

// at is the score of letter j at i, where there is such a place.
func (g *grid) at(j, i int) int32 {
	if j < 0 || i < 0 {
		return none
	}
	return g.score[j*len(g.side)+i]
}

// trace writes down the best match, and returns its score.
func (g *grid) trace(at []int) int {
	n, last := len(g.side), len(g.letters)-1
	top, end := int32(none), 0
	for i := range n {
		if s := g.at(last, i); s > top || s == top && s > none && i >= g.name && end < g.name {
			top, end = s, i
		}
	}
	for j := last; j >= 0; j-- {
		at[j] = end
		end = int(g.from[j*n+end])
	}
	return int(top)
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
