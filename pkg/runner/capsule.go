package runner

import (
	"fmt"
	"strings"

	"github.com/vexa-ai/vexa/pkg/contract/runnerv2"
	"github.com/vexa-ai/vexa/pkg/internal/glob"
)

// Capsule returns the globs, below the session state directory, of the files
// that are the conversation: session is the id they are named after, Vexa's or
// where the runner assigns it the runner's own. Empty means that nothing is
// kept. A glob is one of path.Match whose element "**" stands for any number
// of directories; see InCapsule.
func Capsule(m runnerv2.Manifest, session string) ([]string, error) {
	values := map[string]string{}
	if session != "" {
		values[varSession] = escapeGlob(session)
	}
	var out []string
	for _, t := range m.Session.Capsule {
		pattern, err := expand(t, values)
		if err != nil {
			return nil, err
		}
		if err := glob.Check(pattern); err != nil {
			return nil, fmt.Errorf("%q: %w", t, err)
		}
		out = append(out, pattern)
	}
	return out, nil
}

// InCapsule reports whether the file at name, slash-separated and relative to
// the state directory, matches one of the globs of Capsule.
func InCapsule(globs []string, name string) bool {
	return glob.Any(globs, name)
}

// escapeGlob makes a session id match itself alone; a slash in it would reach
// into another directory and becomes a character that no file name holds.
func escapeGlob(s string) string {
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`, "/", "\x00").Replace(s)
}
