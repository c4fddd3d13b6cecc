// Package textform says what texts look like, for the variables of packages: it
// costs a process nothing that never looks. Patterns that are compiled when a
// package is initialised made every start slower, of a worker and of
// git-remote-vexa, too.
package textform

import (
	"regexp"
	"strings"
	"sync"
)

// The letters of names.
const (
	Lower = "abcdefghijklmnopqrstuvwxyz"
	Upper = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	Digit = "0123456789"
	Hex   = Digit + "abcdef"
	Alnum = Upper + Lower + Digit
)

// Name is the form of a name: one of First, then any of Rest. Of either only
// ASCII counts.
type Name struct {
	First, Rest string
	Min, Max    int // bytes; Min 0 is 1
}

// MatchString reports whether a text has the form.
func (n Name) MatchString(s string) bool {
	if len(s) < max(n.Min, 1) || len(s) > n.Max || strings.IndexByte(n.First, s[0]) < 0 {
		return false
	}
	for i := 1; i < len(s); i++ {
		if strings.IndexByte(n.Rest, s[i]) < 0 {
			return false
		}
	}
	return true
}

// Pattern is a regular expression that is compiled when it is first used. It is
// safe for concurrent use. Its methods are those of [regexp.Regexp].
type Pattern struct {
	compiled func() *regexp.Regexp
}

// Regexp returns the pattern of an expression, whose first use panics where it
// is none.
func Regexp(expr string) *Pattern {
	return &Pattern{sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expr) })}
}

// MatchString is that of regexp.Regexp.
func (p *Pattern) MatchString(s string) bool { return p.compiled().MatchString(s) }

// FindStringSubmatch is that of regexp.Regexp.
func (p *Pattern) FindStringSubmatch(s string) []string { return p.compiled().FindStringSubmatch(s) }

// FindAllStringSubmatch is that of regexp.Regexp.
func (p *Pattern) FindAllStringSubmatch(s string, n int) [][]string {
	return p.compiled().FindAllStringSubmatch(s, n)
}

// ReplaceAllString is that of regexp.Regexp.
func (p *Pattern) ReplaceAllString(s, with string) string {
	return p.compiled().ReplaceAllString(s, with)
}

// ReplaceAllStringFunc is that of regexp.Regexp.
func (p *Pattern) ReplaceAllStringFunc(s string, fn func(string) string) string {
	return p.compiled().ReplaceAllStringFunc(s, fn)
}

// ReplaceAllLiteralString is that of regexp.Regexp.
func (p *Pattern) ReplaceAllLiteralString(s, with string) string {
	return p.compiled().ReplaceAllLiteralString(s, with)
}

// FindStringSubmatchIndex is that of regexp.Regexp.
func (p *Pattern) FindStringSubmatchIndex(s string) []int {
	return p.compiled().FindStringSubmatchIndex(s)
}
