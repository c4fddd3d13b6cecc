package proposal_test

import (
	"crypto/sha256"
	"reflect"
	"strings"
	"testing"

	"github.com/vexa-ai/vexa/pkg/contract/manifestv1"
	"github.com/vexa-ai/vexa/pkg/contract/proposalv1"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/signature"
	"github.com/vexa-ai/vexa/pkg/workspace/object"
	"github.com/vexa-ai/vexa/pkg/workspace/proposal"
)

func example() proposalv1.Proposal {
	return proposalv1.Proposal{
		Kind: proposalv1.KindProposal, ID: "01JDXKSHE11000000000000004", Title: `Prices: "final", 'ok' # no comment — geprüft`, Status: proposalv1.StatusOpen,
		Target: "refs/heads/main", From: strings.Repeat("a", 40), Source: strings.Repeat("b", 40), Result: strings.Repeat("c", 40), Subject: "u_joe",
	}
}

func TestText(t *testing.T) {
	t.Parallel()
	for _, body := range []string{"", "One line.", "---\nnot: frontmatter\n---\n\nMore."} {
		text, err := proposal.EncodeText(example(), body)
		if err != nil {
			t.Fatal(err)
		}
		p, got, err := proposal.DecodeText(text)
		if err != nil || !reflect.DeepEqual(p, example()) || got != body {
			t.Errorf("%+v, %q, %v", p, got, err)
		}
	}
	bad := example()
	bad.Title = "two\nlines"
	if _, err := proposal.EncodeText(bad, ""); !fault.Is(err, fault.Invalid) {
		t.Errorf("a title of two lines: %v", err)
	}
	if _, err := proposal.EncodeText(example(), strings.Repeat("x", proposal.MaxText)); !fault.Is(err, fault.Invalid) {
		t.Errorf("too much to say: %v", err)
	}
	good, err := proposal.EncodeText(example(), "")
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"nothing":      "",
		"no end":       strings.TrimSuffix(string(good), "---\n"),
		"a field more": strings.Replace(string(good), "---\nfrom", "---\napproved: true\nfrom", 1),
		"twice":        strings.Replace(string(good), "---\nfrom", "---\nstatus: \"accepted\"\nfrom", 1),
		"YAML alone":   strings.Replace(string(good), `"open"`, "open", 1),
		"two values":   strings.Replace(string(good), `"open"`, `"open", "merge": "`+strings.Repeat("d", 40)+`"`, 1),
	} {
		if p, _, err := proposal.DecodeText([]byte(text)); err == nil && name != "two values" || err == nil && p.Status == "" {
			t.Errorf("%s: %+v", name, p)
		}
	}
}

func FuzzDecodeText(f *testing.F) {
	text, err := proposal.EncodeText(example(), "Body.")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte("---\nid: \"x\"\n---\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, body, err := proposal.DecodeText(data)
		if err != nil {
			return
		}
		again, err := proposal.EncodeText(p, body)
		if err != nil {
			t.Skip() // longer than what is written
		}
		if q, b, err := proposal.DecodeText(again); err != nil || !reflect.DeepEqual(p, q) || b != body {
			t.Errorf("%+v, %q became %+v, %q, %v", p, body, q, b, err)
		}
	})
}

func TestConflicts(t *testing.T) {
	t.Parallel()
	file := &proposalv1.File{Mode: "100644", ID: strings.Repeat("a", 40)}
	paths := []proposalv1.Conflict{{Path: "a.md", Why: []string{"x"}, Ours: file}, {Path: "b.md", Why: []string{"y"}, Theirs: file, Resolution: "theirs"}}
	text, err := proposal.EncodeConflicts(paths)
	if err != nil {
		t.Fatal(err)
	}
	got, err := proposal.DecodeConflicts(text)
	if err != nil || !reflect.DeepEqual(got, paths) || !reflect.DeepEqual(proposal.Open(got), []string{"a.md"}) {
		t.Errorf("%+v, %v", got, err)
	}
	paths[0], paths[1] = paths[1], paths[0]
	if text, err = proposal.EncodeConflicts(paths); err != nil {
		t.Fatal(err)
	}
	if _, err := proposal.DecodeConflicts(text); !fault.Is(err, fault.Invalid) {
		t.Errorf("out of order: %v", err)
	}
}

func TestTitle(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                       "Untitled",
		"\x1b[31mred\x1b[0m\nx":  "[31mred[0m",
		" one\ttwo \n":           "one two",
		"\u202eevil\xff":         "evil",
		strings.Repeat("ä", 300): strings.Repeat("ä", 199) + "…",
	} {
		if got := proposal.Title(text); got != want {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
	}
}

