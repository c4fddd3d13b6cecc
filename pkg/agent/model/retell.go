package model

import "strings"

// retelling passes the pieces of several attempts at one answer on as one: what
// a reader has seen is not said again as long as the next attempt says the same.
// Where it says something else, that follows whole, after an empty line.
type retelling struct {
	yield func(Delta)
	kinds map[DeltaKind]*told
	said  bool // the attempt said something
}

// told is what was passed on of one kind, and what this attempt said.
type told struct {
	shown string // of the attempt that was shown last
	now   strings.Builder
	fresh bool // this attempt is shown as it comes
}

func newRetelling(yield func(Delta)) *retelling {
	return &retelling{yield: yield, kinds: map[DeltaKind]*told{}}
}

// begin begins another attempt.
func (r *retelling) begin() {
	r.said = false
	for _, t := range r.kinds {
		t.settle()
		t.now.Reset()
		t.fresh = false
	}
}

// settle notes what was shown of the attempt.
func (t *told) settle() {
	if t.fresh {
		t.shown = t.now.String()
	}
}

func (r *retelling) delta(d Delta) {
	r.said = true
	t := r.kinds[d.Kind]
	if t == nil {
		t = &told{fresh: true}
		r.kinds[d.Kind] = t
	}
	t.now.WriteString(d.Text)
	if t.fresh {
		r.yield(d)
		return
	}
	now := t.now.String()
	switch {
	case strings.HasPrefix(t.shown, now): // it was seen
	case strings.HasPrefix(now, t.shown):
		t.fresh = true
		r.yield(Delta{Kind: d.Kind, Text: now[len(t.shown):]})
	default:
		r.anew(d.Kind, t)
	}
}

// end ends an attempt that succeeded: one that stopped within what the reader
// has seen is shown whole.
func (r *retelling) end() {
	for kind, t := range r.kinds {
		if !t.fresh && t.now.Len() > 0 && t.now.String() != t.shown {
			r.anew(kind, t)
		}
	}
}

func (r *retelling) anew(kind DeltaKind, t *told) {
	t.fresh = true
	r.yield(Delta{Kind: kind, Text: "\n\n" + t.now.String()})
}
