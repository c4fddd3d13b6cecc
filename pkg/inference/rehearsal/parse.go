package rehearsal

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/internal/textform"
)

// Limits of a cassette.
const (
	maxCassette = 4 << 20 // bytes
	maxDelay    = time.Minute
)

// Match says which requests a turn answers. What is set must all fit.
type Match struct {
	Always     bool
	First      *bool          // whether the request holds only one user message
	User       *regexp.Regexp // on the latest user message
	ToolResult *regexp.Regexp // on the tool result that came after it; without one, none may have come
}

// SyntaxError is what is wrong with a cassette.
type SyntaxError struct {
	File string
	Line int // from 1; 0 where it is the file as a whole
	Msg  string
}

// Error reads "file:line: message".
func (e *SyntaxError) Error() string {
	if e.Line == 0 {
		return e.File + ": " + e.Msg
	}
	return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Msg)
}

// Parse reads a cassette strictly: an unknown key, a template that can never be
// filled and a pattern that does not compile are errors that name their line.
// The error is a *SyntaxError, wrapped as fault.Invalid. File is used in
// messages only; name is what answers call the cassette where it has no name
// of its own.
func Parse(file, name string, data []byte) (*Cassette, error) {
	c, err := (&parser{name: name}).parse(data)
	if err == nil {
		return c, nil
	}
	var syntax *SyntaxError
	if !errors.As(err, &syntax) {
		syntax = &SyntaxError{Msg: err.Error()}
	}
	syntax.File = file
	return nil, fault.Wrap(fault.Invalid, "cassette", syntax)
}

type parser struct{ name string }

func fail(n *yaml.Node, format string, args ...any) error {
	return &SyntaxError{Line: n.Line, Msg: fmt.Sprintf(format, args...)}
}

var namePattern = textform.Name{First: textform.Alnum, Rest: textform.Alnum + "._-", Max: 64}

func (p *parser) parse(data []byte) (*Cassette, error) {
	if len(data) > maxCassette {
		return nil, fmt.Errorf("is larger than %d bytes", maxCassette)
	}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc yaml.Node
	if err := dec.Decode(&doc); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, errors.New("is empty")
		}
		return nil, errors.New(strings.TrimPrefix(err.Error(), "yaml: "))
	}
	if err := dec.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, errors.New("holds more than one document")
	}
	if err := noAliases(&doc); err != nil {
		return nil, err
	}
	root, err := mapping(doc.Content[0], "version", "name", "turns")
	if err != nil {
		return nil, err
	}
	if root["version"] == nil || root["version"].Value != "1" {
		return nil, fail(doc.Content[0], "needs version: 1")
	}
	c := &Cassette{Name: p.name}
	if n := root["name"]; n != nil {
		c.Name = n.Value
	}
	if !namePattern.MatchString(c.Name) {
		return nil, fail(doc.Content[0], "%q is not a cassette's name: use letters, digits, dots and dashes", c.Name)
	}
	turns := root["turns"]
	if turns == nil || turns.Kind != yaml.SequenceNode || len(turns.Content) == 0 {
		return nil, fail(doc.Content[0], "needs turns, a list of at least one")
	}
	for _, n := range turns.Content {
		turn, err := parseTurn(n)
		if err != nil {
			return nil, err
		}
		c.Turns = append(c.Turns, turn)
	}
	return c, nil
}

func noAliases(n *yaml.Node) error {
	if n.Kind == yaml.AliasNode || n.Anchor != "" {
		return fail(n, "anchors and aliases are not allowed")
	}
	for _, c := range n.Content {
		if err := noAliases(c); err != nil {
			return err
		}
	}
	return nil
}

// mapping returns the members of a mapping whose keys are all among known.
func mapping(n *yaml.Node, known ...string) (map[string]*yaml.Node, error) {
	if n.Kind != yaml.MappingNode {
		return nil, fail(n, "should be a mapping of %s", strings.Join(known, ", "))
	}
	out := map[string]*yaml.Node{}
	for i := 0; i < len(n.Content); i += 2 {
		key := n.Content[i]
		if !slices.Contains(known, key.Value) {
			return nil, fail(key, "unknown key %q; known here: %s", key.Value, strings.Join(known, ", "))
		}
		if out[key.Value] != nil {
			return nil, fail(key, "%q stands twice", key.Value)
		}
		out[key.Value] = n.Content[i+1]
	}
	return out, nil
}

func parseTurn(n *yaml.Node) (Turn, error) {
	t := Turn{Line: n.Line}
	m, err := mapping(n, "match", "reply", "usage")
	if err != nil {
		return t, err
	}
	if m["match"] == nil || m["reply"] == nil {
		return t, fail(n, "a turn needs match and reply")
	}
	if t.Match, err = parseMatch(m["match"]); err != nil {
		return t, err
	}
	if m["reply"].Kind != yaml.SequenceNode || len(m["reply"].Content) == 0 {
		return t, fail(m["reply"], "reply should be a list of at least one of text, tool, delay and error")
	}
	for _, s := range m["reply"].Content {
		step, err := parseStep(s, t.Match)
		if err != nil {
			return t, err
		}
		if len(t.Reply) > 0 && t.Reply[len(t.Reply)-1].Error != nil {
			return t, fail(s, "nothing follows an error")
		}
		t.Reply = append(t.Reply, step)
	}
	if m["usage"] != nil {
		t.Usage, err = parseUsage(m["usage"])
	}
	return t, err
}

