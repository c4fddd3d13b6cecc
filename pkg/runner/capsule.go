package runner

import (
	"fmt"
	"path"
	"strings"

	"github.com/vexa-ai/vexa/pkg/contract/runnerv1"
)

// Capsule returns the globs, below the session state directory, of the files
// that are the conversation: session is the id they are named after, Vexa's or
// where the runner assigns it the runner's own. Empty means that nothing is
// kept. A glob is one of path.Match whose element "**" stands for any number
// of directories; see InCapsule.
func Capsule(m runnerv1.Manifest, session string) ([]string, error) {
	values := map[string]string{}
	if session != "" {
		values[varSession] = escapeGlob(session)
	}
	var out []string
	for _, t := range m.Session.Capsule {
		glob, err := expand(t, values)
		if err != nil {
			return nil, err
		}
		for element := range strings.SplitSeq(glob, "/") {
			if _, err := path.Match(element, ""); err != nil {
				return nil, fmt.Errorf("%q: %w", t, err)
			}
		}
		out = append(out, glob)
	}
	return out, nil
}

// InCapsule reports whether the file at name, slash-separated and relative to
// the state directory, matches one of the globs of Capsule.
func InCapsule(globs []string, name string) bool {
	elements := strings.Split(name, "/")
	for _, glob := range globs {
		if matchElements(strings.Split(glob, "/"), elements) {
			return true
		}
	}
	return false
}

func matchElements(glob, name []string) bool {
	for len(glob) > 0 {
		if glob[0] == "**" {
			for i := range len(name) + 1 {
				if matchElements(glob[1:], name[i:]) {
					return true
				}
			}
			return false
		}
		if len(name) == 0 {
			return false
		}
		if ok, err := path.Match(glob[0], name[0]); err != nil || !ok {
			return false
		}
		glob, name = glob[1:], name[1:]
	}
	return len(name) == 0
}

// escapeGlob makes a session id match itself alone; a slash in it would reach
// into another directory and becomes a character that no file name holds.
func escapeGlob(s string) string {
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`, "/", "\x00").Replace(s)
}
