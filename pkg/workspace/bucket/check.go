package bucket

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/vexa-ai/vexa/pkg/contract"
	"github.com/vexa-ai/vexa/pkg/contract/manifestv1"
	"github.com/vexa-ai/vexa/pkg/fault"
)

// validateUpTo is up to how many refs and packs a manifest or snapshot is held
// to its schema; beyond, the checks below, which say the same of them, do.
const validateUpTo = 256

// checkManifest holds a manifest to its contract, and to what a schema does not
// say.
func checkManifest(m *manifestv1.Manifest) error {
	if len(m.Refs)+len(m.Packs)+len(m.Deleted)+len(m.Dropped)+len(m.Retired) <= validateUpTo {
		if err := validate("bucket-manifest.v1", m); err != nil {
			return err
		}
	}
	for _, name := range m.Deleted {
		if err := CheckRef(name); err != nil {
			return err
		}
	}
	if m.Snapshot == nil && (len(m.Dropped) > 0 || len(m.Deleted) > 0) {
		return broken("it deletes from a snapshot that it does not have")
	}
	return checkLists(m.ObjectFormat, m.Refs, m.Packs)
}

// checkSnapshot does the same with a snapshot.
func checkSnapshot(s *manifestv1.Snapshot, format string) error {
	if len(s.Refs)+len(s.Packs)+len(s.Retired) <= validateUpTo {
		if err := validate("bucket-manifest.v1", s); err != nil {
			return err
		}
	}
	return checkLists(format, s.Refs, s.Packs)
}

func validate(name string, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return fault.Wrap(fault.Invalid, "it breaks its contract", contract.Validate(name, data))
}

func checkLists(format string, refs []manifestv1.Ref, packs []manifestv1.Pack) error {
	digits := 40
	if format == formatSHA256 {
		digits = 64
	}
	for i, r := range refs {
		if err := CheckRef(r.Name); err != nil {
			return err
		}
		if !isHex(r.ID, digits) {
			return broken("the ref " + strconv.Quote(r.Name) + " has an id of another object format")
		}
		if i > 0 && refs[i-1].Name >= r.Name {
			return broken("its refs are out of order")
		}
	}
	for _, p := range packs {
		ok := isHex(p.SHA256, 64) && p.Size > 0 && p.Objects > 0 && p.Generation > 0
		switch p.Kind {
		case kindBase:
			ok = ok && p.Index != nil && isHex(p.Index.SHA256, 64) && p.Index.Size > 0
		case kindSegment:
			ok = ok && p.Index == nil
		default:
			ok = false
		}
		if !ok {
			return broken("it has a pack that is none")
		}
	}
	return nil
}

func broken(why string) error { return fault.New(fault.Invalid, "it breaks its contract: "+why, "") }

// The object formats of Git.
const (
	formatSHA1   = "sha1"
	formatSHA256 = "sha256"
)

// The kinds of pack.
const (
	kindBase    = "base"
	kindSegment = "segment"
)

// maxRef is the longest name of a ref, in bytes.
const maxRef = 1024

// CheckRef refuses what is not the full name of a ref: the rules of
// git-check-ref-format(1), below refs/.
func CheckRef(name string) error {
	bad := fault.Newf(fault.Invalid, "not the name of a ref: %.100q", name)
	if len(name) > maxRef || !strings.HasPrefix(name, "refs/") || strings.HasSuffix(name, ".") {
		return bad
	}
	if strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r == 0x7f }) || strings.ContainsAny(name, `~^:?*[\`) {
		return bad
	}
	if strings.Contains(name, "..") || strings.Contains(name, "@{") || strings.Contains(name, "//") {
		return bad
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == "" || part[0] == '.' || strings.HasSuffix(part, ".lock") {
			return bad
		}
	}
	return nil
}

// matches reports whether a pattern of rights covers a ref.
func matches(pattern, ref string) bool {
	if prefix, ok := strings.CutSuffix(pattern, "*"); ok {
		return strings.HasPrefix(ref, prefix)
	}
	return pattern == ref
}

// allows reports whether a member may do something with a ref.
func allows(m manifestv1.Member, what, ref string) bool {
	return slices.ContainsFunc(m.Rights, func(r manifestv1.Right) bool {
		return matches(r.Refs, ref) && slices.Contains(r.Allow, what)
	})
}

// What a member may do.
const (
	rightWrite = "write"
	rightAdmin = "admin"
)

// everything is the pattern that covers every ref.
const everything = "refs/*"