// TestDigest is an example that another program can be compared with:
//
//	printf '100644 %s %s\0' "$(printf 'a\n' | sha256sum | cut -d' ' -f1)" a.md | sha256sum
func TestDigest(t *testing.T) {
	t.Parallel()
	d := proposal.NewDigest()
	d.Add("100644", sha256.Sum256([]byte("a\n")), "a.md")
	if got := d.String(); got != "57e9a444641688d0b21cb45f7ce3438fc25c730ec8c8f04a4f8008e6abe8820c" {
		t.Errorf("it is %s", got)
	}
}

func signer(t *testing.T, secret string) signature.Signer {
	t.Helper()
	s, err := signature.Derive(secret)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestCount: each member counts once, whichever of their keys they use, and nobody
// but those who may.
func TestCount(t *testing.T) {
	t.Parallel()
	member := func(id string, until int64, recovery bool, allow []string, keys ...string) manifestv1.Member {
		m := manifestv1.Member{ID: id, Name: id, Until: until, Recovery: recovery}
		for _, k := range keys {
			m.Signers = append(m.Signers, signer(t, k).Key().String())
		}
		if allow != nil {
			m.Rights = []manifestv1.Right{{Refs: "refs/*", Allow: allow}}
		}
		return m
	}
	approve := []string{"approve"}
	about := proposal.Subject{
		Bucket: strings.Repeat("5", 32), Content: strings.Repeat("d", 64), Proposal: example(),
		Policy: manifestv1.Membership{Version: 3, Members: []manifestv1.Member{
			member("jane", 0, false, approve, "jane", "jane's laptop"), member("joe", 0, false, []string{"admin"}, "joe"), member("kim", 7, false, approve, "kim"),
			member("safe", 0, true, approve, "safe"), member("ann", 0, false, []string{"write"}, "ann"), member("eve", 0, false, nil, "eve"),
		}},
	}
	var all []proposal.Signed
	for _, key := range []string{"jane", "jane's laptop", "joe", "kim", "safe", "ann", "eve", "nobody"} {
		by := signer(t, key)
		text, armoured, err := proposal.Sign(about.Approval("2026-11-28T21:00:00Z"), by)
		if err != nil {
			t.Fatal(err)
		}
		a, err := proposal.Verify(proposal.ApprovalName(by.Key()), text, armoured)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := proposal.Verify(proposal.ApprovalName(signer(t, "other").Key()), text, armoured); !fault.Is(err, fault.Denied) {
			t.Errorf("under another name: %v", err)
		}
		if _, err := proposal.Verify(proposal.ApprovalName(by.Key()), append(text, ' '), armoured); err == nil {
			t.Error("changed")
		}
		all = append(all, a)
	}
	if got := about.Count(all); !reflect.DeepEqual(got, map[string]bool{"jane": true, "joe": true}) {
		t.Errorf("%v", got)
	}
	about.Policy.Version++
	if got := about.Count(all); len(got) != 0 {
		t.Errorf("under another policy: %v", got)
	}
}

// TestSignedBy: a signature is over all of a commit, of which there is one.
func TestSignedBy(t *testing.T) {
	t.Parallel()
	by := signer(t, "jane")
	commit := []byte("tree " + strings.Repeat("a", 40) + "\nauthor x <x> 1 +0000\ncommitter x <x> 1 +0000\n\nSubject\n\ngpgsig of the message\n")
	sig, err := by.Sign(proposal.SignatureNamespace, commit)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := object.AddSignature(commit, sig)
	if err != nil {
		t.Fatal(err)
	}
	if key, err := proposal.SignedBy(signed); err != nil || key.String() != by.Key().String() {
		t.Errorf("%v, %v", key, err)
	}
	if c, err := object.ParseCommit(signed); err != nil || !strings.HasPrefix(c.Message, "Subject") {
		t.Errorf("%+v, %v", c, err)
	}
	twice, err := object.AddSignature(signed, sig)
	if err != nil {
		t.Fatal(err)
	}
	other, err := by.Sign(proposal.ApprovalNamespace, commit)
	if err != nil {
		t.Fatal(err)
	}
	wrong, err := object.AddSignature(commit, other)
	if err != nil {
		t.Fatal(err)
	}
	for name, raw := range map[string][]byte{
		"unsigned": commit, "two signatures": twice, "another namespace": wrong,
		"another message": []byte(strings.Replace(string(signed), "Subject", "Object", 1)),
		"another tree":    []byte(strings.Replace(string(signed), "aaaa", "bbbb", 1)),
		"a header more":   []byte(strings.Replace(string(signed), "\nauthor", "\nparent "+strings.Repeat("c", 40)+"\nauthor", 1)),
	} {
		if key, err := proposal.SignedBy(raw); err == nil {
			t.Errorf("%s: %v", name, key)
		}
	}
}
