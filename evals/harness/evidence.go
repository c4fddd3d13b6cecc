package harness

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// What is kept of what one command printed, in bytes: its beginning and its end.
const (
	keptHead = 12 << 10
	keptTail = 4 << 10
)

// shortened is a script's log in which no command says more than a person would read. A
// command is a line that begins with "> ", a comment one that begins with "# ".
func shortened(log string) string {
	var out strings.Builder
	begun := 0
	for at := 0; at < len(log); {
		next := len(log)
		if i := strings.IndexByte(log[at:], '\n'); i >= 0 {
			next = at + i + 1
		}
		line := log[at:next]
		if strings.HasPrefix(line, "> ") || strings.HasPrefix(line, "# ") {
			out.WriteString(short(log[begun:at]))
			out.WriteString(short(line))
			begun = next
		}
		at = next
	}
	out.WriteString(short(log[begun:]))
	return out.String()
}

// shownLines is how much of a failed script's log is shown: the report has all of it.
const shownLines = 60

// ending is a script's log from where its last section begins, or less where that is
// long. That a script fails in an earlier one does not happen: it ends there.
func ending(log string) string {
	log = strings.TrimRight(log, "\n")
	if i := strings.LastIndex(log, "\n# "); i >= 0 {
		log = log[i+1:]
	}
	lines := strings.Split(log, "\n")
	if left := len(lines) - shownLines; left > 0 {
		lines = append([]string{lines[0], "[…]"}, lines[left+1:]...)
	}
	return strings.Join(lines, "\n") + "\n"
}

// short is a text without its middle, where it is long.
func short(text string) string {
	if len(text) <= keptHead+keptTail {
		return text
	}
	head, tail := keptHead, len(text)-keptTail
	for head > 0 && !utf8.RuneStart(text[head]) {
		head--
	}
	for tail < len(text) && !utf8.RuneStart(text[tail]) {
		tail++
	}
	return fmt.Sprintf("%s\n[… %d bytes …]\n%s", text[:head], tail-head, text[tail:])
}
