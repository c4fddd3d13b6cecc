package merge

import (
	"strings"
)

// why tells of a key whose values could be merged and whose text could not.
const (
	whyComment = "both sides changed it or a comment at it"
	whyForm    = "both sides changed it, and the form it is written in cannot be edited with certainty"
)

// compose returns the lines that have the wanted values, out of those of the
// versions.
func (m *merger) compose(b, o, t *front, want *value) string {
	var blocks [3]*block
	for i, f := range []*front{b, o, t} {
		var ok bool
		if blocks[i], ok = blockOf(f.lines, 0, len(f.lines), f.root); !ok {
			m.conflict("", "both sides changed the frontmatter, which is not written as one key below the other")
			return ""
		}
	}
	return deeper(m.block("", blocks, want), blocks[1].col)
}

// block merges the texts of a mapping. The order of the versions is base, ours,
// theirs; the base may be nil. The text is without our block's column.
func (m *merger) block(path string, v [3]*block, want *value) string {
	b, o, t := v[0], v[1], v[2]
	if b == nil {
		b = &block{}
	}
	for _, e := range b.entries {
		if want.get(e.key) == nil {
			m.remove(join(path, e.key), e, o.get(e.key), t.get(e.key))
		}
	}
	var out strings.Builder
	for _, key := range order(b, o, t, want) {
		out.WriteString(m.entry(join(path, key), [3]*entry{b.get(key), o.get(key), t.get(key)}, want.get(key)))
	}
	out.WriteString(m.notes(path, b.tail, o.tail, t.tail))
	return out.String()
}

// remove makes sure that no comment is lost which was written at a key that the
// other side removed. One of ours and theirs is nil, or both.
func (m *merger) remove(path string, base, ours, theirs *entry) {
	for _, e := range []*entry{ours, theirs} {
		if e != nil && comments(e.lead+e.main) != comments(base.lead+base.main) {
			m.conflict(path, "one side removed it, the other changed a comment at it")
		}
	}
}

// order returns the wanted keys in our order. What is new from theirs follows
// the key that it follows there, and whatever we put behind that.
func order(b, o, t *block, want *value) []string {
	after := make(map[string][]string) // by the key before; keys begin with a colon here
	last := ""
	for _, e := range t.entries {
		switch {
		case want.get(e.key) == nil:
		case o.get(e.key) != nil:
			last = ":" + e.key
		default:
			after[last] = append(after[last], e.key)
		}
	}
	keys := make([]string, 0, len(want.fields))
	pending := after[""]
	for _, e := range o.entries {
		if want.get(e.key) == nil {
			continue
		}
		if b.get(e.key) != nil || t.get(e.key) != nil {
			keys, pending = append(keys, pending...), nil
		}
		keys = append(keys, e.key)
		pending = append(pending, after[":"+e.key]...)
	}
	return append(keys, pending...)
}

// entry returns the text of a key that is wanted.
func (m *merger) entry(path string, v [3]*entry, want *value) string {
	b, o, t := v[0], v[1], v[2]
	switch {
	case o == nil && t == nil: // not with a value that was worked out right
		m.conflict(path, whyForm)
		return ""
	case o == nil:
		return t.lead + t.main + t.trail
	case t == nil:
		return o.lead + o.main + o.trail
	case b == nil:
		b = &entry{}
	}
	trail := o.trail
	if o.trail == b.trail {
		trail = t.trail
	}
	lead := m.notes(path, b.lead, o.lead, t.lead)
	return lead + m.main(path, [3]*entry{b, o, t}, want) + trail
}

// main returns the lines of a key and its value, of which ours and theirs are
// there.
func (m *merger) main(path string, v [3]*entry, want *value) string {
	b, o, t := v[0], v[1], v[2]
	switch {
	case o.main == t.main || b.main == t.main:
		return o.main
	case b.main == o.main:
		return t.main
	case o.sub != nil && t.sub != nil && (b.val == nil || b.sub != nil):
		return m.nested(path, v, want)
	case equal(o.val, t.val):
		return m.choose(path, v, comments(o.main) == comments(t.main) || comments(t.main) == comments(b.main), comments(o.main) == comments(b.main))
	case equal(b.val, o.val):
		return m.choose(path, v, false, comments(o.main) == comments(b.main))
	case equal(b.val, t.val):
		return m.choose(path, v, comments(t.main) == comments(b.main), false)
	}
	if comments(o.main) != comments(t.main) {
		m.conflict(path, whyComment)
		return ""
	}
	if text, ok := setText(o, t, want); ok {
		return text
	}
	m.conflict(path, whyForm)
	return ""
}

// choose returns the one of two texts that has everything.
func (m *merger) choose(path string, v [3]*entry, ours, theirs bool) string {
	switch {
	case ours:
		return v[1].main
	case theirs:
		return v[2].main
	default:
		m.conflict(path, whyComment)
		return ""
	}
}

// nested merges the text of a mapping within a mapping.
func (m *merger) nested(path string, v [3]*entry, want *value) string {
	b, o, t := v[0], v[1], v[2]
	head := o.head
	if b.head == o.head {
		head = t.head
	} else if b.head != t.head && comments(o.head) != comments(t.head) {
		m.conflict(path, whyComment)
	}
	text := deeper(m.block(path, [3]*block{b.sub, o.sub, t.sub}, want), o.sub.col-o.col())
	if len(want.fields) > 0 {
		return head + text
	}
	plain, ok := strings.CutSuffix(head, ":\n")
	if !ok {
		m.conflict(path, whyForm)
	}
	return plain + ": {}\n" + text
}

// col is the column of the entry's key.
func (e *entry) col() int { return indent(e.lines[e.from]) }

// notes merges comments that are lines of their own. Empty lines do not count.
func (m *merger) notes(path, b, o, t string) string {
	switch {
	case b == o:
		return t
	case b == t || comments(o) == comments(t) || comments(b) == comments(t):
		return o
	case comments(b) == comments(o):
		return t
	default:
		m.conflict(path, "both sides changed a comment at it")
		return o
	}
}
