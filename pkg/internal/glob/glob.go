// Package glob matches slash-separated paths: a pattern is one of path.Match
// whose element "**" stands for any number of directories.
package glob

import (
	"path"
	"strings"
)

// Any reports whether name matches one of the patterns. A pattern that is
// malformed matches nothing.
func Any(patterns []string, name string) bool {
	elements := strings.Split(name, "/")
	for _, pattern := range patterns {
		if match(strings.Split(pattern, "/"), elements) {
			return true
		}
	}
	return false
}

// Check returns path.ErrBadPattern where an element of the pattern is malformed.
func Check(pattern string) error {
	for element := range strings.SplitSeq(pattern, "/") {
		if _, err := path.Match(element, ""); err != nil {
			return err
		}
	}
	return nil
}

func match(pattern, name []string) bool {
	for len(pattern) > 0 {
		if pattern[0] == "**" {
			for i := range len(name) + 1 {
				if match(pattern[1:], name[i:]) {
					return true
				}
			}
			return false
		}
		if len(name) == 0 {
			return false
		}
		if ok, err := path.Match(pattern[0], name[0]); err != nil || !ok {
			return false
		}
		pattern, name = pattern[1:], name[1:]
	}
	return len(name) == 0
}
