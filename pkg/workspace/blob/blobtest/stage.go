package blobtest

import (
	"fmt"
	"strings"

	"github.com/vexa-ai/vexa/pkg/workspace/blob"
)

// stage: a blob has no name before Commit, and everybody sees it at the latest
// after a later Create.
func stage(f *fixture) {
	st, err := f.first.Stage(f.ctx)
	f.must(err, "stage")
	f.write(st, "one, ")
	f.write(st, "")
	f.write(st, strings.Repeat("two", 50_000))
	if got := f.listed(f.second, "", ""); len(got) != 0 {
		f.Errorf("before Commit there is %q", got)
	}
	f.write(st, ", three")
	f.must(st.Commit(f.ctx, "pack/a"), "commit")
	st.Abort()
	if n, err := st.Write([]byte("more")); err == nil || n != 0 {
		f.Errorf("written after Commit: %d bytes, %v", n, err)
	}
	f.create(f.first, "log/1", "pack/a")
	st.Abort()
	f.holds("pack/a", "one, "+strings.Repeat("two", 50_000)+", three", f.both()...)
	if got := f.listed(f.second, "", ""); strings.Join(got, " ") != "log/1 pack/a" {
		f.Errorf("listed are %q", got)
	}
}

// stageAbort: what is aborted was never there.
func stageAbort(f *fixture) {
	for _, data := range []string{"", "x", strings.Repeat("x", 300_000)} {
		st, err := f.first.Stage(f.ctx)
		f.must(err, "stage")
		f.write(st, data)
		st.Abort()
		st.Abort()
		if err := st.Commit(f.ctx, "aborted"); err == nil {
			f.Error("committed after Abort")
		}
		st.Abort()
	}
	f.create(f.first, "log/1", "x")
	f.lacks("aborted", f.both()...)
	if got := f.listed(f.second, "", ""); strings.Join(got, " ") != "log/1" {
		f.Errorf("listed are %q", got)
	}
}

// stageMany: stages are written at once, and all that were committed are there
// after one Create.
func stageMany(f *fixture) {
	const n = 100
	stages := make([]blob.Stage, n)
	for i := range stages {
		var err error
		stages[i], err = f.first.Stage(f.ctx)
		f.must(err, "stage")
	}
	for piece := range 3 {
		for i, st := range stages {
			f.write(st, fmt.Sprintf("%d of %d;", piece, i))
		}
	}
	for i, st := range stages {
		f.must(st.Commit(f.ctx, fmt.Sprintf("pack/%03d", i)), "commit")
	}
	f.create(f.first, "log/1", "x")
	for i := range n {
		f.holds(fmt.Sprintf("pack/%03d", i), fmt.Sprintf("0 of %d;1 of %d;2 of %d;", i, i, i), f.second)
	}
	if got := f.listed(f.second, "pack/", ""); len(got) != n {
		f.Errorf("%d are listed", len(got))
	}
}

// stageTakenName: Commit keeps the blob that has the name, whose ever it is.
func stageTakenName(f *fixture) {
	f.commit(f.first, "pack/a", "first")
	f.commit(f.first, "pack/a", "again by the same")
	f.create(f.first, "log/1", "x")
	f.holds("pack/a", "first", f.both()...)
	f.commit(f.second, "pack/a", "by another")
	f.commit(f.first, "pack/a", "once more")
	f.create(f.second, "log/2", "x")
	f.create(f.first, "log/3", "x")
	f.holds("pack/a", "first", f.both()...)
}

// stageThenCreateTheSame: a committed name is taken for Create, which says
// whether it is by the same bytes.
func stageThenCreateTheSame(f *fixture) {
	f.commit(f.first, "same", "bytes")
	f.create(f.first, "same", "bytes")
	f.holds("same", "bytes", f.both()...)
	f.commit(f.first, "other", "bytes")
	f.fails(f.first.Create(f.ctx, "other", []byte("others")), blob.ErrExist, "other", "create")
	f.create(f.first, "log/1", "x")
	f.holds("other", "bytes", f.both()...)
}

// commitThenLose: a Create that loses takes nothing from what was committed,
// which the next one that wins is good for.
func commitThenLose(f *fixture) {
	f.create(f.second, "log/1", "theirs")
	f.commit(f.first, "pack/a", "ours")
	f.fails(f.first.Create(f.ctx, "log/1", []byte("ours")), blob.ErrExist, "log/1", "create")
	f.create(f.first, "log/2", "ours")
	f.holds("pack/a", "ours", f.both()...)
}

// commitThenConfirm: a Create that finds its own bytes is as good as one that
// wrote them.
func commitThenConfirm(f *fixture) {
	f.create(f.second, "log/1", "agreed")
	f.commit(f.first, "pack/a", "ours")
	f.create(f.first, "log/1", "agreed")
	f.holds("pack/a", "ours", f.both()...)
}

// commitThenRemove: what was removed after it was committed does not come back.
func commitThenRemove(f *fixture) {
	f.commit(f.first, "pack/a", "x")
	f.commit(f.first, "pack/b", "y")
	f.must(f.first.Remove(f.ctx, "pack/a"), "remove")
	f.create(f.first, "log/1", "x")
	f.lacks("pack/a", f.both()...)
	f.holds("pack/b", "y", f.both()...)
}
