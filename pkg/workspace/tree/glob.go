package tree

import (
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"
)

// Glob matches slash-separated paths as git's patterns do: "*" and "?" stay
// within a name, "**" between slashes spans directories, "[a-z]" is a class, a
// backslash takes the meaning from what follows. As in git a character is a
// byte. It takes time linear in the path, whatever the pattern.
type Glob struct{ re *regexp.Regexp }

// maxGlob is the longest pattern that is looked at, in bytes.
const maxGlob = 1024

// ParseGlob compiles a pattern.
func ParseGlob(pattern string) (Glob, error) {
	if len(pattern) > maxGlob {
		return Glob{}, fmt.Errorf("a pattern is longer than %d bytes", maxGlob)
	}
	expr, err := globExpr(pattern)
	if err != nil {
		return Glob{}, err
	}
	re, err := regexp.Compile(`\A(?s:` + expr + `)\z`)
	if err != nil {
		return Glob{}, fmt.Errorf("pattern %q: %w", pattern, err)
	}
	return Glob{re}, nil
}

// Match reports whether the whole path matches.
func (g Glob) Match(path string) bool { return g.re != nil && g.re.MatchString(bytewise(path)) }

// bytewise makes each byte a character of its own.
func bytewise(s string) string {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			r := make([]rune, len(s))
			for j := range len(s) {
				r[j] = rune(s[j])
			}
			return string(r)
		}
	}
	return s
}

func quoteByte(c byte) string { return regexp.QuoteMeta(string(rune(c))) }

// globExpr translates a pattern to a regular expression.
func globExpr(p string) (string, error) {
	var b strings.Builder
	start := true // at the start of the pattern or after a slash
	for len(p) > 0 {
		n := 1
		switch c := p[0]; c {
		case '*':
			n = len(p) - len(strings.TrimLeft(p, "*"))
			switch {
			case n > 1 && start && n == len(p):
				b.WriteString(`.*`)
			case n > 1 && start && p[n] == '/':
				b.WriteString(`(?:.*/)?`)
				n++
				p, start = p[n:], true
				continue
			default:
				b.WriteString(`[^/]*`)
			}
		case '?':
			b.WriteString(`[^/]`)
		case '[':
			class, m, err := globClass(p)
			if err != nil {
				return "", err
			}
			b.WriteString(class)
			n = m
		case '\\':
			if len(p) == 1 {
				return "", fmt.Errorf("a pattern ends in a backslash")
			}
			n = 2
			b.WriteString(quoteByte(p[1]))
		default:
			b.WriteString(quoteByte(c))
		}
		start = p[0] == '/'
		p = p[min(n, len(p)):]
	}
	return b.String(), nil
}

// globClass translates a bracket expression at the start of p and returns its
// length.
func globClass(p string) (string, int, error) {
	open := fmt.Errorf("a pattern has an open bracket")
	i := 1
	var b strings.Builder
	negated := i < len(p) && (p[i] == '!' || p[i] == '^')
	if negated {
		i++
	}
	for first := true; ; first = false {
		if i >= len(p) {
			return "", 0, open
		}
		switch {
		case p[i] == ']' && !first:
			set := b.String()
			if negated {
				return `[^/` + set + `]`, i + 1, nil
			}
			return `[` + set + `]`, i + 1, nil
		case strings.HasPrefix(p[i:], "[:"):
			end := strings.Index(p[i:], ":]")
			if end < 0 {
				return "", 0, open
			}
			b.WriteString(p[i : i+end+2])
			i += end + 2
		default:
			lo, n := globChar(p[i:])
			i += n
			b.WriteString(quoteInClass(lo))
			if i+1 < len(p) && p[i] == '-' && p[i+1] != ']' {
				hi, m := globChar(p[i+1:])
				b.WriteString("-" + quoteInClass(hi))
				i += 1 + m
			}
		}
	}
}

// globChar reads one character of a class, unescaped, and its length.
func globChar(p string) (byte, int) {
	if p[0] == '\\' && len(p) > 1 {
		return p[1], 2
	}
	return p[0], 1
}

func quoteInClass(c byte) string { return fmt.Sprintf(`\x{%x}`, c) }
