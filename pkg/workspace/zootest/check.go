package zootest

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/vexa-ai/vexa/pkg/workspace/tree"
)

// Housed is an animal with the directory of the tree that it is planted in;
// empty: the top.
type Housed struct {
	Animal

	House string
}

// Zoo is every animal that lives here, each in a directory of its own. Those
// that would end a dispatch, or say how deep a tree is, live alone.
func Zoo(inside bool) []Housed {
	var list []Housed
	for i, a := range All() {
		if a.Lives(inside) && a.Where&Ending == 0 {
			list = append(list, Housed{Animal: a, House: fmt.Sprintf("h%03d", i)})
		}
	}
	return list
}

// Outcome is what a seal did with a tree.
type Outcome struct {
	Rejected  map[string]string // escaped path -> reason
	Committed []string          // paths
}

// Compare says how the outcome differs from what the animals ask for: what is
// refused without need, or taken, or lost.
func Compare(animals []Housed, got Outcome) []string {
	var wrong []string
	left := maps.Clone(got.Rejected)
	kept := make(map[string]bool)
	for _, p := range got.Committed {
		kept[p] = true
	}
	for _, a := range animals {
		for p, why := range a.Refused {
			if a.House == "" && p == ".git" {
				continue // the checkout's own: left out, and not named
			}
			full := tree.Escape(path.Join(a.House, p))
			if reason, ok := left[full]; !ok || !strings.Contains(reason, why) {
				wrong = append(wrong, fmt.Sprintf("%s: %s is refused with %q, not for %q", a.Name, full, reason, why))
			}
			delete(left, full)
		}
		for _, p := range a.Kept {
			full := strings.TrimPrefix(a.House+"/"+p, "/")
			if !kept[full] {
				wrong = append(wrong, fmt.Sprintf("%s: %q is not committed", a.Name, full))
			}
			delete(kept, full)
		}
	}
	for p, why := range left {
		wrong = append(wrong, fmt.Sprintf("%s is refused: %s", p, why))
	}
	for p := range kept {
		wrong = append(wrong, fmt.Sprintf("%q is committed", p))
	}
	slices.Sort(wrong)
	return wrong
}
