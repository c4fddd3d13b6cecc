package picker

import (
	"cmp"
	"slices"

	"github.com/vexa-ai/vexa/pkg/tui/fuzzy"
)

// most is how many rows a search has: what is not among the best of so many is
// found by one letter more.
const most = 256

// small is how few items a batch has that is made one with the next.
const small = 1024

// Batch are items, ready to be searched. It never changes.
type Batch struct {
	items []Item
	index *fuzzy.Index
}

// Prepare makes a batch, which takes about a microsecond an item: of many, in a
// command. It touches no list.
func Prepare(items []Item) Batch {
	titles := make([]string, len(items))
	for i, it := range items {
		titles[i] = it.Title
	}
	return Batch{items, fuzzy.New(titles)}
}

// hit is an item that was found.
type hit struct {
	item      int
	title     string // as it may be shown
	detail    string
	score     int
	positions []int
}

// list are all batches, and what was found in them.
type list struct {
	batches []Batch
	firsts  []int // the number of the first item of each
	total   int
	found   []hit
	all     bool // nothing is searched for; found is not used
}

func (l *list) add(b Batch) {
	if len(b.items) == 0 {
		return
	}
	if last := len(l.batches) - 1; last >= 0 && len(l.batches[last].items)+len(b.items) <= small {
		l.batches[last] = Prepare(slices.Concat(l.batches[last].items, b.items))
	} else {
		l.batches, l.firsts = append(l.batches, b), append(l.firsts, l.total)
	}
	l.total += len(b.items)
}

// find looks for a pattern; an empty one finds everything, in order.
func (l *list) find(pattern string) {
	l.found, l.all = nil, pattern == ""
	if l.all {
		return
	}
	for i, b := range l.batches {
		for _, m := range b.index.Find(pattern, most) {
			l.found = append(l.found, hit{l.firsts[i] + m.Index, b.index.Text(m.Index), b.items[m.Index].Detail, m.Score, m.Positions})
		}
	}
	slices.SortFunc(l.found, func(a, b hit) int {
		return cmp.Or(cmp.Compare(b.score, a.score), cmp.Compare(len(a.title), len(b.title)), cmp.Compare(a.item, b.item))
	})
	l.found = l.found[:min(most, len(l.found))]
}

// rows is how many there are to choose from.
func (l *list) rows() int {
	if l.all {
		return l.total
	}
	return len(l.found)
}

// at is what stands in a row.
func (l *list) at(row int) hit {
	if !l.all {
		return l.found[row]
	}
	i, ok := slices.BinarySearch(l.firsts, row)
	if !ok {
		i--
	}
	b, n := l.batches[i], row-l.firsts[i]
	return hit{item: row, title: b.index.Text(n), detail: b.items[n].Detail}
}

// row is where an item stands; -1: nowhere.
func (l *list) row(item int) int {
	if l.all {
		return item
	}
	return slices.IndexFunc(l.found, func(h hit) bool { return h.item == item })
}
