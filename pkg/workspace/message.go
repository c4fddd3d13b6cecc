package workspace

import (
	"cmp"
	"strings"
	"unicode"

	"github.com/vexa-ai/vexa/pkg/workspace/object"
)

// The trailers of Vexa's commits.
const (
	trailerSubject  = "Vexa-Subject"
	trailerUnit     = "Vexa-Dispatch"
	trailerLauncher = "Vexa-Launcher"
	trailerRunner   = "Vexa-Runner"
	trailerSession  = "Vexa-Session"
	trailerTurn     = "Vexa-Turn"
	trailerUndo     = "Vexa-Undo"   // the id of a commit that was taken back
	trailerApproved = "Approved-by" // a member and the key that signed, of an accepted proposal
	trailerDepth    = "Vexa-Depth"  // how many commits the history of a private ref has
)

// maxSubject is the longest first line of a commit message, in characters.
const maxSubject = 100

// message is a commit message: one line, and the trailers that have a value.
type message struct {
	subject  string
	trailers [][2]string
}

// String renders the message. Foreign text gets into it only as one clean line,
// so that it can never pass for a trailer.
func (m message) String() string {
	var b strings.Builder
	b.WriteString(cmp.Or(oneLine(m.subject, maxSubject), "Turn"))
	b.WriteString("\n")
	sep := "\n"
	for _, t := range m.trailers {
		if v := oneLine(t[1], 256); v != "" {
			b.WriteString(sep + t[0] + ": " + v + "\n")
			sep = ""
		}
	}
	return b.String()
}

// oneLine returns the first line of s that is not blank, without anything
// unprintable, at most limit characters long.
func oneLine(s string, limit int) string {
	for line := range strings.Lines(s) {
		line = strings.Map(func(r rune) rune {
			switch {
			case unicode.IsSpace(r):
				return ' '
			case !unicode.IsPrint(r), r == unicode.ReplacementChar:
				return -1
			default:
				return r
			}
		}, line)
		line = strings.Join(strings.Fields(line), " ")
		if line == "" {
			continue
		}
		if r := []rune(line); len(r) > limit {
			line = strings.TrimSpace(string(r[:limit-1])) + "…"
		}
		return line
	}
	return ""
}

// commit returns the bytes of a commit: by the author, committed by Vexa, now.
func (s *Store) commit(by Author, root object.ID, parents []object.ID, msg message) []byte {
	now := s.opt.Now()
	subject := cmp.Or(by.Subject, "unknown")
	return object.Commit{
		Tree: root, Parents: parents,
		Author:    object.Signature{Name: cmp.Or(by.Name, subject), Email: cmp.Or(by.Email, subject+"@localhost"), Time: now},
		Committer: object.Signature{Name: CommitterName, Email: CommitterEmail, Time: now},
		Message:   msg.String(),
	}.Encode()
}
