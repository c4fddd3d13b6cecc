// Package diff renders unified diffs, as workspaces and proposals have them.
//
// A patch is foreign text: names and lines are what an agent wrote. It is read by
// the counts that its hunks begin with, so that a line of a file cannot pass for
// the beginning of another one, and whatever it holds, reading and rendering it
// fail at nothing. What is stripped from a line is said beside it: somebody may
// be about to approve it.
package diff

import (
	"strconv"
	"strings"

	"github.com/vexa-ai/vexa/pkg/cli/plain"
)

// Status is what happened to a file.
type Status string

// The ones there are.
const (
	Modified Status = "modified"
	Added    Status = "added"
	Deleted  Status = "deleted"
	Renamed  Status = "renamed"
	Copied   Status = "copied"
)

// File is what a patch does to one file.
type File struct {
	Old, New         string // its paths, as they are; foreign text
	Status           Status
	OldMode, NewMode string // where the mode changed
	Binary           bool
	Hunks            []Hunk
	Added, Removed   int // lines
}

// Hunk is a stretch of lines around changes.
type Hunk struct {
	Old, New int    // the numbers of its first lines
	Section  string // what the stretch is within, if the patch says so
	Lines    []Line
}

// Line is a line of a hunk.
type Line struct {
	Op    byte   // ' ', '+' or '-'
	Text  string // foreign text without its line feed
	NoEOL bool   // the file ends here, without a line feed
}

// Path is the file's path, or the one that it had.
func (f File) Path() string {
	if f.New != "" {
		return f.New
	}
	return f.Old
}

// shown is a path for the screen: one that holds what a screen must not get is
// quoted, so that it looks like no other.
func shown(path string) string {
	if plain.Line(path) == path {
		return path
	}
	return strconv.QuoteToASCII(path)
}

// Parse reads a patch. What belongs to no file is skipped.
func Parse(patch string) []File {
	p := parser{}
	for patch != "" {
		line, rest, _ := strings.Cut(patch, "\n")
		patch = rest
		p.line(line)
	}
	return p.files
}

// parser reads a patch line by line.
type parser struct {
	files    []File
	old, new int  // how many lines the hunk still has of each side
	inHunk   bool // a hunk was begun: what says that a line feed is missing may follow
}

