package object_test

import (
	"bytes"
	"crypto/rand"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/vexa-ai/vexa/pkg/workspace/object"
)

// TestStoredPack has git read a pack whose entries are not compressed.
func TestStoredPack(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if out, err := exec.Command("git", "init", "-q", "--bare", dir).CombinedOutput(); err != nil {
		t.Fatalf("%s", out)
	}
	var all [][]byte
	var ids []object.ID
	pack := object.NewStoredPack(filepath.Join(dir, "objects/pack"))
	for _, n := range []int{0, 1, 100, 65534, 65535, 65536, 131070, 131071, 1 << 20} {
		data := make([]byte, n)
		if _, err := rand.Read(data); err != nil {
			t.Fatal(err)
		}
		id, err := pack.AddStream(object.KindBlob, int64(n), bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		all, ids = append(all, data), append(ids, id)
	}
	name, err := pack.Finish()
	if err != nil {
		t.Fatal(err)
	}
	for i, id := range ids {
		out, err := exec.Command("git", "--git-dir="+dir, "cat-file", "blob", id.String()).Output()
		if err != nil || !bytes.Equal(out, all[i]) {
			t.Errorf("%d bytes came back as %d, %v", len(all[i]), len(out), err)
		}
	}
	if out, err := exec.Command("git", "--git-dir="+dir, "fsck", "--strict", "--no-dangling").CombinedOutput(); err != nil || strings.Contains(string(out), "error") {
		t.Errorf("%s, %v", out, err)
	}
	if out, err := exec.Command("git", "--git-dir="+dir, "verify-pack", filepath.Join(dir, "objects/pack", name+".idx")).CombinedOutput(); err != nil {
		t.Errorf("%s, %v", out, err)
	}
	st, err := os.Stat(filepath.Join(dir, "objects/pack", name+".pack"))
	if err != nil || st.Size() > 1_508_000 {
		t.Errorf("the pack has %s bytes, %v", strconv.FormatInt(st.Size(), 10), err)
	}
	short := object.NewStoredPack(filepath.Join(dir, "objects/pack"))
	defer short.Abort()
	for _, size := range []int64{2, 4} {
		if _, err := short.AddStream(object.KindBlob, size, strings.NewReader("abc")); err == nil {
			t.Errorf("3 bytes passed for %d", size)
		}
	}
}
