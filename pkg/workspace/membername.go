package workspace

import (
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/vexa-ai/vexa/pkg/contract/manifestv1"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/signature"
)

// memberID makes an id that nobody has or had.
func memberID(all []manifestv1.Member, name string) string {
	var b strings.Builder
	for _, c := range strings.ToLower(name) {
		if c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '_' || c == '-' || c == '.' {
			b.WriteRune(c)
		} else {
			b.WriteByte('-')
		}
	}
	base := "u_" + strings.Trim(b.String()[:min(b.Len(), 64)], "-.")
	taken := func(id string) bool {
		return slices.ContainsFunc(all, func(m manifestv1.Member) bool { return m.ID == id })
	}
	id := base
	for n := 2; taken(id); n++ {
		id = base + "_" + strconv.Itoa(n)
	}
	return id
}

// findMember finds a member by id, by the fingerprint of a signing key, or by
// name, in this order: a name that somebody chose hides nobody.
func findMember(all []manifestv1.Member, workspace, who string) (int, error) {
	for _, is := range []func(manifestv1.Member) bool{
		func(m manifestv1.Member) bool { return m.ID == who },
		func(m manifestv1.Member) bool { return signsAs(m, who) },
		func(m manifestv1.Member) bool { return m.Name == who },
	} {
		i := slices.IndexFunc(all, func(m manifestv1.Member) bool { return m.Until == 0 && is(m) })
		if i >= 0 {
			return i, nil // of a name there is one, see admit
		}
	}
	return -1, fault.New(fault.NotFound, workspace+" has no member "+strconv.Quote(who), "vexa workspace member list "+workspace)
}

// signsAs reports whether a member has a signing key of that fingerprint.
func signsAs(m manifestv1.Member, fingerprint string) bool {
	return slices.ContainsFunc(m.Signers, func(text string) bool {
		key, err := signature.ParseKey(text)
		return err == nil && key.Fingerprint() == fingerprint
	})
}

// checkName refuses names that are not what they look like.
func checkName(name string) error {
	const most = 64
	bad := ""
	switch {
	case name == "" || strings.TrimSpace(name) != name:
		bad = "it is empty, or begins or ends with a blank"
	case utf8.RuneCountInString(name) > most:
		bad = "it is longer than 64 characters"
	case strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }):
		bad = "it has a character that cannot be seen"
	case strings.HasPrefix(name, "SHA256:") || strings.HasPrefix(name, "u_") || strings.HasSuffix(name, ")"):
		bad = "it looks like something else in a list"
	default:
		return nil
	}
	return fault.New(fault.Invalid, "not the name of a member: "+bad, "choose another one with --as")
}
