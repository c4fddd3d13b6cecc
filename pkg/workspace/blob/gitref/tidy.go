package gitref

import (
	"context"
	"os"
	"strings"

	"github.com/vexa-ai/vexa/pkg/workspace/git"
	"github.com/vexa-ai/vexa/pkg/workspace/object"
)

// limits say when a store does things that it need not do each time.
type limits struct {
	part    int64 // bytes of one file of the tree
	batch   int64 // bytes of one push; forges refuse 2 GiB
	packs   int   // of the cache, above which they are joined
	history int   // commits behind the newest one that the cache keeps then
}

func defaultLimits() limits { return limits{part: 64 << 20, batch: 1 << 30, packs: 40, history: 256} }

// tidy joins the packs of the cache where they became many, and forgets the
// oldest commits: git looks through the history when it pushes. What fails is
// tried again with the next pack. The lock is held.
func (s *Store) tidy(ctx context.Context) {
	packs := 0
	entries, _ := os.ReadDir(s.cache.packDir())
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".pack") {
			packs++
		}
	}
	if packs <= s.limits.packs || s.cutHistory(ctx, s.limits.history) != nil {
		return
	}
	_, _ = s.cache.repo.Run(ctx, git.Cmd{Args: []string{"repack", "--geometric=2", "-d", "-q"}})
}

// cutHistory makes the commit that is depth commits behind the newest one the
// first of the cache.
func (s *Store) cutHistory(ctx context.Context, depth int) error {
	_, head, err := s.root(ctx)
	if err != nil || head.IsZero() {
		return err
	}
	for id := head; ; depth-- {
		c, err := s.readCommit(ctx, id)
		if err != nil {
			return err
		}
		if len(c.Parents) == 0 {
			return s.cache.put("shallow", "", true)
		}
		if depth <= 0 {
			return s.cache.put("shallow", id.String()+"\n", false)
		}
		id = c.Parents[0]
	}
}

// shrink removes from the cache whatever the newest state does not need. The
// lock is held.
func (s *Store) shrink(ctx context.Context) error {
	if err := s.cutHistory(ctx, 0); err != nil {
		return err
	}
	if err := s.cache.setRef(incoming, object.ID{}); err != nil {
		return err
	}
	_, err := s.cache.repo.Run(ctx, git.Cmd{Args: []string{"repack", "-a", "-d", "-q"}})
	return err
}
