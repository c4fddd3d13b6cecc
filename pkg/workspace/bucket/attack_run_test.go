package bucket_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/vexa-ai/vexa/pkg/workspace/bucket"
)

// TestAttacks: whoever must refuse an attack does, and says all that a person
// needs; whoever cannot know better sees a state that once was; what an
// installation knows is not changed by what it refuses; and a verification finds
// what was done.
func TestAttacks(t *testing.T) {
	t.Parallel()
	for i, a := range attacks(t) {
		for _, kind := range []string{"mem", "dir"}[:1+(i+1)%2] {
			t.Run(kind+"/"+a.name, func(t *testing.T) {
				t.Parallel()
				s := newScene(t, kind)
				a.do(s)
				a.meet(t, s)
			})
		}
	}
}

// meet has every installation meet the attack.
func (a attack) meet(t *testing.T, s *scene) {
	t.Helper()
	for _, name := range installations {
		c := s.client(name)
		before, blobs := c.knows(), blobsOf(t, s.store)
		look := c.look
		if a.fetched() {
			look = c.visit
		}
		st, err := look()
		switch {
		case err != nil:
			told(t, "an installation "+name, err, a.object)
			c.unchanged(before)
		case slices.Contains(a.refused, name):
			t.Errorf("an installation %s takes it for generation %d", name, st.Generation)
		case s.sums[st.Generation] != st.SHA256 && (name == atNewest || slices.Contains(a.refused, atBehind)):
			t.Errorf("an installation %s sees a generation %d that never was", name, st.Generation)
		}
		if name == atNewest && err == nil && st.SHA256 != s.sums[13] {
			t.Errorf("an installation %s takes generation %d (%.12s) for the newest", name, st.Generation, st.SHA256)
		}
		if !same(blobs, blobsOf(t, s.store)) {
			t.Errorf("an installation %s changed what is stored", name)
		}
	}
	if !a.hidden {
		a.verified(t, s, a.fetched())
	}
}

// fetched reports whether the attack shows where packs are read, and not before.
func (a attack) fetched() bool { return a.object == "" || strings.HasPrefix(a.object, "o/") }

func same(a, b map[string][]byte) bool {
	if len(a) != len(b) {
		return false
	}
	for name, data := range a {
		if !bytes.Equal(b[name], data) {
			return false
		}
	}
	return true
}

// verified has the installation that saw everything verify the bucket.
func (a attack) verified(t *testing.T, s *scene, paranoid bool) {
	t.Helper()
	c := s.client(atNewest)
	before := c.knows()
	b, err := bucket.Open(t.Context(), options(s.jane, c.store, c.state))
	if err != nil {
		t.Errorf("open, to verify: %v", err)
		return
	}
	r, err := b.Verify(t.Context(), bucket.VerifyOptions{Paranoid: paranoid, Git: newGit(t), Scratch: t.TempDir()})
	if err != nil {
		t.Errorf("verify: %v", err)
		return
	}
	object := a.object
	if a.finds != "" {
		object = a.finds
	}
	found := slices.ContainsFunc(r.Findings, func(f bucket.Finding) bool { return strings.HasPrefix(f.Object, object) })
	if r.Healthy || !found {
		t.Errorf("a verification does not find %s:\n%s", object, r)
	}
	for _, f := range r.Findings {
		if f.Object == "" || f.Kind == "" || f.What == "" || f.Readable == "" || f.Repair == "" {
			t.Errorf("a finding is not complete: %+v", f)
		}
		if strings.HasPrefix(f.Object, "m/") && f.Generation == 0 && f.Object != "m/" {
			t.Errorf("a finding names no generation: %+v", f)
		}
	}
	if after := c.knows(); after != before {
		t.Errorf("a verification changed what the installation knows")
	}
}

// spoil is one way in which a file is damaged.
type spoil struct {
	name string
	do   func([]byte) []byte
}

