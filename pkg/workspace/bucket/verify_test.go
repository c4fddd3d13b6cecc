package bucket_test

import (
	"context"
	"crypto/sha1"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vexa-ai/vexa/pkg/workspace/blob/mem"
	"github.com/vexa-ai/vexa/pkg/workspace/bucket"
)

// verify verifies everything, and again with git.
func (m *machine) verify() bucket.Report {
	m.tb.Helper()
	r, err := m.bucket.Verify(m.tb.Context(), bucket.VerifyOptions{Paranoid: true, Git: newGit(m.tb), Scratch: m.tb.TempDir()})
	if err != nil {
		m.tb.Fatalf("verify: %v", err)
	}
	return r
}

func TestVerifyHealthy(t *testing.T) {
	t.Parallel()
	storage := mem.New()
	a := create(t, storage)
	if r := a.verify(); !r.Healthy || r.Generation != 1 || r.Manifests != 1 || r.Keyrings != 1 {
		t.Fatalf("an empty bucket: %+v\n%s", r, r)
	}
	for i := range 45 {
		id := a.commit("notes/a.md", strings.Repeat(fmt.Sprintf("line %d\n", i), 100))
		a.mustPush("refs/heads/main", id)
	}
	var last, total int64
	b := a.another(storage.Handle())
	r, err := b.bucket.Verify(t.Context(), bucket.VerifyOptions{
		Paranoid: true, Git: newGit(t), Scratch: t.TempDir(),
		Progress: func(done, all int64) {
			if done < last || all < done {
				t.Errorf("progress from %d to %d of %d", last, done, all)
			}
			last, total = done, all
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if !r.Healthy || r.Generation != 46 || r.Newest != 46 || r.Seen != 0 || r.Manifests != 46 || r.Packs != 45 || r.Indexes != 1 || r.Refs != 1 {
		t.Fatalf("%+v\n%s", r, r)
	}
	if last != total || last == 0 {
		t.Fatalf("read %d of %d bytes", last, total)
	}
	if r := a.verify(); !r.Healthy || r.Seen != 46 {
		t.Fatalf("%+v", r)
	}
}

// forgedIndex stores the repository's objects as a base whose index shows one
// file in the place of another, as a malicious member could.
func forgedIndex(t *testing.T, a *machine) *bucket.State {
	t.Helper()
	pack, index, id := forgeIndex(t, a)
	st, err := bucket.StorePack(t.Context(), a.bucket, pack, index, map[string]string{"refs/heads/main": id})
	if err != nil {
		t.Fatal(err)
	}
	return st
}

// forgeIndex makes a pack of a machine's repository with an index that shows the
// content of one file for another's, and returns the commit that it is about.
func forgeIndex(t *testing.T, a *machine) (pack, forged, id string) {
	t.Helper()
	id = a.commit("a", "what was agreed\n")
	good, bad := a.git("rev-parse", "HEAD:a"), ""
	a.git("checkout", "-q", "--orphan", "side")
	a.commit("a", "what was not read\n")
	bad = a.git("rev-parse", "HEAD:a")
	a.git("repack", "-adqf", "--depth=0")
	packs, err := filepath.Glob(filepath.Join(a.dir, ".git/objects/pack/*.pack"))
	if err != nil || len(packs) != 1 {
		t.Fatalf("packs: %v, %v", packs, err)
	}
	path := strings.TrimSuffix(packs[0], ".pack") + ".idx"
	index, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	// The offsets of two objects change places; the checksums are made anew.
	n := int(binary.BigEndian.Uint32(index[8+255*4:]))
	ids := 8 + 256*4
	at := func(id string) int {
		raw, err := hex.DecodeString(id)
		if err != nil {
			t.Fatal(err)
		}
		for i := range n {
			if string(index[ids+i*20:ids+i*20+20]) == string(raw) {
				return ids + n*24 + i*4
			}
		}
		t.Fatalf("%s is not in the index", id)
		return 0
	}
	i, j := at(good), at(bad)
	one := string(index[i : i+4])
	copy(index[i:i+4], index[j:j+4])
	copy(index[j:j+4], one)
	trailer := sha1.Sum(index[:len(index)-20])
	copy(index[len(index)-20:], trailer[:])
	forged = filepath.Join(t.TempDir(), "idx")
	if err := os.WriteFile(forged, index, 0o600); err != nil {
		t.Fatal(err)
	}
	return packs[0], forged, id
}

// An index that a member forged shows another file; a verification that trusts
// no index finds it, and nothing else does.
func TestForgedIndex(t *testing.T) {
	t.Parallel()
	storage := mem.New()
	a := create(t, storage)
	st := forgedIndex(t, a)
	b := a.another(storage.Handle())
	if _, err := b.fetch(); err != nil {
		t.Fatal(err)
	}
	if got := b.git("cat-file", "-p", "refs/bucket/heads/main:a"); got != "what was not read" {
		t.Fatalf("the test forged nothing: %q", got)
	}
	if r, err := b.bucket.Verify(t.Context(), bucket.VerifyOptions{}); err != nil || !r.Healthy {
		t.Fatalf("%v\n%s", err, r)
	}
	r := b.verify()
	object := bucket.ObjectName(st.Packs[0].Index.SHA256)
	if len(r.Findings) != 1 || r.Findings[0].Object != object || r.Findings[0].Kind != bucket.KindForged || r.Findings[0].Generation != 2 {
		t.Fatalf("findings:\n%s", r)
	}
	got, err := b.bucket.VerifyPacks(t.Context(), bucket.VerifyPacksOptions{Git: newGit(t), Scratch: t.TempDir(), Repo: b.repo})
	if err != nil || got.Checked != 0 || len(got.Findings) != 1 || got.Findings[0].Object != object {
		t.Fatalf("%v, %+v", err, got)
	}
	if left, err := b.bucket.Unverified(got.State); err != nil || len(left) != 1 {
		t.Fatalf("%v, unverified: %v", err, left)
	}
	c := a.another(storage.Handle())
	if _, err := c.bucket.Fetch(t.Context(), c.repo, bucket.FetchOptions{Paranoid: true}); err != nil {
		t.Fatal(err)
	}
	if got := c.git("cat-file", "-p", st.Refs["refs/heads/main"]+":a"); got != "what was agreed" {
		t.Fatalf("a paranoid fetch shows %q", got)
	}
}

// Packs are verified once on each installation, with a clone and without, and
// what was verified stays so where it was cut short.
func TestVerifyPacks(t *testing.T) {
	t.Parallel()
	for _, clone := range []bool{true, false} {
		storage := mem.New()
		a := create(t, storage)
		for i := range 6 {
			a.mustPush("refs/heads/main", a.commit("notes/a.md", strings.Repeat(fmt.Sprintf("line %d\n", i), 500)))
		}
		b := a.another(storage.Handle())
		opt := bucket.VerifyPacksOptions{Git: newGit(t), Scratch: t.TempDir()}
		if clone {
			b.mustFetch()
			opt.Repo = b.repo
		}
		ctx, cancel := context.WithCancel(t.Context())
		opt.Progress = func(done, total int) {
			if done == 3 && total == 6 {
				cancel()
			}
		}
		if got, err := b.bucket.VerifyPacks(ctx, opt); err == nil || got.Checked < 3 || got.Checked == 6 {
			t.Fatalf("cut short: %v, %+v", err, got)
		}
		opt.Progress = nil
		b.reopen()
		got, err := b.bucket.VerifyPacks(t.Context(), opt)
		if err != nil || got.Checked == 0 || got.Before < 3 || got.Before+got.Checked != 6 || len(got.Findings) > 0 {
			t.Fatalf("%v, %+v", err, got)
		}
		if left, err := b.bucket.Unverified(got.State); err != nil || len(left) > 0 {
			t.Fatalf("%v, unverified: %v", err, left)
		}
		a.mustPush("refs/heads/main", a.commit("notes/a.md", "seven\n"))
		if clone {
			b.mustFetch()
		}
		if got, err = b.bucket.VerifyPacks(t.Context(), opt); err != nil || got.Checked != 1 || got.Before != 6 {
			t.Fatalf("%v, %+v", err, got)
		}
		if rest, err := os.ReadDir(opt.Scratch); err != nil || len(rest) > 0 {
			t.Fatalf("left in memory: %v, %v", err, rest)
		}
	}
}
