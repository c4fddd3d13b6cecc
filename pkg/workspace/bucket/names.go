package bucket

import (
	"errors"
	"fmt"
	"strings"
)

// ErrInTheWay says that a ref and another one below its name, as if it were a directory,
// cannot be there together. Whoever fetched them could store one of them alone.
var ErrInTheWay = errors.New("is in the way")

// names are the refs that there will be.
type names struct {
	refs  map[string]string // as they are
	gone  map[string]bool   // of them: deleted
	added map[string]bool
	below map[string]string // by the name of a directory of refs: one that is in it
}

// disentangle refuses the new refs of a push that cannot be there with the
// others. Deletions of the same push make room.
func (p *push) disentangle(st *State) {
	var n *names
	for i, u := range p.updates {
		if p.results[i].Err != nil || u.New == "" || st.Refs[u.Ref] != "" {
			continue
		}
		if n == nil {
			n = p.namesAfter(st)
		}
		if other := n.inTheWay(u.Ref); other != "" {
			p.results[i].Err = fmt.Errorf("%s %w", other, ErrInTheWay)
			continue
		}
		n.added[u.Ref] = true
		n.enter(u.Ref)
	}
}

// namesAfter returns the refs that a push leaves.
func (p *push) namesAfter(st *State) *names {
	n := &names{refs: st.Refs, gone: map[string]bool{}, added: map[string]bool{}, below: map[string]string{}}
	for i, u := range p.updates {
		if u.New == "" && p.results[i].Err == nil {
			n.gone[u.Ref] = true
		}
	}
	for name := range st.Refs {
		if !n.gone[name] {
			n.enter(name)
		}
	}
	return n
}

func (n *names) enter(ref string) {
	for dir := parent(ref); dir != ""; dir = parent(dir) {
		if n.below[dir] != "" {
			return // and so have those above it
		}
		n.below[dir] = ref
	}
}

// inTheWay returns the ref that a new one cannot be there with, or "".
func (n *names) inTheWay(ref string) string {
	if other := n.below[ref]; other != "" {
		return other
	}
	for dir := parent(ref); dir != ""; dir = parent(dir) {
		if n.added[dir] || n.refs[dir] != "" && !n.gone[dir] {
			return dir
		}
	}
	return ""
}

// parent returns the name less its last part.
func parent(name string) string { return name[:max(0, strings.LastIndexByte(name, '/'))] }

// Entangled reports whether two refs cannot be there together: one is below the other's
// name, as if that were a directory.
func Entangled(a, b string) bool {
	return strings.HasPrefix(a, b+"/") || strings.HasPrefix(b, a+"/")
}
