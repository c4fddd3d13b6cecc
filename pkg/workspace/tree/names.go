package tree

import (
	"bytes"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// Escape makes a path printable on one line: what is not printable, and every
// byte that is not UTF-8, becomes a Go escape.
func Escape(path string) string {
	q := strconv.Quote(path)
	return strings.ReplaceAll(q[1:len(q)-1], `\"`, `"`)
}

// IsGitDir reports whether a file system somewhere (HFS+, NTFS, any that
// ignores case) would take name for ".git".
func IsGitDir(name string) bool {
	return gitAlike(name, ".git", "git~1")
}

// isGitmodules reports the same for ".gitmodules".
func isGitmodules(name string) bool {
	return gitAlike(name, ".gitmodules", "gitmod~1") || shortName(name, "gitmod~", "gi7eba~")
}

// isGitattributes reports the same for ".gitattributes".
func isGitattributes(name string) bool {
	return gitAlike(name, ".gitattributes", "gitatt~1") || shortName(name, "gitatt~", "gi7d29~")
}

// shortName reports whether the name is one of two prefixes and a digit, as NTFS
// makes them of long names.
func shortName(name, one, other string) bool {
	short := strings.ToLower(ntfsBase(name))
	return len(short) == 8 && (strings.HasPrefix(short, one) || strings.HasPrefix(short, other)) && digit(short[7])
}

// checkAttributes says why a .gitattributes is refused: git's own check of a
// repository fails where one is too large or has a line of more than 2,048 bytes.
func checkAttributes(text []byte) string {
	for line := range bytes.Lines(text) {
		if len(line) > maxAttributeLine {
			return "it has a line that is longer than Git reads"
		}
	}
	return ""
}

const maxAttributeLine = 2048

func digit(c byte) bool { return c >= '0' && c <= '9' }

// gitAlike compares name, and each part of it that a backslash begins, with
// word and the short NTFS form, as the file systems would.
func gitAlike(name, word, short string) bool {
	if !strings.ContainsAny(name, ".gG") && !hasIgnorable(name) {
		return false
	}
	for part := range strings.SplitSeq(name, `\`) {
		base := ntfsBase(part)
		if strings.EqualFold(base, word) || strings.EqualFold(base, short) {
			return true
		}
		if strings.EqualFold(strings.Map(dropIgnorable, part), word) {
			return true
		}
	}
	return false
}

// ntfsBase is the name without what NTFS drops: a stream, and final spaces and
// dots.
func ntfsBase(name string) string {
	name, _, _ = strings.Cut(name, ":")
	return strings.TrimRight(name, " .")
}

// ignorable reports the code points that HFS+ ignores in names.
func ignorable(r rune) bool {
	switch {
	case r >= 0x200c && r <= 0x200f, r >= 0x202a && r <= 0x202e, r >= 0x206a && r <= 0x206f, r == 0xfeff:
		return true
	default:
		return false
	}
}

func dropIgnorable(r rune) rune {
	if ignorable(r) {
		return -1
	}
	return r
}

func hasIgnorable(s string) bool { return strings.ContainsFunc(s, ignorable) }

// checkName says why a new name cannot be committed; empty where it can.
func checkName(name string) string {
	switch {
	case !utf8.ValidString(name):
		return "its name is not valid UTF-8"
	case isGitmodules(name):
		return "Git submodules are not supported in a workspace"
	default:
		return ""
	}
}

// ValidName reports whether a name from a commit may be written to a directory.
func ValidName(name string) bool {
	return name != "" && name != "." && name != ".." && !strings.ContainsAny(name, "/\x00") && len(name) <= 255 && !IsGitDir(name)
}

// fold maps names that some file system would take for each other to the same
// string: composed, and with case folded.
func fold(name string) string {
	ascii := true
	for i := range len(name) {
		if name[i] >= utf8.RuneSelf {
			ascii = false
			break
		}
	}
	if ascii {
		return strings.ToLower(name)
	}
	return norm.NFC.String(cases.Fold().String(norm.NFC.String(name)))
}

// checkLink says why a symbolic link is refused; empty where it stays inside.
// depth is the number of directories between the root and the link.
func checkLink(target string, depth int) string {
	const leaves = "the link leaves the workspace"
	switch {
	case target == "":
		return "the link is empty"
	case strings.HasPrefix(target, "/"):
		return "the link is absolute"
	case !utf8.ValidString(target):
		return "the link's text is not valid UTF-8"
	}
	climbing := true
	for part := range strings.SplitSeq(target, "/") {
		switch {
		case part == "" || part == ".":
		case part == "..":
			if !climbing {
				return "the link climbs after it descends, so that it may leave the workspace"
			}
			if depth--; depth < 0 {
				return leaves
			}
		case IsGitDir(part):
			return "the link points into a Git directory"
		default:
			climbing = false
		}
	}
	return ""
}
