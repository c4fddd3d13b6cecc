package workspace_test

import (
	"testing"

	gogit "github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"

	"github.com/vexa-ai/vexa/pkg/workspace"
)

// What a seal writes is read here by another implementation of Git, so that
// our own encoder is not its only judge.
func TestSealedTurnIsReadByGoGit(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	info := w.create(t, "notes", map[string]string{"keep.md": "kept\n", "dir/old.md": "old\n"})
	c := w.checkout(t, "01J00000000000000000000000")
	write(t, c.Dir(), map[string]string{"dir/old.md": "new\n", "run.sh!": "#!/bin/sh\n", "née/ü.md": "utf-8\n"})
	sealed := w.seal(t, c, "Change three files")

	repo, err := gogit.PlainOpen(w.repo(info.ID))
	if err != nil {
		t.Fatal(err)
	}
	main, err := repo.Reference(plumbing.NewBranchReferenceName("main"), true)
	if err != nil {
		t.Fatal(err)
	}
	if main.Hash().String() != sealed.Main {
		t.Errorf("main is %s, want %s", main.Hash(), sealed.Main)
	}
	commit, err := repo.CommitObject(main.Hash())
	if err != nil {
		t.Fatal(err)
	}
	if commit.Author.Name != jane.Name || commit.NumParents() != 1 {
		t.Errorf("author %q, %d parents", commit.Author.Name, commit.NumParents())
	}
	want := map[string]string{"keep.md": "kept\n", "dir/old.md": "new\n", "run.sh": "#!/bin/sh\n", "née/ü.md": "utf-8\n"}
	for path, text := range want {
		f, err := commit.File(path)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		if got, err := f.Contents(); err != nil || got != text {
			t.Errorf("%s holds %q (%v), want %q", path, got, err, text)
		}
	}
	files := 0
	tree, err := commit.Files()
	if err != nil {
		t.Fatal(err)
	}
	if err := tree.ForEach(func(*object.File) error { files++; return nil }); err != nil || files != len(want) {
		t.Errorf("%d files (%v), want %d", files, err, len(want))
	}
	log, err := w.Log(t.Context(), info.ID, workspace.LogQuery{Limit: 1})
	if err != nil || len(log) != 1 || log[0].SHA != commit.Hash.String() {
		t.Errorf("log %+v, %v", log, err)
	}
}
