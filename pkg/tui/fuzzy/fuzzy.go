// Package fuzzy finds what a person means by a few of its letters: files,
// sessions, commands.
//
// A pattern is words, all of which must be found, each with its letters in
// order. A word without capitals matches in any case, one with them as written.
// Letters count more at the beginning of a name, of a path's part or of a word,
// and beside each other; a path's last part counts more than its folders.
package fuzzy

import (
	"cmp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"github.com/vexa-ai/vexa/pkg/cli/plain"
)

// Bounds, in letters and bytes. What is longer is found, if less well ranked.
const (
	maxPattern = 64
	maxRanked  = 256
)

// Index is a list of texts to search. It never changes and is safe for
// concurrent use.
type Index struct {
	texts []string
	lower []string // of the same lengths
	masks []uint64 // what letters a text has
}

// New returns an index of texts, which may be foreign: what must not reach a
// screen is stripped.
func New(texts []string) *Index {
	x := &Index{texts: make([]string, len(texts)), lower: make([]string, len(texts)), masks: make([]uint64, len(texts))}
	for i, s := range texts {
		s = plain.Line(s)
		x.texts[i], x.lower[i] = s, fold(s)
		x.masks[i] = maskOf(x.lower[i])
	}
	return x
}

// Len is how many texts there are.
func (x *Index) Len() int { return len(x.texts) }

// Text is the text at i, as it may be shown.
func (x *Index) Text(i int) string { return x.texts[i] }

// Match is a text that was found.
type Match struct {
	Index     int   // which one
	Score     int   // greater is better
	Positions []int // where the letters of the pattern are in Text, in bytes, ascending
}

// fold returns s in small letters, at the same positions.
func fold(s string) string {
	return strings.Map(func(r rune) rune {
		if l := unicode.ToLower(r); utf8.RuneLen(l) == utf8.RuneLen(r) {
			return l
		}
		return r
	}, s)
}

// maskOf has a bit for each letter and digit of s, and one for everything else.
func maskOf(lower string) uint64 {
	var m uint64
	for i := range len(lower) {
		switch c := lower[i]; {
		case c >= 'a' && c <= 'z':
			m |= 1 << (c - 'a')
		case c >= '0' && c <= '9':
			m |= 1 << (26 + c - '0')
		case c >= utf8.RuneSelf:
			m |= 1 << 37
		default:
			m |= 1 << (38 + c%26)
		}
	}
	return m
}

// word is a part of a pattern.
type word struct {
	letters []string
	exact   bool // in the case in which it is written
}

// words reads a pattern.
func words(pattern string) (out []word, mask uint64) {
	left := maxPattern
	for f := range strings.FieldsSeq(plain.Line(pattern)) {
		w := word{exact: fold(f) != f}
		for _, r := range f {
			if left--; left < 0 {
				break
			}
			w.letters = append(w.letters, string(r))
		}
		if len(w.letters) > 0 {
			out, mask = append(out, w), mask|maskOf(fold(f))
		}
	}
	return out, mask
}

// Find returns the best matches, at most limit, the best first. Where two are as
// good, the shorter is first, and then the one that was in the list. An empty
// pattern matches everything, in the list's order.
func (x *Index) Find(pattern string, limit int) []Match {
	limit = min(limit, len(x.texts))
	if limit <= 0 {
		return nil
	}
	list, mask := words(pattern)
	if len(list) == 0 {
		out := make([]Match, limit)
		for i := range out {
			out[i].Index = i
		}
		return out
	}
	found := x.scan(list, mask, max(limit, maxRanked))
	for i := range found {
		found[i] = x.rank(list, found[i].Index)
	}
	slices.SortFunc(found, x.order)
	return found[:min(limit, len(found))]
}

// order is which of two matches is first.
func (x *Index) order(a, b Match) int {
	return cmp.Or(cmp.Compare(b.Score, a.Score), cmp.Compare(len(x.texts[a.Index]), len(x.texts[b.Index])), cmp.Compare(a.Index, b.Index))
}

// scan looks at every text and returns the most promising ones, by a score
// that is quick to have. Each processor takes a part of the list.
func (x *Index) scan(list []word, mask uint64, most int) []Match {
	const least = 4096 // what is worth a goroutine
	parts := max(min(runtime.GOMAXPROCS(0), len(x.texts)/least), 1)
	found := make([][]Match, parts)
	var done sync.WaitGroup
	for p := range parts {
		done.Go(func() {
			found[p] = x.scanPart(list, mask, most, len(x.texts)*p/parts, len(x.texts)*(p+1)/parts)
		})
	}
	done.Wait()
	all := slices.Concat(found...)
	slices.SortFunc(all, x.order)
	return all[:min(most, len(all))]
}

func (x *Index) scanPart(list []word, mask uint64, most, from, to int) []Match {
	var out []Match
	var worst Match // of what is kept; what is behind it need not be
	full := false
	for i := from; i < to; i++ {
		if x.masks[i]&mask != mask {
			continue
		}
		score, ok := 0, true
		for _, w := range list {
			n, found := quick(x.side(w, i), x.texts[i], w.letters)
			if ok = found; !ok {
				break
			}
			score += n
		}
		m := Match{Index: i, Score: score}
		if !ok || full && x.order(m, worst) > 0 {
			continue
		}
		out = append(out, m)
		if len(out) >= 4*most { // keep the best, and ask more of the next
			slices.SortFunc(out, x.order)
			out = out[:most]
			worst, full = out[most-1], true
		}
	}
	return out
}

// side is what a word is searched in.
func (x *Index) side(w word, i int) string {
	if w.exact {
		return x.texts[i]
	}
	return x.lower[i]
}

// rank returns the best way in which the words match a text.
func (x *Index) rank(list []word, i int) Match {
	m := Match{Index: i}
	for _, w := range list {
		score, positions := best(x.side(w, i), x.texts[i], w.letters)
		m.Score += score
		m.Positions = append(m.Positions, positions...)
	}
	slices.Sort(m.Positions)
	m.Positions = slices.Compact(m.Positions)
	return m
}
