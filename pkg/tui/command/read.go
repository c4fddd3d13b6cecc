package command

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"path"
	"strings"
	"unicode/utf8"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/cli/plain"
)

// Dir is where a workspace has its commands.
const Dir = ".vexa/commands"

// Bounds of what a workspace brings. What is beyond them is not used, and said.
const (
	MaxCommands = 200
	MaxBytes    = 64 << 10 // of a file
	maxHelp     = 120      // characters, of what is shown
	maxHint     = 60
	maxProblems = 20
)

// Source has the files of workspaces, as they are committed. *client.Client is one.
type Source interface {
	Files(ctx context.Context, workspace, rev string) ([]api.FileEntry, error)
	File(ctx context.Context, workspace, rev, name string) (io.ReadCloser, error)
}

// Problem is a file that is no command, and why.
type Problem struct {
	Workspace, Path string
	Why             string // a sentence without its period
}

// String is the problem as a person reads it.
func (p Problem) String() string {
	return plain.Line(fmt.Sprintf("%s of %s: %s", p.Path, p.Workspace, p.Why))
}

// Found is what a workspace has. The zero value is nothing.
type Found struct {
	Workspace string
	Commands  []Command // by name
	Problems  []Problem
}

// Read reads the commands of a workspace. A file that did not change since before is
// not read again. An error is about the workspace; what is wrong with a file is in the
// result.
func Read(ctx context.Context, src Source, workspace string, before Found) (Found, error) {
	files, err := src.Files(ctx, workspace, "")
	if err != nil {
		return Found{}, err
	}
	known := map[string]Command{}
	for _, c := range before.Commands {
		if before.Workspace == workspace {
			known[c.Path] = c
		}
	}
	found, more := Found{Workspace: workspace}, 0
	for _, f := range files {
		name, ok := fileName(f.Path)
		if !ok {
			continue
		}
		c := Command{Name: name, Workspace: workspace, Path: f.Path, sha: f.SHA}
		why := check(f, name, len(found.Commands))
		if old, ok := known[f.Path]; why == "" && ok && old.sha == f.SHA {
			c = old
		} else if why == "" {
			text, err := content(ctx, src, workspace, f.Path)
			if err != nil {
				return Found{}, err
			}
			c, why = filled(c, text)
		}
		switch {
		case why == "":
			found.Commands = append(found.Commands, c)
		case len(found.Problems) < maxProblems:
			found.Problems = append(found.Problems, Problem{workspace, f.Path, why})
		default:
			more++
		}
	}
	if more > 0 {
		found.Problems = append(found.Problems, Problem{workspace, Dir, fmt.Sprintf("%d more files are no commands", more)})
	}
	return found, nil
}

// fileName is what a path calls a command. Folders are not looked into, and files that
// are no Markdown are somebody's notes.
func fileName(p string) (string, bool) {
	dir, file := path.Split(p)
	name, ok := strings.CutSuffix(file, ".md")
	return name, ok && dir == Dir+"/"
}

// check says what about a file keeps it from being a command; empty: nothing.
func check(f api.FileEntry, name string, before int) string {
	const symlink = "120000"
	switch {
	case !nameForm.MatchString(name):
		return "a command is called by small letters, digits, - and _, at most 40 of them"
	case f.Mode == symlink:
		return "it is a link"
	case f.Size > MaxBytes:
		return fmt.Sprintf("it has more than %d KiB", MaxBytes>>10)
	case before >= MaxCommands:
		return fmt.Sprintf("there are more than %d commands", MaxCommands)
	}
	return ""
}

// content reads a file, of which no more than what makes it too large.
func content(ctx context.Context, src Source, workspace, p string) ([]byte, error) {
	body, err := src.File(ctx, workspace, "", p)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	text, err := io.ReadAll(io.LimitReader(body, MaxBytes+1))
	if err != nil {
		return nil, fmt.Errorf("read %s of %s: %w", plain.Line(p), workspace, err)
	}
	return text, nil
}

// filled returns a command with what its file says, or what is wrong with that.
func filled(c Command, text []byte) (full Command, why string) {
	switch {
	case len(text) > MaxBytes: // a filter of git's may make it larger than its entry says
		return c, fmt.Sprintf("it has more than %d KiB", MaxBytes>>10)
	case !utf8.Valid(text) || bytes.IndexByte(text, 0) >= 0:
		return c, "it is no text"
	}
	front, body := splitFront(strings.ReplaceAll(string(text), "\r\n", "\n"))
	c.Help = plain.Short(front["description"], maxHelp)
	c.Arguments = plain.Short(front["argument-hint"], maxHint)
	c.Template = strings.TrimSpace(plain.Text(body))
	if c.Template == "" {
		return c, "it has no prompt"
	}
	if c.Help == "" {
		first, _, _ := strings.Cut(c.Template, "\n")
		c.Help = plain.Short(strings.TrimLeft(first, "# "), maxHelp)
	}
	return c, ""
}

// splitFront reads the front matter of a file and what follows it. Of YAML it knows
// what the two keys need, a text behind each on its line: hints are written [file]
// without quotes, which YAML takes for a list.
func splitFront(text string) (map[string]string, string) {
	const fence = "---\n"
	rest, ok := strings.CutPrefix(text, fence)
	if !ok {
		return nil, text
	}
	keys := map[string]string{}
	for line := range strings.Lines(rest) {
		rest = rest[len(line):]
		if strings.TrimRight(line, "\n") == "---" {
			return keys, rest
		}
		if key, value, ok := strings.Cut(line, ":"); ok {
			keys[key] = unquote(strings.TrimSpace(value))
		}
	}
	return nil, text // it does not end: a rule, not a front matter
}

func unquote(s string) string {
	for _, q := range []string{`"`, `'`} {
		if inner, ok := strings.CutPrefix(s, q); ok && strings.HasSuffix(inner, q) {
			return strings.TrimSuffix(inner, q)
		}
	}
	return s
}