func parseMatch(n *yaml.Node) (Match, error) {
	var out Match
	if n.Kind == yaml.ScalarNode && n.Value == "always" {
		return Match{Always: true}, nil
	}
	m, err := mapping(n, "user", "toolResult", "first", "always")
	if err != nil {
		return out, err
	}
	if v := m["always"]; v != nil {
		if err := v.Decode(&out.Always); err != nil || !out.Always || len(m) > 1 {
			return out, fail(v, "always should be true and stand alone")
		}
		return out, nil
	}
	if v := m["first"]; v != nil {
		if err := v.Decode(&out.First); err != nil {
			return out, fail(v, "first should be true or false")
		}
	}
	if out.User, err = pattern(m["user"]); err != nil {
		return out, err
	}
	if out.ToolResult, err = pattern(m["toolResult"]); err != nil {
		return out, err
	}
	if out.User == nil && out.ToolResult == nil {
		return out, fail(n, "match needs user, toolResult or always")
	}
	return out, nil
}

func pattern(n *yaml.Node) (*regexp.Regexp, error) {
	if n == nil {
		return nil, nil
	}
	if n.Kind != yaml.ScalarNode {
		return nil, fail(n, "should be a regular expression")
	}
	re, err := regexp.Compile(n.Value)
	if err != nil {
		return nil, fail(n, "%s", strings.TrimPrefix(err.Error(), "error parsing regexp: "))
	}
	return re, nil
}

func parseStep(n *yaml.Node, match Match) (Step, error) {
	var s Step
	m, err := mapping(n, "text", "tool", "delay", "error")
	if err != nil {
		return s, err
	}
	if len(m) != 1 {
		return s, fail(n, "needs exactly one of text, tool, delay and error")
	}
	switch {
	case m["text"] != nil:
		s.Text, err = text(m["text"], match)
	case m["tool"] != nil:
		s.Tool, err = parseTool(m["tool"], match)
	case m["delay"] != nil:
		s.Delay, err = time.ParseDuration(m["delay"].Value)
		if err != nil || s.Delay <= 0 || s.Delay > maxDelay {
			err = fail(m["delay"], "delay should be a duration up to %s, for example 50ms", maxDelay)
		}
	default:
		s.Error, err = parseError(m["error"], match)
	}
	return s, err
}

// text returns a non-empty string whose template can be filled under match.
func text(n *yaml.Node, match Match) (string, error) {
	if n.Kind != yaml.ScalarNode || n.Value == "" {
		return "", fail(n, "should be a text")
	}
	if err := checkTemplate(n.Value, match); err != nil {
		return "", fail(n, "%s", err)
	}
	return n.Value, nil
}

func parseTool(n *yaml.Node, match Match) (*Tool, error) {
	m, err := mapping(n, "name", "arguments")
	if err != nil {
		return nil, err
	}
	t := &Tool{Arguments: map[string]any{}}
	switch name := m["name"]; {
	case name == nil:
	case name.Kind == yaml.ScalarNode:
		t.Names = []string{name.Value}
	case name.Kind == yaml.SequenceNode:
		for _, c := range name.Content {
			t.Names = append(t.Names, c.Value)
		}
	}
	if len(t.Names) == 0 || slices.Contains(t.Names, "") {
		return nil, fail(n, "a tool needs a name or a list of names")
	}
	if args := m["arguments"]; args != nil {
		if err := args.Decode(&t.Arguments); err != nil {
			return nil, fail(args, "arguments should be a mapping")
		}
		return t, checkArguments(args, match)
	}
	return t, nil
}

func checkArguments(n *yaml.Node, match Match) error {
	if n.Kind == yaml.ScalarNode {
		if err := checkTemplate(n.Value, match); err != nil {
			return fail(n, "%s", err)
		}
	}
	for _, c := range n.Content {
		if err := checkArguments(c, match); err != nil {
			return err
		}
	}
	return nil
}

func parseError(n *yaml.Node, match Match) (*Error, error) {
	m, err := mapping(n, "status", "message")
	if err != nil {
		return nil, err
	}
	e := &Error{Status: 500, Message: "rehearsed error"}
	if v := m["status"]; v != nil {
		if err := v.Decode(&e.Status); err != nil || e.Status < 400 || e.Status > 599 {
			return nil, fail(v, "status should be from 400 to 599")
		}
	}
	if v := m["message"]; v != nil {
		e.Message, err = text(v, match)
	}
	return e, err
}

func parseUsage(n *yaml.Node) (*Usage, error) {
	m, err := mapping(n, "input", "output")
	if err != nil {
		return nil, err
	}
	u := &Usage{}
	for name, dst := range map[string]*int{"input": &u.Input, "output": &u.Output} {
		if v := m[name]; v != nil {
			if err := v.Decode(dst); err != nil || *dst < 0 {
				return nil, fail(v, "%s should be a number of tokens", name)
			}
		}
	}
	return u, nil
}
