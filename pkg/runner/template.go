package runner

import (
	"fmt"
	"slices"
	"strings"

	"github.com/vexa-ai/vexa/pkg/internal/textform"
)

// The variables of a template. Those in the second group depend on the
// manifest; see Check.
const (
	varSession    = "session"
	varWorkdir    = "workdir"
	varHome       = "home"
	varState      = "state"
	varModel      = "model"
	varBaseURL    = "baseUrl"
	varToken      = "token"
	varProtocol   = "protocol"
	varPrompt     = "prompt"
	varPromptFile = "promptFile"
)

var variable = textform.Regexp(`\{\{([A-Za-z]+)\}\}`)

// variables returns the names that template uses. Whatever begins with "{{"
// must be a variable: a misspelt one is an error, never text.
func variables(template string) ([]string, error) {
	var names []string
	for rest := template; ; {
		i := strings.Index(rest, "{{")
		if i < 0 {
			return names, nil
		}
		loc := variable.FindStringSubmatchIndex(rest[i:])
		if loc == nil || loc[0] != 0 {
			return nil, fmt.Errorf("%q has a {{ that begins no variable", template)
		}
		names = append(names, rest[i+loc[2]:i+loc[3]])
		rest = rest[i+loc[1]:]
	}
}

// expand replaces the variables of template. Values are not templates: what
// they contain is taken as it is.
func expand(template string, values map[string]string) (string, error) {
	var missing string
	out := variable.ReplaceAllStringFunc(template, func(match string) string {
		name := match[2 : len(match)-2]
		value, ok := values[name]
		if !ok {
			missing = name
		}
		return value
	})
	if missing != "" {
		return "", fmt.Errorf("%q needs {{%s}}, which this run does not have", template, missing)
	}
	return out, nil
}

// uses reports whether any of the templates uses the variable.
func uses(templates []string, name string) bool {
	return slices.ContainsFunc(templates, func(t string) bool {
		return strings.Contains(t, "{{"+name+"}}")
	})
}
