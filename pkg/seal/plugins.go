package seal

import (
	"context"
	"path/filepath"
	"strings"

	"filippo.io/age"
	ageplugin "filippo.io/age/plugin"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/internal/textform"
	"github.com/vexa-ai/vexa/pkg/seal/plugin"
)

// Plugins are the age plugins that a person configured: each has a name, as in
// age1NAME1…, and a program. No other program is ever started, wherever it lies.
// The zero value has none. It is immutable and safe for concurrent use.
type Plugins struct{ programs map[string]plugin.Program }

// pluginName is what a plugin may be called. It becomes part of no path.
var pluginName = textform.Regexp(`^[a-z0-9][a-z0-9+._-]*$`)

// NewPlugins returns the plugins whose programs paths names, by plugin. Every
// path is absolute; whether a program is there is seen when it is used. The
// error is fault.Invalid.
func NewPlugins(paths map[string]string) (Plugins, error) {
	programs := make(map[string]plugin.Program, len(paths))
	for name, path := range paths {
		if !pluginName.MatchString(name) {
			return Plugins{}, fault.Newf(fault.Invalid, "not the name of an age plugin: %q", name).WithHint("it is the name in age1NAME1…")
		}
		if !filepath.IsAbs(path) || filepath.Clean(path) != path {
			return Plugins{}, fault.Newf(fault.Invalid, "the plugin %s has no absolute path: %q", name, path).WithHint("name its program as /usr/bin/age-plugin-" + name)
		}
		programs[name] = plugin.Program{Name: name, Path: path}
	}
	return Plugins{programs: programs}, nil
}

// program finds the program of a plugin.
func (p Plugins) program(name string) (plugin.Program, error) {
	program, ok := p.programs[name]
	if !ok {
		return plugin.Program{}, fault.Newf(fault.Invalid, "the age plugin %s is not configured", name).
			WithHint(`name its program in config/plugins.json: {"version":1,"plugins":{"` + name + `":"/usr/bin/age-plugin-` + name + `"}}`)
	}
	return program, nil
}

// recipient reads the recipient of a plugin, age1NAME1….
func (p Plugins) recipient(s string) (Recipient, error) {
	name, _, err := ageplugin.ParseRecipient(s)
	if err != nil || !pluginName.MatchString(name) {
		return Recipient{}, notRecipient(s)
	}
	program, err := p.program(name)
	if err != nil {
		return Recipient{}, err
	}
	return Recipient{text: s, to: program.Recipient(s), plugin: name}, nil
}

// identity reads the identity of a plugin, AGE-PLUGIN-NAME-1…, and returns its
// name. The plugin may ask the person, until ctx ends.
func (p Plugins) identity(ctx context.Context, s string, person Prompter) (key age.Identity, name string, err error) {
	name, _, err = ageplugin.ParseIdentity(s)
	if err != nil || !pluginName.MatchString(name) {
		return nil, "", fault.New(fault.Invalid, "not the identity of an age plugin", "")
	}
	program, err := p.program(name)
	if err != nil {
		return nil, "", err
	}
	return program.Identity(ctx, s, pluginUI(ctx, name, person)), name, nil
}

// Prompter asks the person who opens a key. What it shows may be foreign text.
type Prompter interface {
	// Say shows one line.
	Say(text string)
	// Ask returns one line, which is not shown while it is typed where secret
	// says so. The caller overwrites it.
	Ask(ctx context.Context, question string, secret bool) ([]byte, error)
	// Confirm reports whether the person chose yes; no may be empty: then there
	// is no other choice.
	Confirm(ctx context.Context, question, yes, no string) (bool, error)
}

// pluginUI is how a plugin speaks through a prompter; with nil it does not.
func pluginUI(ctx context.Context, name string, person Prompter) plugin.UI {
	if person == nil {
		return plugin.UI{}
	}
	return plugin.UI{
		Message: func(text string) error {
			person.Say(name + ": " + text)
			return nil
		},
		Value: func(prompt string, secret bool) ([]byte, error) {
			return person.Ask(ctx, name+": "+strings.TrimSpace(prompt)+" ", secret)
		},
		Confirm: func(prompt, yes, no string) (bool, error) {
			return person.Confirm(ctx, name+": "+strings.TrimSpace(prompt), yes, no)
		},
	}
}
