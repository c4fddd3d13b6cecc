package runner

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/vexa-ai/vexa/pkg/contract/runnerv2"
)

// checkFiles refuses a file that would lie elsewhere than where the runner's own are,
// and one that would hold the token: files outlive their turn.
//
// A name that is the directory of another could not be written either.
func checkFiles(m runnerv2.Manifest) error {
	for _, name := range slices.Sorted(maps.Keys(m.Files)) {
		for other := range m.Files {
			if strings.HasPrefix(other, name+"/") {
				return fmt.Errorf("files: %s is a file, and %s lies in a directory of that name", name, other)
			}
		}
		if err := checkFileName(name); err != nil {
			return fmt.Errorf("files: %q %w", name, err)
		}
		if uses([]string{m.Files[name]}, varToken) {
			return fmt.Errorf("files: %s: {{token}} belongs in the environment, not in a file", name)
		}
		if err := checkEnvValue(m, m.Files[name]); err != nil {
			return fmt.Errorf("files: %s: %w", name, err)
		}
	}
	return nil
}

func checkFileName(name string) error {
	_, below, ok := strings.Cut(name, "}}/")
	if !ok || !strings.HasPrefix(name, "{{"+varState+"}}/") && !strings.HasPrefix(name, "{{"+varHome+"}}/") {
		return fmt.Errorf("does not begin with {{%s}}/ or {{%s}}/", varState, varHome)
	}
	if strings.ContainsAny(below, "{}") || path.IsAbs(below) || path.Clean(below) != below || below == "." || below == ".." || strings.HasPrefix(below, "../") {
		return fmt.Errorf("is no path of a file below there")
	}
	return nil
}

// renderFiles makes the files that are written before the turn; nil: none.
func renderFiles(m runnerv2.Manifest, values map[string]string) (map[string][]byte, error) {
	if len(m.Files) == 0 {
		return nil, nil
	}
	out := make(map[string][]byte, len(m.Files))
	for name, text := range m.Files {
		at, err := expand(name, values)
		if err != nil {
			return nil, err
		}
		data, err := expand(text, values)
		if err != nil {
			return nil, err
		}
		out[at] = []byte(data)
	}
	return out, nil
}
