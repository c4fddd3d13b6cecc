// Package merge merges the versions of one Markdown file that begins with YAML
// frontmatter. The frontmatter is merged key by key, the rest line by line, and
// nothing is ever merged by guessing: whatever is not certain is a [Conflict].
//
// A merged frontmatter is made of the lines of its versions, so that comments,
// quotes, the order of keys and the form of numbers and dates stay as they were
// written. It is read again before it is returned, and has to have the values
// that were worked out without looking at any line.
package merge

import (
	"bytes"
	"cmp"
	"fmt"
)

// Conflict is one thing that the two sides disagree about.
type Conflict struct {
	Path string // of a key, as "status" or "meta.owner"; "" is the body, the frontmatter as a whole, or the file
	Why  string // one clause in English
}

// BodyMerger merges what follows the frontmatter, line by line as git does. It
// says false where that conflicts.
type BodyMerger func(base, ours, theirs []byte) (merged []byte, ok bool, err error)

// Markdown merges two versions of a file that both come from base. A version
// that is nil is not there. It returns the merged file, which may be one of the
// versions itself and is nil where the file is gone, or the conflicts, never
// both. A file or a part of it that one side alone has changed is that side's,
// byte for byte.
//
// An error is one of the BodyMerger, which is asked only where both sides have
// changed the body. Markdown is safe for concurrent use where body is.
func Markdown(base, ours, theirs []byte, body BodyMerger) (merged []byte, conflicts []Conflict, err error) {
	if whole, ok := pick(base, ours, theirs); ok {
		return whole, nil, nil
	}
	if ours == nil || theirs == nil {
		return nil, []Conflict{{Why: "one side removed the file, the other changed it"}}, nil
	}
	baseFront, baseBody := split(base)
	ourFront, ourBody := split(ours)
	theirFront, theirBody := split(theirs)
	front, conflicts := mergeFront(baseFront, ourFront, theirFront)
	text, ok := pick(baseBody, ourBody, theirBody)
	if !ok {
		if text, ok, err = body(baseBody, ourBody, theirBody); err != nil {
			return nil, nil, fmt.Errorf("merge the body: %w", err)
		}
	}
	if !ok {
		conflicts = append(conflicts, Conflict{Why: "both sides changed the same lines of the body"})
	}
	if len(conflicts) > 0 {
		return nil, conflicts, nil
	}
	merged = append(append(make([]byte, 0, len(front)+len(text)), front...), text...)
	// A body that now begins with a fence would be taken for frontmatter.
	if again, _ := split(merged); !bytes.Equal(again, front) {
		return nil, []Conflict{{Why: "the merged body would be read as frontmatter"}}, nil
	}
	return merged, nil, nil
}

// pick returns the version that holds where at most one side has changed, or
// both in the same way.
func pick(base, ours, theirs []byte) ([]byte, bool) {
	switch {
	case same(ours, theirs), same(base, theirs):
		return ours, true
	case same(base, ours):
		return theirs, true
	default:
		return nil, false
	}
}

// same compares bytes, and tells an empty file from one that is not there.
func same(a, b []byte) bool { return bytes.Equal(a, b) && (a == nil) == (b == nil) }

// mergeFront merges the frontmatters, each with its fences or empty.
func mergeFront(base, ours, theirs []byte) ([]byte, []Conflict) {
	if front, ok := pick(base, ours, theirs); ok {
		return front, nil
	}
	b, whyBase := read("the base", base)
	o, whyOurs := read("our version", ours)
	t, whyTheirs := read("their version", theirs)
	if why := cmp.Or(whyBase, whyOurs, whyTheirs); why != "" {
		return nil, []Conflict{{Why: why}}
	}
	var values merger
	want := values.merge("", b.root, o.root, t.root)
	if len(values.conflicts) > 0 {
		return nil, values.conflicts
	}
	text, conflicts := write(b, o, t, want)
	if conflicts != nil {
		// So that it does not count whose lines are edited.
		other, none := write(b, t, o, want)
		if none != nil {
			return nil, conflicts
		}
		text = other
	}
	return assemble(b, o, t, text), nil
}

// write returns the lines that have the wanted values, with those of ours as
// the frame. It reads them again.
func write(b, o, t *front, want *value) (string, []Conflict) {
	var m merger
	text := m.compose(b, o, t, want)
	if len(m.conflicts) > 0 {
		return "", m.conflicts
	}
	if got, why := parse(text); why != "" || !equal(got, want) {
		return "", []Conflict{{Why: "both sides changed the frontmatter, and its lines cannot be put together with certainty"}}
	}
	return text, nil
}

// merger collects the conflicts of one merge.
type merger struct {
	conflicts []Conflict
}

func (m *merger) conflict(path, why string) {
	m.conflicts = append(m.conflicts, Conflict{Path: path, Why: why})
}
