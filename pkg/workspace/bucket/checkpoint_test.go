package bucket_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/workspace/blob/mem"
	"github.com/vexa-ai/vexa/pkg/workspace/bucket"
)

// TestJoin: by a checkpoint, a newcomer notices what they could not notice alone.
func TestJoin(t *testing.T) {
	t.Parallel()
	storage, jane, joe := shared(t)
	ctx := t.Context()
	c, _, err := jane.bucket.Checkpoint(ctx)
	if err != nil || len(c.Roots) != 1 || c.Bucket != jane.bucket.ID() {
		t.Fatalf("%+v, %v", c, err)
	}
	join := func(c bucket.Checkpoint, from *mem.Storage, state string) (*bucket.State, error) {
		_, st, err := bucket.Join(ctx, options(joe.who, from.Handle(), state), c)
		return st, err
	}
	if st, err := join(c, storage, t.TempDir()); err != nil || st.Generation != c.Generation {
		t.Fatalf("%+v, %v", st, err)
	}
	id := jane.commit("a", "later\n")
	jane.mustPush("refs/heads/main", id)
	if st, err := join(c, storage, t.TempDir()); err != nil || st.Refs["refs/heads/main"] != id {
		t.Fatalf("what came after the checkpoint: %v", err)
	}
	if _, err := join(c, storage, joe.state); err != nil {
		t.Errorf("who has seen it already: %v", err)
	}
	// A storage that begins again after the checkpoint, with the same members.
	set := mem.New()
	copied := set.Handle()
	for name, data := range blobsOf(t, storage.Handle()) {
		if name == bucket.ManifestName(c.Generation) || name == bucket.ManifestName(c.Generation+1) {
			continue
		}
		if err := copied.Replace(ctx, name, data); err != nil {
			t.Fatal(err)
		}
	}
	other := c
	other.Bucket = c.Bucket[:31] + map[bool]string{true: "1", false: "0"}[c.Bucket[31:] == "0"]
	founders := c
	founders.Roots = []string{joe.who.signer.Key().Fingerprint()}
	forked := c
	forked.SHA256 = c.SHA256[:63] + map[bool]string{true: "1", false: "0"}[c.SHA256[63:] == "0"]
	for name, x := range map[string]struct {
		c    bucket.Checkpoint
		from *mem.Storage
	}{
		"another bucket": {other, storage}, "other founders": {founders, storage}, "another history": {forked, storage}, "set back": {c, set},
	} {
		state := t.TempDir()
		if _, err := join(x.c, x.from, state); !fault.Is(err, fault.Denied) || fault.HintOf(err) == "" {
			t.Errorf("%s: %v", name, err)
		}
		if pins, err := filepath.Glob(filepath.Join(state, "*", "pin.json")); err != nil || len(pins) != 0 {
			t.Errorf("%s: %v is remembered, %v", name, pins, err)
		}
		if _, err := join(c, storage, state); err != nil {
			t.Errorf("%s, and then the right one: %v", name, err)
		}
	}
	if _, err := os.Stat(filepath.Join(joe.state, c.Bucket, "pin.json")); err != nil {
		t.Error(err)
	}
}

// TestJoinLater: who has seen less than the inviter, or something else, is told.
func TestJoinLater(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	storage, jane, _ := shared(t)
	set := mem.New() // the storage as it is now, for later
	for name, data := range blobsOf(t, storage.Handle()) {
		if err := set.Handle().Replace(ctx, name, data); err != nil {
			t.Fatal(err)
		}
	}
	state := t.TempDir()
	b, err := bucket.Open(ctx, options(jane.who, set.Handle(), state))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Head(ctx); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"later\n", "latest\n"} {
		jane.mustPush("refs/heads/main", jane.commit("a", text))
	}
	c, _, err := jane.bucket.Checkpoint(ctx)
	if err != nil {
		t.Fatal(err)
	}
	forged, nobody, empty := c, c, c
	forged.SHA256 = strings.Repeat("0", 64)
	nobody.By = newPerson(t).signer.Key().String()
	empty.Generation = 0
	for name, x := range map[string]struct {
		c    bucket.Checkpoint
		from *mem.Storage
		kind fault.Kind
	}{
		"set back behind the checkpoint": {c, set, fault.Denied}, "a checkpoint that is not so": {forged, storage, fault.Denied},
		"by nobody": {nobody, storage, fault.Denied}, "no checkpoint": {empty, storage, fault.Invalid},
	} {
		if _, _, err := bucket.Join(ctx, options(jane.who, x.from.Handle(), state), x.c); !fault.Is(err, x.kind) || fault.HintOf(err) == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
	c.By = jane.who.signer.Key().String()
	if _, st, err := bucket.Join(ctx, options(jane.who, storage.Handle(), state), c); err != nil || st.Generation != c.Generation {
		t.Errorf("%+v, %v", st, err)
	}
}
