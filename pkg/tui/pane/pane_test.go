package pane_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/vexa-ai/vexa/pkg/tui/pane"
)

// blocks have a number of lines each, half as many where it is wide.
type blocks struct {
	first int
	lines []int
	asked map[int]bool
}

func (b *blocks) First() int { return b.first }
func (b *blocks) Len() int   { return len(b.lines) }
func (b *blocks) Lines(i, width int) []string {
	if b.asked != nil {
		b.asked[i] = true
	}
	n := b.lines[i]
	if width >= 80 {
		n = (n + 1) / 2
	}
	var out []string
	for l := range n {
		out = append(out, fmt.Sprintf("%d.%d", i, l))
	}
	return out
}

// all is every line there is.
func (b *blocks) all(width int) (out []string) {
	for i := b.first; i < len(b.lines); i++ {
		out = append(out, b.Lines(i, width)...)
	}
	return out
}

func view(p *pane.Pane, b *blocks) string {
	lines, _ := p.View(b)
	return strings.Join(lines, " ")
}

func TestItFollowsTheEnd(t *testing.T) {
	t.Parallel()
	var p pane.Pane
	p.Resize(40, 4)
	b := &blocks{}
	is := func(want string) {
		t.Helper()
		if got := view(&p, b); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	is("   ")
	b.lines = []int{1, 0, 2}
	is("0.0 2.0 2.1 ")
	b.lines = append(b.lines, 3)
	is("2.1 3.0 3.1 3.2")
	p.Scroll(b, -2)
	is("0.0 2.0 2.1 3.0")
	b.lines = append(b.lines, 3) // it stays where the person reads
	is("0.0 2.0 2.1 3.0")
	if p.Following() {
		t.Error("it follows")
	}
	p.Scroll(b, 3)
	is("3.0 3.1 3.2 4.0")
	p.Scroll(b, 100)
	is("3.2 4.0 4.1 4.2")
	b.lines = append(b.lines, 1)
	is("4.0 4.1 4.2 5.0")
	p.Home(b)
	is("0.0 2.0 2.1 3.0")
	p.Show(b, 3)
	is("0.0 2.0 2.1 3.0")
	p.Show(b, 4)
	is("4.0 4.1 4.2 5.0")
	p.Show(b, 2)
	is("2.0 2.1 3.0 3.1")
	b.first = 3 // what was read went
	is("3.0 3.1 3.2 4.0")
	p.Resize(80, 2)
	is("3.0 3.1")
	p.Follow()
	is("4.1 5.0")
	p.Resize(80, 0)
	is("")
}

// Where everything fits there is nothing to scroll, and the end is followed.
func TestLittle(t *testing.T) {
	t.Parallel()
	var p pane.Pane
	p.Resize(40, 4)
	b := &blocks{lines: []int{2}}
	for _, move := range []func(){func() { p.Scroll(b, -1) }, func() { p.Home(b) }, func() { p.Show(b, 0) }, func() { p.Scroll(b, 1) }} {
		move()
		if got := view(&p, b); got != "0.0 0.1  " || !p.Following() {
			t.Errorf("%q, following %t", got, p.Following())
		}
	}
}

// TestItIsAWindow: whatever is done, what is seen is as many lines as there are room for
// of all that there is, in order; it is full where there is enough; and the places are
// those of the lines.
func TestItIsAWindow(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		var p pane.Pane
		b := &blocks{}
		width, height := 40, 5
		p.Resize(width, height)
		for range 60 {
			switch r.IntN(7) {
			case 0, 1:
				b.lines = append(b.lines, r.IntN(6))
			case 2:
				p.Scroll(b, -r.IntN(8))
			case 3:
				p.Scroll(b, r.IntN(8))
			case 4:
				width, height = 40+40*r.IntN(2), r.IntN(7)
				p.Resize(width, height)
			case 5:
				if b.first < len(b.lines)-1 && r.IntN(4) == 0 {
					b.first++
				}
			case 6:
				if n := len(b.lines); n > 0 {
					b.lines[n-1] += r.IntN(3)
				}
			}
			all := b.all(width)
			lines, places := p.View(b)
			if len(lines) != height || len(places) != height {
				t.Fatalf("%d lines, %d places", len(lines), len(places))
			}
			seen := min(height, len(all))
			if seen == 0 {
				continue
			}
			at := slices.Index(all, lines[0])
			if at < 0 || !slices.Equal(all[at:at+seen], lines[:seen]) || at+seen < len(all) && seen < height || p.Following() && at+seen != len(all) {
				t.Fatalf("%q of %q, following %t", lines, all, p.Following())
			}
			for i := range seen {
				if lines[i] != fmt.Sprintf("%d.%d", places[i].Block, places[i].Line) {
					t.Fatalf("%q is at %+v", lines[i], places[i])
				}
			}
		}
	}
}

// However much there is, what is not seen is not asked for.
func TestItAsksForLittle(t *testing.T) {
	t.Parallel()
	b := &blocks{lines: slices.Repeat([]int{3}, 10_000), asked: map[int]bool{}}
	var p pane.Pane
	p.Resize(40, 30)
	view(&p, b)
	p.Scroll(b, -300)
	view(&p, b)
	if len(b.asked) > 130 {
		t.Errorf("%d blocks were asked for", len(b.asked))
	}
}
