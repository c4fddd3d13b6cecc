package gitremote_test

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/contract/manifestv1"
	"github.com/vexa-ai/vexa/pkg/workspace/blob/dir"
	"github.com/vexa-ai/vexa/pkg/workspace/bucket"
	"github.com/vexa-ai/vexa/pkg/workspace/git"
)

// TestUnapprovedIsNotFetched: somebody moves a branch that takes approved proposals
// only. Git hears of it neither where it has the objects already nor when it is asked
// again.
func TestUnapprovedIsNotFetched(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	for _, seen := range []bool{false, true} {
		t.Run(fmt.Sprint("objects seen ", seen), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			m, evil := w.machine("m1"), w.machine("m2")
			at := m.seeded("repo")
			before := m.head(at)
			clone := evil.clone("clone")
			evil.git(clone, "checkout", "-q", "-b", "x")
			x := evil.commit(clone, "evil.md", "evil\n")
			if seen {
				evil.git(clone, "push", "-q", "origin", "x:refs/heads/joe/x")
			}
			store, err := dir.Open(w.bucket, dir.Options{})
			must(t, err)
			b, err := bucket.Open(ctx, bucket.Options{Store: store, Keys: w, State: t.TempDir(), Now: time.Now})
			must(t, err)
			defer b.Close()
			_, err = b.SetMembership(ctx, func(mm *manifestv1.Membership, _ *bucket.State) (bool, error) {
				mm.Approvals = []manifestv1.Approval{{Refs: "refs/heads/main", Threshold: 1}}
				return false, nil
			})
			must(t, err)
			m.git(at, "fetch", "-q", "origin")
			g, err := git.New(ctx, git.Options{})
			must(t, err)
			repo := g.Repo(filepath.Join(clone, ".git"))
			defer repo.Close()
			r, err := bucket.OpenRepo(ctx, repo)
			must(t, err)
			_, res, err := b.Push(ctx, r, []bucket.Update{{Ref: "refs/heads/main", New: x, Force: true}}, bucket.PushOptions{Approved: []string{"refs/heads/main"}})
			if err != nil || res[0].Err != nil {
				t.Fatal(err, res)
			}
			for range 2 {
				for _, args := range [][]string{{"fetch", "origin"}, {"pull", "origin", "main"}, {"ls-remote", "origin"}} {
					if out := m.try(at, args...); out.code == 0 {
						t.Errorf("git %q: %s", args, out.err)
					}
				}
			}
			if now := m.git(at, "rev-parse", "origin/main"); now != before || m.head(at) != before {
				t.Errorf("origin/main is %s", now)
			}
		})
	}
}
