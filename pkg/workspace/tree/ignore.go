package tree

import (
	"io"
	"strings"

	"golang.org/x/sys/unix"
)

// maxIgnore is the largest .gitignore that is looked at, in bytes; git's own
// cap is 100 MiB, which no honest file comes near.
const maxIgnore = 1 << 20

// rules are the patterns of one .gitignore, in the file's order.
type rules struct{ list []rule }

type rule struct {
	glob    Glob
	keep    bool // "!": re-includes
	dirOnly bool // "/" at the end
	base    bool // no other slash: matches the last name at any depth
}

// parseRules reads a .gitignore. Lines that are no pattern are skipped, as git
// skips them.
func parseRules(text string) *rules {
	rs := &rules{}
	text = strings.TrimPrefix(text, "\ufeff")
	for line := range strings.SplitSeq(text, "\n") {
		if r, ok := parseRule(trimSpaces(strings.TrimSuffix(line, "\r"))); ok {
			rs.list = append(rs.list, r)
		}
	}
	return rs
}

// trimSpaces drops final spaces that no backslash protects.
func trimSpaces(line string) string {
	end := 0
	for i := 0; i < len(line); i++ {
		switch {
		case line[i] == '\\' && i+1 < len(line):
			i++
			end = i + 1
		case line[i] != ' ':
			end = i + 1
		}
	}
	return line[:end]
}

func parseRule(p string) (r rule, ok bool) {
	if strings.HasPrefix(p, "#") {
		return r, false
	}
	p, r.keep = strings.CutPrefix(p, "!")
	p, r.dirOnly = strings.CutSuffix(p, "/")
	r.base = !strings.Contains(p, "/")
	p = strings.TrimPrefix(p, "/")
	if p == "" {
		return r, false
	}
	g, err := ParseGlob(p)
	r.glob = g
	return r, err == nil
}

// match returns the last rule's verdict on a path relative to the rules'
// directory; found is false where no rule matches.
func (rs *rules) match(path string, dir bool) (ignored, found bool) {
	base := path[strings.LastIndexByte(path, '/')+1:]
	for i := len(rs.list) - 1; i >= 0; i-- {
		r := &rs.list[i]
		if r.dirOnly && !dir {
			continue
		}
		subject := path
		if r.base {
			subject = base
		}
		if r.glob.Match(subject) {
			return !r.keep, true
		}
	}
	return false, false
}

// isIgnored reports whether a new name in the directory is left out.
func (w *walker) isIgnored(at *level, name string, dir bool) bool {
	if at.up != nil {
		if at.out == nil {
			out := w.isIgnored(at.up, at.name, true)
			at.out = &out
		}
		if *at.out {
			return true // nothing in it can be re-included
		}
	}
	path := name
	for l := at; l != nil; l = l.up {
		if l.rules == nil {
			l.rules = readRules(l.fd)
		}
		if ignored, found := l.rules.match(path, dir); found {
			return ignored
		}
		path = l.name + "/" + path
	}
	return false
}

// readRules reads the .gitignore of an open directory, where it has one that
// is a regular file of a sensible size.
func readRules(dir int) *rules {
	fd, err := openFile(dir, ".gitignore")
	if err != nil {
		return &rules{}
	}
	defer unix.Close(fd) //nolint:errcheck // it was only read
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil || st.Mode&unix.S_IFMT != unix.S_IFREG || st.Size > maxIgnore {
		return &rules{}
	}
	text, err := io.ReadAll(io.LimitReader(file(fd), maxIgnore))
	if err != nil {
		return &rules{}
	}
	return parseRules(string(text))
}
