// Package proposal is what merge proposals are made of: the files of one, the
// events of its history, and the approvals that people sign.
//
// A proposal is read from commits that any member may have written, so that
// everything is held to proposal.v1 when it is read, and nobody is believed to have
// said something who did not sign it.
package proposal

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/vexa-ai/vexa/pkg/contract"
	"github.com/vexa-ai/vexa/pkg/contract/proposalv1"
	"github.com/vexa-ai/vexa/pkg/fault"
)

// Space is where proposals are: each is a ref of that prefix and its id.
const Space = "refs/vexa/proposals/"

// The files of a proposal.
const (
	TextFile      = "proposal.md"
	ConflictsFile = "conflicts.json"
	ResultDir     = "result"
	ReviewDir     = "review"
	ApprovalsDir  = "approvals"
)

// The most that is read of a proposal, in bytes and files.
const (
	MaxText      = 1 << 20
	MaxConflicts = 64 << 20
	MaxComment   = 1 << 20
	MaxComments  = 10_000
	MaxApprovals = 4096
)

// maxTitle is the longest title, in characters.
const maxTitle = 200

// Ref returns the ref of a proposal.
func Ref(id string) string { return Space + id }

const fence = "---\n"

// EncodeText writes proposal.md: the proposal as frontmatter whose values are
// JSON, in the order of their names, and what there is to say about it.
func EncodeText(p proposalv1.Proposal, body string) ([]byte, error) {
	data, err := json.Marshal(p)
	if err != nil {
		return nil, err
	}
	if err := contract.Validate("proposal.v1#Proposal", data); err != nil {
		return nil, err
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(data, &fields); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	b.WriteString(fence)
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		b.WriteString(name + ": ")
		b.Write(fields[name])
		b.WriteByte('\n')
	}
	b.WriteString(fence)
	if body = strings.TrimSpace(body); body != "" {
		b.WriteString("\n" + body + "\n")
	}
	if b.Len() > MaxText {
		return nil, fault.New(fault.Invalid, "what is said of a proposal is longer than "+strconv.Itoa(MaxText)+" bytes", "")
	}
	return b.Bytes(), nil
}

// DecodeText reads what EncodeText wrote.
func DecodeText(data []byte) (p proposalv1.Proposal, body string, err error) {
	rest, ok := bytes.CutPrefix(data, []byte(fence))
	front, text, ended := bytes.Cut(rest, []byte("\n"+fence))
	if !ok || !ended {
		return p, "", fault.New(fault.Invalid, TextFile+" has no frontmatter", "")
	}
	object := []byte("{")
	for i, line := range bytes.Split(front, []byte("\n")) {
		name, value, ok := bytes.Cut(line, []byte(": "))
		if !ok {
			return p, "", fault.New(fault.Invalid, "a line of "+TextFile+" is no field", "")
		}
		if i > 0 {
			object = append(object, ',')
		}
		object = append(append(append(strconv.AppendQuote(object, string(name)), ':'), value...), '\n')
	}
	p, err = contract.Decode[proposalv1.Proposal]("proposal.v1#Proposal", append(object, '}'))
	if err == nil && p.Title != Title(p.Title) {
		err = fault.New(fault.Invalid, "its title has characters that cannot be seen", "")
	}
	return p, strings.TrimSpace(string(text)), err
}

// EncodeConflicts writes conflicts.json, one path a line.
func EncodeConflicts(paths []proposalv1.Conflict) ([]byte, error) {
	if paths == nil {
		paths = []proposalv1.Conflict{}
	}
	data, err := json.Marshal(proposalv1.Conflicts{Kind: proposalv1.KindConflicts, Paths: paths})
	if err != nil {
		return nil, err
	}
	if err := contract.Validate("proposal.v1#Conflicts", data); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := json.Indent(&b, data, "", " "); err != nil {
		return nil, err
	}
	return append(b.Bytes(), '\n'), nil
}

// DecodeConflicts reads what EncodeConflicts wrote.
func DecodeConflicts(data []byte) ([]proposalv1.Conflict, error) {
	c, err := contract.Decode[proposalv1.Conflicts]("proposal.v1#Conflicts", data)
	if err != nil {
		return nil, err
	}
	for i := 1; i < len(c.Paths); i++ {
		if c.Paths[i-1].Path >= c.Paths[i].Path {
			return nil, fault.New(fault.Invalid, ConflictsFile+" has paths out of order", "")
		}
	}
	return c.Paths, nil
}

// Open returns the paths that nobody has resolved.
func Open(paths []proposalv1.Conflict) []string {
	out := []string{}
	for _, c := range paths {
		if c.Resolution == "" {
			out = append(out, c.Path)
		}
	}
	return out
}

// Title makes a title of foreign text: its first line, without what cannot be
// seen, and shortened.
func Title(text string) string {
	text, _, _ = strings.Cut(strings.TrimSpace(text), "\n")
	runes := []rune(strings.TrimSpace(strings.Map(printable, strings.ToValidUTF8(text, ""))))
	if len(runes) == 0 {
		return "Untitled"
	}
	if len(runes) > maxTitle {
		runes = append(runes[:maxTitle-1], '…')
	}
	return string(runes)
}