func (p *parser) line(line string) {
	if p.old > 0 || p.new > 0 {
		if p.content(line) {
			return
		}
		p.old, p.new = 0, 0 // it was cut short
	}
	if strings.HasPrefix(line, "diff --git ") {
		p.files = append(p.files, File{Status: Modified})
		p.inHunk = false
		p.file().Old, p.file().New = gitPaths(line[len("diff --git "):])
		return
	}
	if p.inHunk && strings.HasPrefix(line, `\`) {
		p.noEOL()
		return
	}
	if strings.HasPrefix(line, "--- ") && (len(p.files) == 0 || len(p.file().Hunks) > 0) {
		p.files = append(p.files, File{Status: Modified}) // a patch that is not git's
		p.inHunk = false
	}
	if len(p.files) > 0 {
		p.header(line)
	}
}

func (p *parser) file() *File { return &p.files[len(p.files)-1] }

func (p *parser) hunk() *Hunk { return &p.file().Hunks[len(p.file().Hunks)-1] }

// content takes a line of the hunk, and reports whether it was one.
func (p *parser) content(line string) bool {
	op := byte(' ') // some tools drop the space of an empty line
	if line != "" {
		op, line = line[0], line[1:]
	}
	switch op {
	case ' ':
		p.old, p.new = p.old-1, p.new-1
	case '+':
		p.new--
		p.file().Added++
	case '-':
		p.old--
		p.file().Removed++
	case '\\':
		p.noEOL()
		return true
	default:
		return false
	}
	p.hunk().Lines = append(p.hunk().Lines, Line{Op: op, Text: line})
	return true
}

// noEOL is said of the line before.
func (p *parser) noEOL() {
	if lines := p.hunk().Lines; len(lines) > 0 {
		lines[len(lines)-1].NoEOL = true
	}
}

// header takes a line before or between hunks.
func (p *parser) header(line string) {
	f := p.file()
	word := func(prefix string) (string, bool) { return strings.CutPrefix(line, prefix) }
	if rest, ok := word("@@ "); ok {
		p.begin(rest)
	} else if mode, ok := word("old mode "); ok {
		f.OldMode = mode
	} else if mode, ok := word("new mode "); ok {
		f.NewMode = mode
	} else if _, ok := word("new file mode "); ok {
		f.Status, f.Old = Added, ""
	} else if _, ok := word("deleted file mode "); ok {
		f.Status, f.New = Deleted, ""
	} else if name, ok := word("rename from "); ok {
		f.Status, f.Old = Renamed, unquote(name)
	} else if name, ok := word("rename to "); ok {
		f.Status, f.New = Renamed, unquote(name)
	} else if name, ok := word("copy from "); ok {
		f.Status, f.Old = Copied, unquote(name)
	} else if name, ok := word("copy to "); ok {
		f.Status, f.New = Copied, unquote(name)
	} else if name, ok := word("--- "); ok && len(f.Hunks) == 0 {
		f.Old = side(name, "a/")
	} else if name, ok := word("+++ "); ok && len(f.Hunks) == 0 {
		f.New = side(name, "b/")
	} else if strings.HasPrefix(line, "Binary files ") || line == "GIT binary patch" {
		f.Binary = true
	}
	switch {
	case f.Old == "" && f.New != "":
		f.Status = Added
	case f.New == "" && f.Old != "":
		f.Status = Deleted
	}
}

// begin reads what a hunk begins with: -1,2 +3,4 @@ section.
func (p *parser) begin(rest string) {
	ranges, section, ok := strings.Cut(rest, " @@")
	old, after, both := strings.Cut(ranges, " ")
	if !ok || !both || !strings.HasPrefix(old, "-") || !strings.HasPrefix(after, "+") {
		return
	}
	oldStart, oldCount, ok1 := span(old[1:])
	newStart, newCount, ok2 := span(after[1:])
	if !ok1 || !ok2 {
		return
	}
	p.file().Hunks = append(p.file().Hunks, Hunk{Old: oldStart, New: newStart, Section: strings.TrimSpace(section)})
	p.old, p.new, p.inHunk = oldCount, newCount, true
}

// span reads a hunk's first line and number of lines.
func span(s string) (start, count int, ok bool) {
	first, n, both := strings.Cut(s, ",")
	start, err := strconv.Atoi(first)
	if count = 1; both && err == nil {
		count, err = strconv.Atoi(n)
	}
	const most = 1 << 30
	return start, count, err == nil && start >= 0 && count >= 0 && start < most && count < most
}

// side is the path after --- or +++; none is empty.
func side(name, prefix string) string {
	name, _, _ = strings.Cut(name, "\t")
	if name = unquote(name); name == "/dev/null" {
		return ""
	}
	return strings.TrimPrefix(name, prefix)
}

// gitPaths reads the two paths of a git header. They are known for certain
// where they are quoted or the same; what follows says the others.
func gitPaths(s string) (before, after string) {
	if strings.HasPrefix(s, `"`) {
		if end := closing(s); end > 0 && end+1 < len(s) {
			return side(s[:end], "a/"), side(s[end+1:], "b/")
		}
	}
	half := len(s) / 2
	if len(s)%2 == 1 && s[half] == ' ' && strings.TrimPrefix(s[:half], "a/") == strings.TrimPrefix(s[half+1:], "b/") {
		return side(s[:half], "a/"), side(s[half+1:], "b/")
	}
	before, after, _ = strings.Cut(s, " b/")
	return side(before, "a/"), side(after, "b/")
}

// closing is where the quoted string that s begins with has ended.
func closing(s string) int {
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return 0
}

// unquote reads a path as git quotes it.
func unquote(s string) string {
	if len(s) < 2 || s[0] != '"' || s[len(s)-1] != '"' {
		return s
	}
	var b strings.Builder
	for s = s[1 : len(s)-1]; s != ""; {
		if s[0] != '\\' || len(s) == 1 {
			b.WriteByte(s[0])
			s = s[1:]
			continue
		}
		if n, err := strconv.ParseUint(s[1:min(4, len(s))], 8, 8); err == nil && len(s) >= 4 {
			b.WriteByte(byte(n))
			s = s[4:]
			continue
		}
		c := s[1]
		if i := strings.IndexByte("abtnvfr", c); i >= 0 {
			c = "\a\b\t\n\v\f\r"[i]
		}
		b.WriteByte(c)
		s = s[2:]
	}
	return b.String()
}
