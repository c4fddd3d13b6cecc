package object_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vexa-ai/vexa/pkg/workspace/object"
)

func TestParseCommit(t *testing.T) {
	t.Parallel()
	when := time.Unix(1_700_000_000, 0).UTC()
	want := object.Commit{
		Tree: object.ID{1}, Parents: []object.ID{{2}, {3}},
		Author:    object.Signature{Name: "Jane D", Email: "jane@example.com", Time: when},
		Committer: object.Signature{Name: "Vexa", Email: "vexa@localhost", Time: when.Add(time.Second)},
		Message:   "first\n\nsecond\n",
	}
	got, err := object.ParseCommit(want.Encode())
	if err != nil || cmp.Diff(want, got) != "" {
		t.Errorf("%v\n%s", err, cmp.Diff(want, got))
	}
	// As other programs write them.
	tree := strings.Repeat("a", 40)
	for _, text := range []string{
		"tree " + tree + "\nauthor a <b> 1 +0200\ncommitter c <d> 5 -0730\ngpgsig -----BEGIN\n parent x\n \n tree y\nencoding latin1\n\nm",
		"tree " + tree + "\nparent " + tree + "\nauthor <> 1\ncommitter x > y <d> 5 +0000\n",
	} {
		if c, err := object.ParseCommit([]byte(text)); err != nil || c.Tree.String() != tree || c.Committer.Time.Unix() != 5 {
			t.Errorf("%q: %+v, %v", text, c, err)
		}
	}
	for _, bad := range []string{
		"", "\n\n", "tree x\n", "parent " + tree + "\ntree " + tree, "tree " + tree + "\nparent x\ncommitter c <d> 5 +0000\n\n",
		"tree " + tree + "\nauthor a <b> 1 +0\n\ncommitter c <d> 5 +0000\n", "tree " + tree + "\ncommitter c <d> x +0000\n\n", "tree " + tree + "\ncommitter c\n\n",
	} {
		if c, err := object.ParseCommit([]byte(bad)); err == nil {
			t.Errorf("%q was read as %+v", bad, c)
		}
	}
}

func TestParseTree(t *testing.T) {
	t.Parallel()
	want := []object.TreeEntry{
		{Name: "a b\n", Mode: object.ModeFile, ID: object.ID{1}},
		{Name: "dir", Mode: object.ModeDir, ID: object.ID{0, ' ', 0}},
		{Name: "é", Mode: object.ModeLink, ID: object.ID{3}},
	}
	data := object.EncodeTree(slices.Clone(want))
	got, err := object.ParseTree(data)
	if err != nil || cmp.Diff(want, got) != "" {
		t.Errorf("%v\n%s", err, cmp.Diff(want, got))
	}
	if got, err := object.ParseTree(nil); err != nil || len(got) != 0 {
		t.Errorf("an empty tree: %v, %v", got, err)
	}
	for _, n := range []int{1, 6, 7, 8, 10, 11, 12, 30, len(data) - 1} {
		if got, err := object.ParseTree(data[:n]); err == nil {
			t.Errorf("the first %d bytes were read as %v", n, got)
		}
	}
	for _, bad := range []string{"9 a\x00" + strings.Repeat("x", 20), " a\x00" + strings.Repeat("x", 20), "100644\x00a " + strings.Repeat("x", 30)} {
		if got, err := object.ParseTree([]byte(bad)); err == nil {
			t.Errorf("%q was read as %v", bad, got)
		}
	}
}

func FuzzParseCommit(f *testing.F) {
	f.Add([]byte("tree " + strings.Repeat("a", 40) + "\nauthor a <b> 1 +0200\ncommitter c <d> 5 -0730\n\nm"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := object.ParseCommit(data)
		if err == nil && !bytes.Contains(data, []byte(c.Tree.String())) && !bytes.Contains(bytes.ToLower(data), []byte(c.Tree.String())) {
			t.Errorf("%q has no tree %s", data, c.Tree)
		}
	})
}

func FuzzParseTree(f *testing.F) {
	f.Add(object.EncodeTree([]object.TreeEntry{{Name: "a", Mode: object.ModeFile}, {Name: "b", Mode: object.ModeDir}}))
	f.Fuzz(func(t *testing.T, data []byte) {
		entries, err := object.ParseTree(data)
		if err != nil {
			return
		}
		size := 0
		for _, e := range entries {
			size += len(e.Name) + object.Size
		}
		if size > len(data) {
			t.Errorf("%d bytes of entries in %d bytes", size, len(data))
		}
	})
}
