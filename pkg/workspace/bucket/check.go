package bucket

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/vexa-ai/vexa/pkg/contract"
	"github.com/vexa-ai/vexa/pkg/contract/manifestv1"
	"github.com/vexa-ai/vexa/pkg/fault"
)

// validateUpTo is up to how many items a list of a manifest or snapshot is held
// to its schema; beyond, the checks below, which say the same of them, do.
const validateUpTo = 32

// The contracts of what a bucket holds.
const (
	contractManifest = "bucket-manifest.v1#Manifest"
	contractSnapshot = "bucket-manifest.v1#Snapshot"
	contractKeyring  = "bucket-keyring.v1"
)

// checkManifest holds a manifest to its contract, and to what a schema does not
// say.
func checkManifest(m *manifestv1.Manifest) error {
	short := *m
	short.Refs, short.Packs, short.Deleted = upToSome(m.Refs), upToSome(m.Packs), upToSome(m.Deleted)
	short.Dropped, short.Retired = upToSome(m.Dropped), upToSome(m.Retired)
	if err := validate(contractManifest, &short); err != nil {
		return err
	}
	return checkRules(m)
}

// checkNext holds a manifest that is about to be stored to its contract. What most
// pushes change, refs and packs, is what checkRules looks at one by one; the schema
// is asked where there is more in which it may differ from the one before, which
// was held to it. To compile a schema takes longer than all else of a small push.
func checkNext(next *manifestv1.Manifest, before *State) error {
	if before == nil || next.Membership != nil || next.Repairs != nil || next.Generation > maxNumber ||
		next.Bucket != before.manifest.Bucket || next.Epoch != before.manifest.Epoch || next.ObjectFormat != before.manifest.ObjectFormat ||
		!isTime(next.Time) || !sameObject(next.Snapshot, before.manifest.Snapshot) || !sameLog(next.Log, before.manifest.Log) || !isHex(next.Previous, 64) || next.Anchor == nil || !isHex(next.Anchor.SHA256, 64) {
		return checkManifest(next)
	}
	return checkRules(next)
}

func isTime(text string) bool {
	_, err := time.Parse(time.RFC3339, text)
	return err == nil
}

func sameObject(a, b *manifestv1.Object) bool { return a == b || a != nil && b != nil && *a == *b }

func sameLog(a, b *manifestv1.Log) bool { return a == b || a != nil && b != nil && *a == *b }

// checkRules holds a manifest to what a schema does not say, and its lists to what
// it says as well.
func checkRules(m *manifestv1.Manifest) error {
	for _, name := range m.Deleted {
		if err := CheckRef(name); err != nil {
			return err
		}
	}
	for _, hash := range m.Dropped {
		if !isHex(hash, 64) {
			return broken("it drops a pack that is none")
		}
	}
	if m.Snapshot == nil && (len(m.Dropped) > 0 || len(m.Deleted) > 0) {
		return broken("it deletes from a snapshot that it does not have")
	}
	if err := CheckRef(m.Head); err != nil {
		return err
	}
	for _, a := range []*manifestv1.Anchor{m.Anchor, m.Repairs} {
		if a != nil && a.Generation >= m.Generation {
			return broken("it builds on a generation that is not before it")
		}
	}
	return checkLists(lists{format: m.ObjectFormat, generation: m.Generation, refs: m.Refs, packs: m.Packs, retired: m.Retired})
}

// checkSnapshot does the same with a snapshot.
func checkSnapshot(s *manifestv1.Snapshot, format string) error {
	short := *s
	short.Refs, short.Packs, short.Retired = upToSome(s.Refs), upToSome(s.Packs), upToSome(s.Retired)
	if err := validate(contractSnapshot, &short); err != nil {
		return err
	}
	return checkLists(lists{format: format, generation: s.Generation, refs: s.Refs, packs: s.Packs, retired: s.Retired})
}

// upToSome returns as much of a list as is worth a look at each item's schema.
func upToSome[T any](list []T) []T {
	return list[:min(len(list), validateUpTo):min(len(list), validateUpTo)]
}

func validate(name string, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return fault.Wrap(fault.Invalid, "it breaks its contract", contract.Validate(name, data))
}

// lists are those that a manifest and a snapshot have both.
type lists struct {
	format     string
	generation int64
	refs       []manifestv1.Ref
	packs      []manifestv1.Pack
	retired    []manifestv1.Retired
}

func checkLists(l lists) error {
	if err := checkRefs(l.format, l.refs); err != nil {
		return err
	}
	for _, p := range l.packs {
		if !isPack(p) {
			return broken("it has a pack that is none")
		}
		if p.Generation > l.generation {
			return broken("it has a pack of a generation that is to come")
		}
	}
	for _, r := range l.retired {
		if !isHex(r.SHA256, 64) || r.Generation < 1 || r.Generation > l.generation {
			return broken("it retires an object that is none")
		}
	}
	return nil
}

func checkRefs(format string, refs []manifestv1.Ref) error {
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
	return nil
}

// maxNumber is the greatest number that every reader of JSON keeps.
const maxNumber = 1<<53 - 1

func isPack(p manifestv1.Pack) bool {
	if !isHex(p.SHA256, 64) || p.Size < 1 || p.Size > maxNumber || p.Objects < 1 || p.Generation < 1 {
		return false
	}
	switch p.Kind {
	case kindBase:
		return p.Index != nil && isHex(p.Index.SHA256, 64) && p.Index.Size > 0 && p.Index.Size <= maxNumber
	case kindSegment:
		return p.Index == nil
	default:
		return false
	}
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

// maxRefPart is how long a part of the name of a new ref may be, in bytes: git keeps refs
// as files, and writes them as one whose name is longer.
const maxRefPart = 240

// CheckNewRef refuses what CheckRef does, and with ErrLong a name that not every
// repository can hold.
func CheckNewRef(name string) error {
	for part := range strings.SplitSeq(name, "/") {
		if len(part) > maxRefPart {
			return ErrLong
		}
	}
	return CheckRef(name)
}

// CheckRef refuses what is not the full name of a ref: the rules of
// git-check-ref-format(1), below refs/, and UTF-8, which is all that a manifest
// can hold.
func CheckRef(name string) error {
	bad := fault.Newf(fault.Invalid, "not the name of a ref: %.100q", name)
	if len(name) > maxRef || !utf8.ValidString(name) || !strings.HasPrefix(name, "refs/") || strings.HasSuffix(name, ".") {
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
