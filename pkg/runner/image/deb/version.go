package deb

import (
	"cmp"
	"strings"
)

// Compare orders two versions as dpkg does (deb-version(7)): -1, 0 or 1.
func Compare(a, b string) int {
	ae, au, ar := split(a)
	be, bu, br := split(b)
	return cmp.Or(part(ae, be), part(au, bu), part(ar, br))
}

// split takes a version apart: [epoch:]upstream[-revision].
func split(v string) (epoch, upstream, revision string) {
	epoch, rest, ok := strings.Cut(v, ":")
	if !ok {
		epoch, rest = "0", v
	}
	if i := strings.LastIndexByte(rest, '-'); i >= 0 {
		return epoch, rest[:i], rest[i+1:]
	}
	return epoch, rest, ""
}

// part compares alternating runs of non-digits and digits.
func part(a, b string) int {
	for a != "" || b != "" {
		for a != "" && !digit(a[0]) || b != "" && !digit(b[0]) {
			if c := cmp.Compare(order(a), order(b)); c != 0 {
				return c
			}
			a, b = a[min(1, len(a)):], b[min(1, len(b)):]
		}
		an, bn := number(a), number(b)
		x, y := strings.TrimLeft(a[:an], "0"), strings.TrimLeft(b[:bn], "0")
		if c := cmp.Or(cmp.Compare(len(x), len(y)), strings.Compare(x, y)); c != 0 {
			return c
		}
		a, b = a[an:], b[bn:]
	}
	return 0
}

func digit(c byte) bool { return '0' <= c && c <= '9' }

// number is the length of the digits that s begins with.
func number(s string) int { return len(s) - len(strings.TrimLeft(s, "0123456789")) }

// order is the rank of the first character: a tilde comes before the end, which
// comes before letters, which come before everything else.
func order(s string) int {
	switch {
	case s == "" || digit(s[0]):
		return 0
	case s[0] == '~':
		return -1
	case 'A' <= s[0] && s[0] <= 'Z' || 'a' <= s[0] && s[0] <= 'z':
		return int(s[0])
	default:
		return int(s[0]) + 256
	}
}
