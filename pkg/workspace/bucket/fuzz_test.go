package bucket_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/vexa-ai/vexa/pkg/contract/manifestv1"
	"github.com/vexa-ai/vexa/pkg/seal"
	"github.com/vexa-ai/vexa/pkg/signature"
	"github.com/vexa-ai/vexa/pkg/workspace/bucket"
)

// manifestSeed is a manifest that is one, as text.
const manifestSeed = `{"bucket":"3f9c2a7e51d04b86a1e0c9d2f4b67a58","generation":2,` +
	`"previous":"2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b",` +
	`"anchor":{"generation":1,"sha256":"3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c"},` +
	`"epoch":1,"objectFormat":"sha1","head":"refs/heads/main","refs":[{"name":"refs/heads/main","id":"1111111111111111111111111111111111111111"}],` +
	`"packs":[{"sha256":"4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d","size":31234,"kind":"segment","objects":12,"generation":2}],` +
	`"time":"2026-11-28T09:05:00Z"}`

// FuzzManifest: whatever a member signed or the storage made of it, a manifest
// is refused or keeps its contract.
func FuzzManifest(f *testing.F) {
	// The same in every process: a signature of another key is news to a fuzzer.
	id, err := seal.ParseIdentity("AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX")
	if err != nil {
		f.Fatal(err)
	}
	signer, err := signature.Derive("fuzz")
	if err != nil {
		f.Fatal(err)
	}
	who := &person{id: id, signer: signer}
	f.Add([]byte(manifestSeed+"\n"), true)
	f.Add([]byte(manifestSeed+"\n"), false)
	f.Add([]byte(strings.Replace(manifestSeed, `"epoch":1`, `"epoch":1,"epoch":2`, 1)+"\n"), true)
	f.Add([]byte(strings.Replace(manifestSeed, "refs/heads/main", `refs/heads/\u000a`, 1)+"\n"), true)
	f.Add([]byte("{}\n"), true)
	f.Add([]byte("\n"), true)
	f.Fuzz(func(t *testing.T, data []byte, sign bool) {
		var m manifestv1.Manifest
		var err error
		if sign { // what is encrypted is never twice the same, which a fuzzer takes for news
			line, _, _ := bytes.Cut(data, []byte("\n"))
			m, err = bucket.DecodeSigned(signed(t, who, bucket.Namespace, append(bytes.Clone(line), '\n')))
		} else if m, err = bucket.DecodeSigned(data); err != nil {
			m, err = bucket.DecodeManifestWith(data, who.id)
		}
		if err != nil {
			return
		}
		if !sign {
			t.Fatalf("a manifest that nobody signed: %+v", m)
		}
		if m.Generation < 1 || m.Generation > 1<<53-1 || m.Generation > 1 == (m.Anchor == nil) || m.Generation == 1 && m.Membership == nil {
			t.Fatalf("%+v", m)
		}
		kept(t, m.Refs, m.Packs)
	})
}

func kept(t *testing.T, refs []manifestv1.Ref, packs []manifestv1.Pack) {
	t.Helper()
	for i, r := range refs {
		if bucket.CheckRef(r.Name) != nil || i > 0 && refs[i-1].Name >= r.Name || strings.Trim(r.ID, "0123456789abcdef") != "" {
			t.Fatalf("refs %q", refs)
		}
	}
	for _, p := range packs {
		if len(p.SHA256) != 64 || (p.Kind == "base") != (p.Index != nil) {
			t.Fatalf("packs %+v", packs)
		}
	}
}

// FuzzSnapshot: the same of snapshots.
func FuzzSnapshot(f *testing.F) {
	seed := `{"bucket":"3f9c2a7e51d04b86a1e0c9d2f4b67a58","generation":2,"refs":[{"name":"refs/heads/main","id":"1111111111111111111111111111111111111111"}],"packs":[]}`
	f.Add([]byte(seed))
	f.Add([]byte(strings.Replace(seed, `"refs":[`, `"refs":[{"name":"refs/heads/main","id":"1111111111111111111111111111111111111111"},`, 1)))
	f.Add([]byte(seed + "x"))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := bucket.DecodeSnapshot(data, "sha1", "3f9c2a7e51d04b86a1e0c9d2f4b67a58")
		if err == nil {
			kept(t, s.Refs, s.Packs)
		}
	})
}

// FuzzLog: the same of logs, which say again what they were read from.
func FuzzLog(f *testing.F) {
	f.Add([]byte("2 " + strings.Repeat("a", 64) + "\n3 " + strings.Repeat("b", 64) + "\n"))
	f.Add([]byte("2 x\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		log, err := bucket.DecodeLog(data)
		if err != nil {
			return
		}
		again, err := bucket.DecodeLog(bucket.EncodeLog(log))
		if err != nil || len(again) != len(log) {
			t.Fatalf("%v: %v, %v", err, log, again)
		}
	})
}

// FuzzIndex: a pack index of anybody's is refused or fits its pack, and is read
// to its end.
func FuzzIndex(f *testing.F) {
	f.Add([]byte("\xfftOc\x00\x00\x00\x02"), int64(1))
	f.Add(bytes.Repeat([]byte{0xff}, 3000), int64(3))
	f.Fuzz(func(_ *testing.T, data []byte, objects int64) {
		_ = bucket.CheckIndex(bytes.NewReader(data), "sha1", objects, strings.Repeat("a", 40), 1<<20)
	})
}

// TestBombs: what is small as it is stored and huge as it is read, is not read.
func TestBombs(t *testing.T) {
	t.Parallel()
	id, err := seal.NewIdentity()
	if err != nil {
		t.Fatal(err)
	}
	stored, err := bucket.Encrypt(make([]byte, 3<<20), id.Recipient())
	if err != nil {
		t.Fatal(err)
	}
	if len(stored) > 1<<16 {
		t.Fatalf("%d bytes", len(stored))
	}
	if _, err := bucket.DecryptUpTo(stored, 1<<20, id); err == nil || !strings.Contains(err.Error(), "too large") {
		t.Errorf("%v", err)
	}
	if plain, err := bucket.DecryptUpTo(stored, 3<<20, id); err != nil || len(plain) != 3<<20 {
		t.Errorf("%v, %d bytes", err, len(plain))
	}
}
