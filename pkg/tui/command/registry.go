package command

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/internal/nearest"
)

// Registry is all commands that there are. It never changes and is safe for concurrent
// use; the zero value has none.
type Registry struct {
	builtIn  []Command
	found    []Found
	byName   map[string][]Command // custom ones have their full names, too
	entries  []Entry
	problems []Problem
}

// Entry is a command as lists have it.
type Entry struct {
	Command
	Call string // what is typed for it, without the slash: workspace:name where the name alone is not it
}

// New returns a registry of the chat's own commands. An error is a mistake in them: a
// name that is none, or one that two have.
func New(builtIn ...Command) (*Registry, error) {
	seen := map[string]bool{}
	for _, c := range builtIn {
		for _, name := range append([]string{c.Name}, c.Aliases...) {
			if !nameForm.MatchString(name) || seen[name] || c.Workspace != "" {
				return nil, fmt.Errorf("the built-in command %q is no command, or is there twice", name)
			}
			seen[name] = true
		}
	}
	if len(builtIn) == 0 {
		return nil, errors.New("there are no built-in commands")
	}
	return build(slices.Clone(builtIn), nil), nil
}

// With returns a registry with the same built-in commands and what was found in
// workspaces, in place of what it had of them.
func (r *Registry) With(found ...Found) *Registry { return build(r.builtIn, found) }

func build(builtIn []Command, found []Found) *Registry {
	r := &Registry{builtIn: builtIn, found: slices.Clone(found), byName: map[string][]Command{}}
	for _, c := range builtIn {
		r.entries = append(r.entries, Entry{c, c.Name})
		for _, name := range append([]string{c.Name}, c.Aliases...) {
			r.byName[name] = []Command{c}
		}
	}
	var custom []Command
	for _, f := range found {
		r.problems = append(r.problems, f.Problems...)
		custom = append(custom, f.Commands...)
	}
	for _, c := range custom {
		r.byName[c.Full()] = []Command{c}
		same := r.byName[c.Name]
		if len(same) > 0 && same[0].BuiltIn() {
			r.problems = append(r.problems, Problem{c.Workspace, c.Path, "/" + c.Name + " is built in; this one is /" + c.Full()})
			continue
		}
		r.byName[c.Name] = append(same, c)
	}
	for _, c := range custom {
		call := c.Full()
		if same := r.byName[c.Name]; len(same) == 1 && same[0].Full() == call {
			call = c.Name
		}
		r.entries = append(r.entries, Entry{c, call})
	}
	slices.SortStableFunc(r.entries[len(builtIn):], func(a, b Entry) int { return cmp.Compare(a.Call, b.Call) })
	return r
}

// Entries are all commands: the built-in ones as they were declared, then those of
// workspaces by what is typed for them. They are not to be changed.
func (r *Registry) Entries() []Entry { return r.entries }

// Problems are the files that are no commands, and the commands that have not the name
// that their files say, because it is taken.
func (r *Registry) Problems() []Problem { return r.problems }

// Found is what was found in a workspace, for Read.
func (r *Registry) Found(workspace string) Found {
	for _, f := range r.found {
		if f.Workspace == workspace {
			return f
		}
	}
	return Found{}
}

// Resolve returns the command of that name. The error says what was probably meant, or
// between which of several workspaces to choose.
func (r *Registry) Resolve(name string) (Command, error) {
	switch same := r.byName[name]; len(same) {
	case 1:
		return same[0], nil
	case 0:
		return Command{}, fault.New(fault.NotFound, "there is no command /"+name, r.meant(name))
	default:
		var full []string
		for _, c := range same {
			full = append(full, "/"+c.Full())
		}
		return Command{}, fault.New(fault.Conflict, fmt.Sprintf("/%s is a command of %d workspaces", name, len(same)), "write "+strings.Join(full, " or "))
	}
}

// meant is a hint for a name that is none.
func (r *Registry) meant(name string) string {
	const otherwise = "see all: /help; a message that begins with a space is no command"
	if near := r.Near(name); near != "" {
		return "did you mean /" + near + "? " + otherwise
	}
	return otherwise
}

// Near is the command that was probably meant by a name that is none; "": nobody knows.
func (r *Registry) Near(name string) string {
	var names []string
	for n, same := range r.byName {
		if len(same) == 1 {
			names = append(names, n)
		}
	}
	slices.Sort(names) // a map's order is not to decide
	return nearest.To(name, names)
}
