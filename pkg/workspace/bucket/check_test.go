package bucket

import (
	"fmt"
	"strings"
	"testing"

	"github.com/vexa-ai/vexa/pkg/contract/manifestv1"
	"github.com/vexa-ai/vexa/pkg/fault"
)

func hexOf(digit string, n int) string { return strings.Repeat(digit, n) }

func later(generation int64) manifestv1.Manifest {
	return manifestv1.Manifest{
		Bucket: hexOf("a", 32), Generation: generation, Previous: hexOf("b", 64), Anchor: &manifestv1.Anchor{Generation: 1, SHA256: hexOf("c", 64)},
		Epoch: 1, ObjectFormat: formatSHA1, Head: "refs/heads/main", Refs: []manifestv1.Ref{}, Packs: []manifestv1.Pack{}, Time: "2026-11-28T09:05:00Z",
	}
}

// What a schema says is said of a manifest with long lists, too.
func TestLongManifestsAreChecked(t *testing.T) {
	t.Parallel()
	long := later(7)
	for i := range 2 * validateUpTo {
		long.Refs = append(long.Refs, manifestv1.Ref{Name: fmt.Sprintf("refs/heads/b%04d", i), ID: hexOf("1", 40)})
		long.Retired = append(long.Retired, manifestv1.Retired{SHA256: hexOf("2", 64), Generation: 3})
	}
	if err := checkManifest(&long); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*manifestv1.Manifest){
		"no anchor":                  func(m *manifestv1.Manifest) { m.Anchor = nil },
		"no previous":                func(m *manifestv1.Manifest) { m.Previous = "" },
		"no epoch":                   func(m *manifestv1.Manifest) { m.Epoch = 0 },
		"an id that is none":         func(m *manifestv1.Manifest) { m.Bucket = "x" },
		"a generation out of bounds": func(m *manifestv1.Manifest) { m.Generation = 1 << 53 },
		"an anchor that is to come":  func(m *manifestv1.Manifest) { m.Anchor.Generation = 7 },
		"a repair of what is to come": func(m *manifestv1.Manifest) {
			m.Repairs = &manifestv1.Anchor{Generation: 8, SHA256: hexOf("3", 64)}
		},
		"a head that is no ref":       func(m *manifestv1.Manifest) { m.Head = "refs/heads/.." },
		"a retired object of no name": func(m *manifestv1.Manifest) { m.Retired[2*validateUpTo-1].SHA256 = "" },
		"a pack that is to come": func(m *manifestv1.Manifest) {
			m.Packs = []manifestv1.Pack{{SHA256: hexOf("4", 64), Size: 1, Kind: kindSegment, Objects: 1, Generation: 8}}
		},
		"a dropped pack of no name": func(m *manifestv1.Manifest) {
			m.Snapshot = &manifestv1.Object{SHA256: hexOf("5", 64), Size: 1}
			m.Dropped = []string{"x"}
		},
		"a time that is none": func(m *manifestv1.Manifest) { m.Time = "today" },
		"another format":      func(m *manifestv1.Manifest) { m.ObjectFormat = "md5" },
		"a member of no name": func(m *manifestv1.Manifest) {
			m.Membership = &manifestv1.Membership{Version: 1, Recipient: "age1x", Members: []manifestv1.Member{{}}}
		},
		"a snapshot of no name": func(m *manifestv1.Manifest) { m.Snapshot = &manifestv1.Object{Size: 1} },
		"a log of no name":      func(m *manifestv1.Manifest) { m.Log = &manifestv1.Log{Size: 1, Generation: 1} },
		"an empty pack": func(m *manifestv1.Manifest) {
			m.Packs = []manifestv1.Pack{{SHA256: hexOf("4", 64), Kind: kindSegment, Objects: 1, Generation: 1}}
		},
		"a pack of no kind": func(m *manifestv1.Manifest) {
			m.Packs = []manifestv1.Pack{{SHA256: hexOf("4", 64), Size: 1, Kind: "x", Objects: 1, Generation: 1}}
		},
		"a ref of no object": func(m *manifestv1.Manifest) { m.Refs[0].ID = hexOf("0", 39) },
		"a ref twice":        func(m *manifestv1.Manifest) { m.Refs[2*validateUpTo-1].Name = m.Refs[2*validateUpTo-2].Name },
		"a ref with a new line": func(m *manifestv1.Manifest) {
			m.Refs[2*validateUpTo-1].Name = "refs/heads/z\nz"
		},
	} {
		m := long
		anchor := *long.Anchor
		m.Anchor = &anchor
		m.Refs = append([]manifestv1.Ref{}, long.Refs...)
		m.Retired = append([]manifestv1.Retired{}, long.Retired...)
		spoil(&m)
		if err := checkManifest(&m); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
		if err := checkNext(&m, newState(&signed{Manifest: later(6)}, nil, manifestv1.Membership{})); !fault.Is(err, fault.Invalid) {
			t.Errorf("stored after a good one, %s: %v", name, err)
		}
	}
	if err := checkNext(&long, newState(&signed{Manifest: later(6)}, nil, manifestv1.Membership{})); err != nil {
		t.Error(err)
	}
}

func BenchmarkCheckManifest(b *testing.B) {
	m := later(7)
	for i := range 10_000 {
		m.Refs = append(m.Refs, manifestv1.Ref{Name: fmt.Sprintf("refs/heads/b%05d", i), ID: hexOf("1", 40)})
	}
	for b.Loop() {
		if err := checkManifest(&m); err != nil {
			b.Fatal(err)
		}
	}
}
