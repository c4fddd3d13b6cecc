package image

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/internal/textform"
)

var (
	pinned    = textform.Regexp(`@sha256:[0-9a-f]{64}$`)
	stageName = textform.Regexp(`^[A-Za-z][A-Za-z0-9_.-]*$`) // without a variable, which may become any name
	escapeBy  = textform.Regexp(`(?i)^#[ \t]*escape[ \t]*=[ \t]*([^\\ \t]|$)`)
	heredoc   = textform.Regexp(`<<-?["']?[A-Za-z0-9_]`)
	plainDoc  = textform.Regexp(`^[^<"'\\]*[ \t]<<(-?)([A-Za-z0-9_]+)(?:[ \t][^<"'\\]*)?$`)
)

// pins looks for the images that a Containerfile names. Engines differ in which
// lines they join, so every line is looked at as if an instruction began there;
// a stage counts only where one surely does.
type pins struct {
	path   string
	lines  []string
	names  map[string]int // of stages, to their numbers
	stages int
	inert  bool   // what follows may be the text of a heredoc
	until  string // the line that ends it; "": that is not sure
	tabs   bool   // which may begin with tabs
}

func checkPins(path, text string) error {
	c := &pins{path: path, lines: strings.Split(strings.TrimPrefix(text, "\ufeff"), "\n"), names: map[string]int{}}
	top, continued := true, false
	for i, line := range c.lines {
		word := strings.TrimSpace(line)
		if word == "" || word[0] == '#' { // neither ends what is continued
			if top && escapeBy.MatchString(word) {
				return fault.New(fault.Invalid, fmt.Sprintf("%s:%d: lines are continued by another character: %s", path, i+1, word), "continue lines with \\, and remove this one")
			}
			continue
		}
		top = false
		if c.ends(line) {
			continued = false
			continue
		}
		for _, indented := range []bool{true, false} {
			if err := c.instruction(i, c.joined(i, indented), !continued && indented); err != nil {
				return err
			}
		}
		c.begins(i, !continued)
		_, continued = continues(line)
	}
	return nil
}

// continues is a line without the character that continues it.
func continues(line string) (string, bool) {
	return strings.CutSuffix(strings.TrimRight(line, " \t\r"), "\\")
}

// joined is the line with those that continue it. Whether an indented comment
// among these is left out depends on the engine.
func (c *pins) joined(i int, indented bool) string {
	text, more := continues(c.lines[i])
	for i++; more && i < len(c.lines); i++ {
		line := c.lines[i]
		if strings.TrimSpace(line) == "" || line[0] == '#' || indented && strings.TrimSpace(line)[0] == '#' {
			continue
		}
		line, more = continues(line)
		text += line
	}
	return text
}

// instruction checks what may be an instruction; sure says that it is one.
func (c *pins) instruction(i int, text string, sure bool) error {
	word, rest := cutWord(text)
	for strings.EqualFold(word, "ONBUILD") {
		word, rest = cutWord(rest)
		sure = false
	}
	flags, rest := flagsOf(rest)
	switch strings.ToUpper(word) {
	case "FROM":
		args := strings.Fields(rest)
		if len(args) == 0 || args[0] != "scratch" && !c.stage(args[0], c.stages) && !pinned.MatchString(args[0]) {
			return c.refuse(i, "write FROM NAME@sha256:DIGEST, as podman image inspect NAME --format {{.Digest}} says")
		}
		if sure && !c.inert {
			if len(args) == 3 && strings.EqualFold(args[1], "AS") && stageName.MatchString(args[2]) && !c.stage(args[2], c.stages) {
				c.names[args[2]] = c.stages
			}
			c.stages++
		}
	case "COPY", "ADD", "RUN":
		for _, flag := range flags {
			if !c.flag(flag) {
				return c.refuse(i, "name a stage before it, or write NAME@sha256:DIGEST, as podman image inspect NAME --format {{.Digest}} says; a mount has no variables")
			}
		}
	}
	return nil
}

// begins notes a heredoc. Where more than one may have begun, or it is not sure
// what ends it, the rest of the file may be its text.
func (c *pins) begins(i int, sure bool) {
	text := c.joined(i, true)
	switch word, _ := cutWord(text); strings.ToUpper(word) {
	case "RUN", "COPY", "ADD", "ONBUILD":
	default:
		return
	}
	if !heredoc.MatchString(text) {
		return
	}
	m := plainDoc.FindStringSubmatch(strings.TrimSuffix(c.lines[i], "\r"))
	if c.until = ""; m != nil && sure && !c.inert {
		c.tabs, c.until = m[1] != "", m[2]
	}
	c.inert = true
}

// ends reports whether a line ends the heredoc.
func (c *pins) ends(line string) bool {
	if c.tabs {
		line = strings.TrimLeft(line, "\t")
	}
	if c.until == "" || line != c.until {
		return false
	}
	c.inert, c.until, c.tabs = false, "", false
	return true
}

// stage reports whether a stage before the given one has the name.
func (c *pins) stage(name string, before int) bool {
	n, ok := c.names[name]
	return ok && n < before
}

// flag reports whether what a flag names is a stage or pinned.
func (c *pins) flag(flag string) bool {
	name, value, _ := strings.Cut(flag, "=")
	switch strings.ToLower(name) {
	case "--from":
		return c.known(value)
	case "--mount":
		if strings.Contains(value, "$") { // it may become from=
			return false
		}
		for part := range strings.SplitSeq(strings.ReplaceAll(value, `"`, ""), ",") {
			key, from, _ := strings.Cut(part, "=")
			if strings.EqualFold(strings.TrimSpace(key), "from") && !c.known(strings.TrimSpace(from)) {
				return false
			}
		}
	}
	return true
}

// known reports whether a name is that of a stage before this one, or pinned: that
// of this one is an image's to engines.
func (c *pins) known(name string) bool {
	n, err := strconv.Atoi(name)
	return c.stage(name, c.stages-1) || pinned.MatchString(name) || err == nil && n >= 0 && n < c.stages-1
}

func (c *pins) refuse(i int, hint string) error {
	return fault.New(fault.Invalid, fmt.Sprintf("%s:%d: an image is not named by its digest: %s", c.path, i+1, strings.TrimSpace(c.lines[i])), hint)
}

const blanks = " \t\v\f\r"

func cutWord(s string) (word, rest string) {
	s = strings.TrimLeft(s, blanks)
	if n := strings.IndexAny(s, blanks); n >= 0 {
		return s[:n], s[n:]
	}
	return s, ""
}

// flagsOf reads the flags of an instruction as engines do: quotes and
// backslashes in them go.
func flagsOf(s string) (flags []string, rest string) {
	for {
		s = strings.TrimLeft(s, blanks)
		if !strings.HasPrefix(s, "--") {
			return flags, s
		}
		var flag strings.Builder
		var quote byte
		n := 0
		for ; n < len(s) && (quote != 0 || strings.IndexByte(blanks, s[n]) < 0); n++ {
			switch ch := s[n]; {
			case ch == '\\':
				if n++; n < len(s) {
					flag.WriteByte(s[n])
				}
			case quote == 0 && (ch == '"' || ch == '\''):
				quote = ch
			case ch == quote:
				quote = 0
			default:
				flag.WriteByte(ch)
			}
		}
		flags, s = append(flags, flag.String()), s[min(n, len(s)):]
	}
}
