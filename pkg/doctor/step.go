package doctor

import (
	"strings"
)

// Step is one change: a command, or new contents of a file of the user's.
type Step struct {
	Argv []string // the command
	Root bool     // it needs root
	User string   // as root: take it as this user

	Path    string   // the file, absolute; its directory is made
	Data    []byte   // its new contents
	Changes []string // what changes in it: lines that begin with + or -

	// MayFail says that the next steps make sense all the same.
	MayFail bool
}

// Line renders the step on one line.
func (s Step) Line() string {
	if s.Path != "" {
		return "write " + s.Path + ": " + strings.Join(s.Changes, "; ")
	}
	return quote(s.Argv)
}

// Text renders the step for a person who is asked about it.
func (s Step) Text() string {
	who := ""
	switch {
	case s.Root:
		who = "as root: "
	case s.User != "":
		who = "as " + s.User + ": "
	}
	if s.Path == "" {
		return who + "run " + quote(s.Argv)
	}
	return who + "write " + s.Path + "\n    " + strings.Join(s.Changes, "\n    ")
}

// quote renders a command so that a shell reads it as it is.
func quote(argv []string) string {
	words := make([]string, len(argv))
	for i, w := range argv {
		words[i] = w
		if w == "" || strings.ContainsAny(w, " \t\n'\"\\$`!*?[](){}<>|&;#~") {
			words[i] = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
		}
	}
	return strings.Join(words, " ")
}

// writeScript replaces the file $1 by stdin: written beside it, flushed,
// renamed. Run as the file's owner it follows no link that the owner could not.
const writeScript = `set -eu
umask 077
mkdir -p "$(dirname "$1")"
cat >"$1.vexa-new"
sync "$1.vexa-new"
mv "$1.vexa-new" "$1"`

// command returns what carries the step out.
func (s Step) command(asRoot, sudo bool) Command {
	c := Command{Argv: s.Argv}
	if s.Path != "" {
		c = Command{Argv: []string{"sh", "-c", writeScript, "sh", s.Path}, Stdin: s.Data}
		if s.Root { // a file of the machine's is readable by all
			c.Argv[2] = strings.Replace(writeScript, "077", "022", 1)
		}
	}
	switch {
	case asRoot && s.User != "":
		c.Argv = append([]string{"runuser", "-u", s.User, "--"}, c.Argv...)
	case !asRoot && s.Root && sudo:
		c.Argv = append([]string{"sudo"}, c.Argv...)
	}
	return c
}

// installStep installs Debian packages and nothing that they only recommend.
func installStep(packages []string) Step {
	return Step{
		Argv: append([]string{"env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "-y", "--no-install-recommends"}, packages...),
		Root: true,
	}
}

// updateStep fetches the package lists. Without a network the old ones do.
func updateStep() Step { return Step{Argv: []string{"apt-get", "update"}, Root: true, MayFail: true} }