// spoils are the damages of a file: in every region of an age file, at its
// edges, and beyond them.
func spoils(data []byte) []spoil {
	flip := func(name string, at int) spoil {
		return spoil{"a bit of " + name, func(d []byte) []byte {
			d = bytes.Clone(d)
			d[at] ^= 1
			return d
		}}
	}
	cut := func(name string, at int) spoil {
		return spoil{"cut " + name, func(d []byte) []byte { return d[:at] }}
	}
	more := func(name string, what []byte) spoil {
		return spoil{name + " more", func(d []byte) []byte { return append(bytes.Clone(d), what...) }}
	}
	out := []spoil{
		flip("the first byte", 0), flip("the last byte", len(data)-1),
		cut("to nothing", 0), cut("by a byte", len(data)-1), more("a byte", []byte{'\n'}), more("a chunk", make([]byte, 70_000)),
	}
	payload := bytes.Index(data, []byte("\n--- "))
	if payload < 0 {
		return out
	}
	mac := payload + len("\n--- ")
	payload = mac + bytes.IndexByte(data[mac:], '\n') + 1
	out = append(
		out, flip("the recipient", 30), flip("the wrapped key", bytes.IndexByte(data[30:], '\n')+35), flip("the header's checksum", mac+3),
		flip("the nonce", payload+3), flip("the first chunk", payload+20), cut("in the header", 40), cut("at the end of the header", payload),
		cut("after the nonce", payload+16),
	)
	const chunk = 64<<10 + 16
	if first := payload + 16 + chunk; first < len(data) {
		out = append(
			out, flip("the first chunk's seal", first-1), flip("the second chunk", first), cut("at a chunk's end", first), cut("in a chunk", first+1),
			spoil{"two chunks exchanged", func(d []byte) []byte {
				if first+chunk > len(d) {
					return d[:first]
				}
				return slices.Concat(d[:first-chunk], d[first:first+chunk], d[first-chunk:first], d[first+chunk:])
			}},
		)
	}
	return out
}

// TestDamage: every kind of file, damaged in every region, or gone. No
// installation takes anything else than the truth, and a verification finds it.
func TestDamage(t *testing.T) {
	t.Parallel()
	p, err := thePast()
	if err != nil {
		t.Fatal(err)
	}
	objects := objectsOf(t)
	for kind, object := range objects {
		for i, sp := range append(spoils(p.blobs[object]), spoil{name: "gone"}) {
			store := "mem"
			if i%5 == 0 {
				store = "dir"
			}
			t.Run(kind+"/"+sp.name, func(t *testing.T) {
				t.Parallel()
				s := newScene(t, store)
				if sp.do == nil {
					s.remove(object)
				} else {
					s.put(object, sp.do(s.blobs[object]))
				}
				refused := refusers(kind)
				for _, name := range installations {
					c := s.client(name)
					before := c.knows()
					look := c.look
					if slices.Contains([]string{"pack", "index", "segment"}, kind) {
						look = c.visit
					}
					st, err := look()
					switch {
					case err == nil && slices.Contains(refused, name):
						t.Errorf("an installation %s sees nothing", name)
					case err == nil && (s.sums[st.Generation] != st.SHA256 || st.Generation < before.generation):
						t.Errorf("an installation %s takes generation %d (%.12s)", name, st.Generation, st.SHA256)
					case err != nil:
						told(t, "an installation "+name, err, object+"|"+alsoNamed(kind))
						c.unchanged(before)
					}
				}
				if kind != "hint" && kind != "format" {
					attack{object: object}.verified(t, s, false)
				}
			})
		}
	}
}

// refusers are the installations that need a kind of file.
func refusers(kind string) []string {
	switch kind {
	case "format", "pack", "index", "segment":
		return installations
	case "newest manifest":
		return []string{atNewest} // where it is gone the others see the one before
	case "first manifest":
		return []string{atNone} // the others have a copy
	case "manifest":
		return []string{atBehind}
	case "membership":
		return []string{atNone, atBehind, atLog}
	case "keyring":
		return []string{atNone, atBehind, atLog}
	case "snapshot":
		return []string{atNone, atBehind, atLog}
	case "log":
		return []string{atLog}
	default:
		return nil
	}
}

// alsoNamed is what an error may name in the place of a damaged file: another
// one that cannot be judged without it.
func alsoNamed(kind string) string {
	switch kind {
	case "keyring":
		return "m/0000000000000013"
	case "format":
		return "k/"
	case "newest manifest":
		return "m/"
	default:
		return "FORMAT"
	}
}
