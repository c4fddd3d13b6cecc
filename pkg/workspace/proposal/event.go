package proposal

import (
	"strings"
	"unicode"
)

// The events of a proposal's history.
const (
	Opened    = "opened"
	Commented = "commented"
	Resolved  = "resolved"
	Approved  = "approved"
	Rejected  = "rejected"
	Refreshed = "refreshed"
	Accepted  = "accepted"
	Obsoleted = "obsolete"
	Reopened  = "reopened"
)

// known are those events.
func known(kind string) bool {
	switch kind {
	case Opened, Commented, Resolved, Approved, Rejected, Refreshed, Accepted, Obsoleted, Reopened:
		return true
	default:
		return false
	}
}

// The trailers of its commits.
const (
	TrailerID    = "Vexa-Proposal"
	TrailerEvent = "Vexa-Event"
)

// SignatureNamespace is that of git's own signatures of commits (git-config(1),
// gpg.format).
const SignatureNamespace = "git"

// Trailer returns the value of a trailer of a commit message: a line of its last
// paragraph.
func Trailer(message, name string) string {
	paragraphs := strings.Split(strings.TrimSpace(message), "\n\n")
	for line := range strings.Lines(paragraphs[len(paragraphs)-1]) {
		if value, ok := strings.CutPrefix(line, name+": "); ok && len(paragraphs) > 1 {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// printable drops what a terminal could take for a command, and what cannot be
// seen.
func printable(r rune) rune {
	switch {
	case unicode.IsSpace(r):
		return ' '
	case unicode.IsPrint(r):
		return r
	default:
		return -1
	}
}
