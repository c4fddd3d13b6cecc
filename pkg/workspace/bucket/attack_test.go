package bucket_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/vexa-ai/vexa/pkg/contract/keyringv1"
	"github.com/vexa-ai/vexa/pkg/contract/manifestv1"
	"github.com/vexa-ai/vexa/pkg/seal"
	"github.com/vexa-ai/vexa/pkg/workspace/blob/mem"
	"github.com/vexa-ai/vexa/pkg/workspace/bucket"
)

// attack is something that whoever keeps the storage, a member who was removed,
// or a malicious member does.
type attack struct {
	name    string
	do      func(*scene)
	object  string   // that errors and findings name; empty: as findings has it
	refused []string // the installations that must refuse it; the others may show what once was
	hidden  bool     // a verification cannot find it either, for want of anything to compare with
	finds   string   // another object that the finding names
}

var everybody = installations

func head(g int64) string { return bucket.ManifestName(g) }

// packNamed returns the n-th pack of the past by kind.
func packNamed(tb testing.TB, kind string) manifestv1.Pack {
	tb.Helper()
	p, err := thePast()
	if err != nil {
		tb.Fatal(err)
	}
	s := &scene{past: p, tb: tb}
	st, err := s.insider().Head(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	i := slices.IndexFunc(st.Packs, func(p manifestv1.Pack) bool { return p.Kind == kind })
	return st.Packs[i]
}

// objectsOf are the names of one blob of each kind.
func objectsOf(tb testing.TB) map[string]string {
	tb.Helper()
	p, err := thePast()
	if err != nil {
		tb.Fatal(err)
	}
	s := &scene{past: p, tb: tb}
	st, err := s.insider().Head(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	base := packNamed(tb, "base")
	return map[string]string{
		"format": "FORMAT", "hint": "hint", "newest manifest": head(13), "manifest": head(9), "membership": head(7), "first manifest": head(1),
		"keyring": st.Membership.Keyring.Name, "pack": bucket.ObjectName(base.SHA256), "index": bucket.ObjectName(base.Index.SHA256),
		"segment":  bucket.ObjectName(packNamed(tb, "segment").SHA256),
		"snapshot": bucket.ObjectName(bucket.ManifestOf(st).Snapshot.SHA256), "log": bucket.ObjectName(bucket.ManifestOf(st).Log.SHA256),
	}
}

// attacks are those that put whole blobs in other places, or forge them.
func attacks(tb testing.TB) []attack {
	tb.Helper()
	names := objectsOf(tb)
	first := func(line []byte, old, replacement string) []byte {
		return []byte(strings.Replace(string(line), old, replacement, 1))
	}
	lines := func(edit func(string) string) func(*scene) {
		return func(s *scene) {
			s.text(func(line []byte) []byte {
				return signed(s.tb, s.jane, bucket.Namespace, []byte(edit(string(line))))
			})
		}
	}
	return []attack{
		{name: "set back by one", do: func(s *scene) { s.remove(head(13)) }, object: head(13), refused: []string{atNewest}},
		{name: "set back by one, the hint lies", do: func(s *scene) { s.remove(head(13)); s.put("hint", []byte("900\n")) }, object: head(13), refused: []string{atNewest}},
		{name: "set back by many", do: func(s *scene) {
			s.remove(head(13), head(12), head(11), head(10), head(9), head(8), head(7), head(6), head(5))
		}, object: "m/", finds: head(13), refused: []string{atNewest, atBehind, atLog, atNone}},
		{name: "an old state of everything", do: func(s *scene) { s.setAll(s.at[5]) }, object: "m/", finds: head(13), refused: []string{atNewest, atBehind}},
		{name: "an old state of everything, and newer manifests beside", do: func(s *scene) { s.setAll(s.at[9]); s.put(head(13), s.at[13][head(13)]) }, finds: head(12), refused: everybody},
		{name: "everything is gone", do: func(s *scene) {
			s.remove(slices.Collect(maps.Keys(s.blobs))...)
			s.put("FORMAT", s.blobs["FORMAT"])
		}, object: "m/", refused: everybody, hidden: true},
		{name: "a fork of the same generation", do: fork, object: head(13), refused: []string{atNewest}},
		{name: "a longer fork", do: func(s *scene) { fork(s); s.extend() }, object: head(13), refused: []string{atNewest}},
		{name: "two manifests change places", do: func(s *scene) { s.put(head(13), s.blobs[head(12)]); s.put(head(12), s.blobs[head(13)]) }, object: head(13), refused: everybody},
		{name: "an old manifest under a new number", do: func(s *scene) { s.put(head(14), s.blobs[head(13)]) }, object: head(14), refused: everybody},
		{name: "a manifest of another bucket of the same members", do: func(s *scene) { s.put(head(14), s.elsewhere()) }, object: head(14), refused: everybody},
		{name: "the manifest of another bucket in its place", do: func(s *scene) { s.put(head(13), s.elsewhere()) }, object: head(13), refused: everybody},
		{name: "a manifest of nobody's", do: func(s *scene) { s.forge(newPerson(s.tb), nothing) }, object: head(14), refused: everybody},
		{name: "a manifest of nobody's with many refs and members of its own", do: func(s *scene) {
			who := newPerson(s.tb)
			s.forge(who, func(m *manifestv1.Manifest) {
				b := s.insider()
				st, err := b.Head(s.tb.Context())
				if err != nil {
					s.tb.Fatal(err)
				}
				own := st.Membership
				own.Version++
				own.Members = []manifestv1.Member{who.member("eve")}
				m.Anchor, m.Membership = nil, &own
				for i := range 400 {
					m.Refs = append(m.Refs, manifestv1.Ref{Name: fmt.Sprintf("refs/heads/z%04d", i), ID: strings.Repeat("1", 40)})
				}
			})
		}, object: head(14), refused: everybody},
		{name: "a manifest by who was removed", do: func(s *scene) { s.forge(s.bob, nothing) }, object: head(14), refused: everybody},
		{name: "a manifest by who was removed, as if it were not so", do: func(s *scene) {
			s.forge(s.bob, func(m *manifestv1.Manifest) { m.Anchor = &manifestv1.Anchor{Generation: 4, SHA256: s.sums[4]} })
		}, object: head(14), refused: everybody},
		{name: "members changed by who was removed, as if it were not so", do: func(s *scene) {
			s.forge(s.bob, func(m *manifestv1.Manifest) {
				m.Anchor = &manifestv1.Anchor{Generation: 4, SHA256: s.sums[4]}
				m.Membership = s.members(func(m *manifestv1.Membership) { m.Members[1].Until = 0 })
			})
		}, object: head(14), refused: everybody},
		{name: "members changed by who may not", do: func(s *scene) {
			s.forge(s.carol, func(m *manifestv1.Manifest) {
				m.Membership = s.members(func(m *manifestv1.Membership) { m.Members = append(m.Members, newPerson(s.tb).member("eve")) })
			})
		}, object: head(14), refused: everybody},
		{name: "a repair by who may not", do: func(s *scene) {
			s.forge(s.carol, func(m *manifestv1.Manifest) { m.Repairs = &manifestv1.Anchor{Generation: 12, SHA256: s.sums[12]} })
		}, object: head(14), refused: everybody},
		{name: "a repair of what is not broken", do: func(s *scene) {
			s.forge(s.jane, func(m *manifestv1.Manifest) { m.Repairs = &manifestv1.Anchor{Generation: 12, SHA256: s.sums[12]} })
		}, object: head(13), finds: head(14), refused: []string{atNewest}},
		{name: "the key of an old epoch", do: func(s *scene) { s.forge(s.jane, func(m *manifestv1.Manifest) { m.Epoch = 1 }) }, object: head(14), refused: everybody},
		{name: "a history of its own", do: func(s *scene) {
			s.forge(s.jane, func(m *manifestv1.Manifest) { m.Previous = strings.Repeat("1", 64) })
		}, object: head(13), finds: head(14), refused: everybody},
		{name: "a signature for something else", do: func(s *scene) {
			s.text(func(line []byte) []byte { return signed(s.tb, s.jane, "vexa-approval@v1", line) })
		}, object: head(14), refused: everybody},
		{name: "a signature of something else", do: func(s *scene) {
			s.text(func(line []byte) []byte {
				text := signed(s.tb, s.jane, bucket.Namespace, []byte("{}\n"))
				return append(line, text[len("{}\n"):]...)
			})
		}, object: head(14), refused: everybody},
		{name: "no signature", do: func(s *scene) { s.text(func(line []byte) []byte { return line }) }, object: head(14), refused: everybody},
		{name: "two signatures", do: func(s *scene) {
			s.text(func(line []byte) []byte {
				one := signed(s.tb, s.jane, bucket.Namespace, slices.Clone(line))
				return append(one, one[len(line):]...)
			})
		}, object: head(14), refused: everybody},
		{name: "something after the signature", do: func(s *scene) {
			s.text(func(line []byte) []byte { return append(signed(s.tb, s.jane, bucket.Namespace, line), "x\n"...) })
		}, object: head(14), refused: everybody},
		{name: "something after the manifest", do: lines(func(l string) string { return strings.TrimSuffix(l, "\n") + "{}\n" }), object: head(14), refused: everybody},
		{name: "a member of the manifest that nobody knows", do: lines(func(l string) string { return string(first([]byte(l), "{", `{"admin":true,`)) }), object: head(14), refused: everybody},
		{name: "a ref twice", do: func(s *scene) {
			s.forge(s.jane, func(m *manifestv1.Manifest) { m.Refs = append(m.Refs, m.Refs[len(m.Refs)-1]) })
		}, object: head(14), refused: everybody},
		{name: "a ref with a new line", do: withRef("refs/heads/z\nrefs/heads/zz"), object: head(14), refused: everybody},
		{name: "a ref out of refs", do: withRef("refs/heads/../../../config"), object: head(14), refused: everybody},
		{name: "a ref with a control character", do: withRef("refs/heads/z\x1b[2J"), object: head(14), refused: everybody},
		{name: "a generation beyond numbers", do: func(s *scene) {
			s.forgeAt(1<<53, s.jane, func(m *manifestv1.Manifest) { m.Generation = 1 << 53 })
			s.put("hint", []byte("9007199254740992\n"))
		}, object: head(1 << 53), refused: everybody},
		{name: "a generation far ahead", do: func(s *scene) {
			s.forgeAt(1<<53-1, s.jane, func(m *manifestv1.Manifest) { m.Generation = 1<<53 - 1 })
			s.put("hint", []byte("9007199254740991\n"))
		}, object: head(1<<53 - 2), finds: head(1<<53 - 1), refused: everybody},
		{name: "noise far ahead", do: func(s *scene) { s.put(head(1<<52), []byte("noise")) }, object: head(1 << 52)},
		{name: "noise far ahead, and a hint of it", do: func(s *scene) {
			s.put(head(1<<52), []byte("noise"))
			s.put("hint", []byte("4503599627370496\n"))
		}, object: head(1 << 52), refused: everybody},
		{name: "a bomb", do: func(s *scene) {
			b := s.insider()
			stored, err := bucket.Encrypt(make([]byte, bucket.MaxManifest+1), bucket.EpochKeys(b)[0].Recipient())
			if err != nil {
				s.tb.Fatal(err)
			}
			s.put(head(14), stored)
		}, object: head(14), refused: everybody},
		{name: "an old keyring under the newest name", do: func(s *scene) { s.put(names["keyring"], s.blobs["k/000001.000001.age"]) }, object: names["keyring"], refused: []string{atNone, atBehind, atLog}},
		{name: "an old keyring under a newer name", do: func(s *scene) { s.put("k/000009.000009.age", s.blobs["k/000001.000001.age"]) }, object: "k/000009.000009.age"},
		{name: "the newest keyring is hidden", do: func(s *scene) { s.remove(names["keyring"]) }, object: "k/", refused: []string{atNone, atBehind, atLog}, finds: names["keyring"]},
		{name: "the keyring of another bucket", do: func(s *scene) {
			stored, err := bucket.EncodeKeyring(keyringv1.Keyring{Bucket: strings.Repeat("a", 32), Epoch: 1, Keys: []keyringv1.Key{{Epoch: 1, Secret: newIdentity(s.tb).String()}}}, s.jane.member("jane"))
			if err != nil {
				s.tb.Fatal(err)
			}
			s.put(names["keyring"], stored)
		}, object: names["keyring"], refused: []string{atNone, atBehind, atLog}},
		{name: "a keyring of the storage's own", do: func(s *scene) { s.plant() }, object: "k/000009.000009.age"},
		{name: "a keyring of the storage's own, and a manifest made with it", do: func(s *scene) {
			key := s.plant()
			m, err := bucket.NextOf(s.tb.Context(), s.insider())
			if err != nil {
				s.tb.Fatal(err)
			}
			stored, err := bucket.EncodeManifest(m, newPerson(s.tb).signer, key)
			if err != nil {
				s.tb.Fatal(err)
			}
			s.put(head(14), stored)
		}, object: head(14), refused: everybody},
		{name: "two packs change places", do: func(s *scene) { s.swap(names["pack"], names["segment"]) }, object: names["pack"], refused: everybody},
		{name: "a pack and its index change places", do: func(s *scene) { s.swap(names["pack"], names["index"]) }, object: names["pack"], refused: everybody},
		{name: "an object under another name besides", do: func(s *scene) {
			s.put(bucket.ObjectName(strings.Repeat("a", 64)), s.blobs[names["pack"]])
		}, object: bucket.ObjectName(strings.Repeat("a", 64))},
		{name: "the format of another bucket", do: func(s *scene) {
			s.put("FORMAT", []byte("vexa-bucket 1\n"+strings.Repeat("a", 32)+"\n"))
		}, object: "FORMAT|k/", refused: everybody, hidden: true},
		{name: "a newer format", do: func(s *scene) { s.put("FORMAT", []byte("vexa-bucket 2\n"+s.id+"\n")) }, object: "FORMAT", refused: everybody, hidden: true},
		{name: "a hint without end", do: func(s *scene) { s.put("hint", []byte(strings.Repeat("9", 1<<20))) }, object: "hint"},
		{name: "a hint below zero", do: func(s *scene) { s.put("hint", []byte("-5\n")) }, object: "hint"},
	}
}

func newIdentity(tb testing.TB) *seal.Identity {
	tb.Helper()
	id, err := seal.NewIdentity()
	if err != nil {
		tb.Fatal(err)
	}
	return id
}

func withRef(name string) func(*scene) {
	return func(s *scene) {
		s.forge(s.jane, func(m *manifestv1.Manifest) {
			m.Refs = append(m.Refs, manifestv1.Ref{Name: name, ID: strings.Repeat("1", 40)})
		})
	}
}

func (s *scene) swap(a, b string) {
	s.tb.Helper()
	s.put(a, s.blobs[b])
	s.put(b, s.blobs[a])
}

// members returns the newest membership, changed, under the next version.
func (s *scene) members(edit func(*manifestv1.Membership)) *manifestv1.Membership {
	s.tb.Helper()
	st, err := s.insider().Head(s.tb.Context())
	if err != nil {
		s.tb.Fatal(err)
	}
	m := st.Membership
	m.Members = slices.Clone(m.Members)
	m.Version++
	edit(&m)
	return &m
}

// plant stores a keyring for jane with a key of the storage's own, and returns
// the key's recipient.
func (s *scene) plant() string {
	s.tb.Helper()
	key := newIdentity(s.tb)
	stored, err := bucket.EncodeKeyring(keyringv1.Keyring{Bucket: s.id, Epoch: 9, Keys: []keyringv1.Key{{Epoch: 9, Secret: key.String()}}}, s.jane.member("jane"))
	if err != nil {
		s.tb.Fatal(err)
	}
	s.put("k/000009.000009.age", stored)
	return key.Recipient()
}

// fork sets the storage back by one and has carol, who has seen nothing newer,
// push something else.
func fork(s *scene) {
	s.remove(head(13))
	s.extend()
}

// extend has carol push something to what is there.
func (s *scene) extend() {
	s.tb.Helper()
	store := s.open()
	b, err := bucket.Open(s.tb.Context(), options(s.carol, store, s.tb.TempDir()))
	if err != nil {
		s.tb.Fatal(err)
	}
	m := (&machine{tb: s.tb, who: s.carol, store: store, bucket: b}).withRepo()
	st := m.mustFetch()
	m.git("reset", "-q", "--hard", st.Refs["refs/heads/main"])
	m.mustPush("refs/heads/main", m.commit("notes/c.md", fmt.Sprintf("by carol, after %d\n", st.Generation)))
}

// elsewhere returns the newest manifest of another bucket of jane's.
func (s *scene) elsewhere() []byte {
	s.tb.Helper()
	m := create(s.tb, mem.New())
	m.mustPush("refs/heads/main", m.commit("a", "1\n"))
	return blobsOf(s.tb, m.store)[head(2)]
}

func nothing(*manifestv1.Manifest) {}
