// Package command knows what a message may begin with instead of words: slash
// commands, those that are built into the chat and those that a workspace brings as
// files.
//
// A workspace's command is .vexa/commands/NAME.md: a prompt, in which $ARGUMENTS and
// $1 to $9 are what was typed behind the name, and before it, if anything, a front
// matter with description and argument-hint. The files are foreign: names are checked,
// sizes bounded, what nobody would see is stripped, and none takes the place of a
// built-in command. What a person sends by one is what they are shown.
package command

import (
	"strings"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/internal/textform"
)

// Command is a command. Built-in ones have no Workspace.
type Command struct {
	Name      string   // without the slash
	Aliases   []string // other names of a built-in one
	Arguments string   // what may stand behind it, such as "[title]"
	Help      string   // what it does, on one line

	Workspace string // where it was found
	Path      string // its file there
	Template  string // its prompt
	sha       string // of the file
}

// BuiltIn reports whether the chat itself has the command.
func (c Command) BuiltIn() bool { return c.Workspace == "" }

// Full is the name by which the command is known whatever else there is:
// workspace:name, and of a built-in one its name.
func (c Command) Full() string {
	if c.BuiltIn() {
		return c.Name
	}
	return c.Workspace + separator + c.Name
}

// separator stands between a workspace and a command of it.
const separator = ":"

// The names of commands and, as the daemon has them, of workspaces.
var (
	nameForm      = textform.Name{First: textform.Lower + textform.Digit, Rest: textform.Lower + textform.Digit + "-_", Max: 40}
	workspaceForm = textform.Name{First: textform.Lower + textform.Digit, Rest: textform.Lower + textform.Digit + "._-", Max: 64}
)

// Call is a command as it was typed.
type Call struct {
	Name string // in small letters, without the slash; not known to exist
	Rest string // what stood behind it, without spaces around it
}

// Parse reads a message. It is false for one that is none of a command: it does not
// begin with a slash, or what stands behind it is no name, as in /etc/hosts.
func Parse(text string) (Call, bool) {
	text, ok := strings.CutPrefix(text, "/")
	if !ok {
		return Call{}, false
	}
	name, rest := text, ""
	if i := strings.IndexAny(text, " \t\n"); i >= 0 {
		name, rest = text[:i], strings.TrimSpace(text[i:])
	}
	name = strings.ToLower(name)
	bare := name
	if workspace, after, ok := strings.Cut(name, separator); ok {
		if !workspaceForm.MatchString(workspace) {
			return Call{}, false
		}
		bare = after
	}
	if !nameForm.MatchString(bare) {
		return Call{}, false
	}
	return Call{name, rest}, true
}

// Words returns what stood behind a command, word by word. A word that begins with a
// quote, single or double, ends at the next one; a backslash takes the next character
// as it is, but not within single quotes. A quote within a word is a letter.
func (c Call) Words() ([]string, error) {
	var words []string
	for rest := strings.TrimLeft(c.Rest, " \t\n"); rest != ""; rest = strings.TrimLeft(rest, " \t\n") {
		word, n := nextWord(rest)
		if n < 0 {
			return nil, fault.New(fault.Usage, "a quote is not closed behind /"+c.Name, `end it with ', or write \' for the character`)
		}
		words, rest = append(words, word), rest[n:]
	}
	return words, nil
}

// nextWord reads a word at the beginning of s, and how many bytes it takes there; -1
// where its quote does not end.
func nextWord(s string) (string, int) {
	var b strings.Builder
	quote := byte(0)
	i := 0
	if s[0] == '"' || s[0] == '\'' {
		quote, i = s[0], 1
	}
	for ; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\' && quote != '\'' && i+1 < len(s):
			i++
			b.WriteByte(s[i])
		case quote != 0 && c == quote:
			return b.String(), i + 1
		case quote == 0 && (c == ' ' || c == '\t' || c == '\n'):
			return b.String(), i
		default:
			b.WriteByte(c)
		}
	}
	if quote != 0 {
		return "", -1
	}
	return b.String(), i
}

// Expand returns the prompt of a workspace's command with what was typed in the places
// that are for it: $ARGUMENTS for all of it, $1 to $9 for a word, which is empty where
// there are fewer. What stands there is not expanded again. \$ is a dollar. A prompt
// without such a place has what was typed as its last paragraph.
//
// The prompt is the workspace's text. What it names of this machine's files is not
// attached: attach.Find is for what the person typed.
func (c Command) Expand(call Call) (string, error) {
	var b strings.Builder
	var words []string
	used, split := false, false
	for t := c.Template; t != ""; {
		before, after, found := strings.Cut(t, "$")
		if !found {
			b.WriteString(t)
			break
		}
		if escaped, ok := strings.CutSuffix(before, `\`); ok {
			b.WriteString(escaped + "$")
			t = after
			continue
		}
		b.WriteString(before)
		place, rest := placeAt(after)
		switch {
		case place < 0:
			b.WriteString("$")
		case place == 0:
			b.WriteString(call.Rest)
			used = true
		default:
			if !split {
				var err error
				if words, err = call.Words(); err != nil {
					return "", err
				}
				split = true
			}
			if place <= len(words) {
				b.WriteString(words[place-1])
			}
			used = true
		}
		t = rest
	}
	if !used && call.Rest != "" {
		return strings.TrimRight(b.String(), "\n") + "\n\n" + call.Rest, nil
	}
	return strings.TrimSpace(b.String()), nil
}

// placeAt says what stands behind a dollar: the number of a word, 0 for all of them, -1
// for nothing that is known, such as $10; and what follows.
func placeAt(s string) (int, string) {
	const all = "ARGUMENTS"
	if rest, ok := strings.CutPrefix(s, all); ok {
		return 0, rest
	}
	digit := func(i int) bool { return i < len(s) && s[i] >= '0' && s[i] <= '9' }
	if digit(0) && s[0] != '0' && !digit(1) {
		return int(s[0] - '0'), s[1:]
	}
	return -1, s
}
