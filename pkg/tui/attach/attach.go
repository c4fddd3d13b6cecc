// Package attach puts files of this machine into a message: @/etc/hosts and
// @~/notes.txt, where @notes.txt is a file of a workspace, which the agent has.
//
// An agent sees no file of the host, so that what it is to read of one is in the message
// itself: text, bounded, in a fenced block with the file's name. What is no text or too
// much is refused, with how it gets into a workspace. A file is opened as what the person
// named: no link is followed, and nothing but a regular file is opened.
//
// Only what the person wrote attaches anything: Find is for their text, never for the
// prompt that a workspace's command makes of it, and Pasted takes the meaning from what
// they paste without having written it.
package attach

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/vexa-ai/vexa/pkg/cli/plain"
	"github.com/vexa-ai/vexa/pkg/tui/mention"
)

// Bounds of a message.
const (
	MaxFiles = 16
	MaxBytes = 256 << 10 // of a file
	MaxTotal = 960 << 10 // bytes, of all files; a message has room for 1 MiB
)

// File is what of a file is in a message.
type File struct {
	Name string // its last part, as it may be shown
	Text string
}

// Find returns the files of this machine that a text names, in order, each once: absolute
// or with ~ for the home, as they were written.
func Find(text string) []string {
	var out []string
	seen := map[string]bool{}
	for _, m := range mention.All(text) {
		if Local(m.Name) && !seen[m.Name] {
			seen[m.Name] = true
			out = append(out, m.Name)
		}
	}
	return out
}

// Local reports whether a mention is of a file of this machine.
func Local(name string) bool {
	return strings.HasPrefix(name, "/") || strings.HasPrefix(name, "~/")
}

// Compose returns a message with files behind it.
func Compose(message string, files []File) string {
	var b strings.Builder
	b.WriteString(strings.TrimRight(message, "\n"))
	for _, f := range files {
		b.WriteString("\n\n")
		b.WriteString(f.block())
	}
	return b.String()
}

// block is the file behind its name, between fences that are longer than any in it.
func (f File) block() string {
	fence := strings.Repeat("`", max(3, longest(f.Text, '`')+1))
	name := strings.ReplaceAll(plain.Short(f.Name, 100), "`", "'")
	text := f.Text
	if !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	return fmt.Sprintf("`%s`, a file that I attach (%d bytes):\n\n%s%s\n%s%s", name, len(f.Text), fence, language(f.Name), text, fence)
}

// language is what a block is marked with: the ending of the name, where it is one.
func language(name string) string {
	ext := strings.TrimPrefix(filepath.Ext(name), ".")
	for _, c := range ext {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') {
			return ""
		}
	}
	if len(ext) > 12 {
		return ""
	}
	return ext
}

// longest is how many of a character stand in a row at most.
func longest(s string, c byte) int {
	most, n := 0, 0
	for i := range len(s) {
		if s[i] == c {
			n++
			most = max(most, n)
		} else {
			n = 0
		}
	}
	return most
}
