package gitref

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/workspace/git"
	"github.com/vexa-ai/vexa/pkg/workspace/object"
)

// cleanUp is how long Probe tries to remove its tag after its context ended.
const cleanUp = 30 * time.Second

// races is how often two pushes are made at once, until they really were.
const races = 3

// Probe implements blob.Store. It forgets what the cache remembers of the
// remote, sees that the branch is ours or not there, and then that of two commits
// that do not follow each other and are pushed at once the remote takes one, and
// none when it has one. That happens to tags of random names, which it removes in
// the end: a new repository would make a branch its main one.
//
// The error is fault.Invalid where the branch is somebody else's, and
// fault.Denied where the remote takes no push, or takes both.
func (s *Store) Probe(ctx context.Context) error {
	return s.do(ctx, "probe", func() error {
		unlock, err := s.cache.lock(ctx)
		if err != nil {
			return err
		}
		defer unlock()
		if err := s.cache.setRef(branch, object.ID{}); err != nil {
			return err
		}
		if err := s.fetch(ctx); err != nil {
			return err
		}
		root, _, err := s.root(ctx)
		if err == nil {
			_, err = s.directory(ctx, root)
		}
		for range races {
			if err != nil {
				return err
			}
			var met bool
			if met, err = s.race(ctx, "refs/tags/vexa-probe-"+strings.ToLower(rand.Text())); met {
				return err
			}
		}
		return err
	})
}

// race pushes commits that do not follow each other to one tag. It reports
// whether two of them met at the remote, so that it was the remote that refused
// one, and not git here, which came when the other was through.
func (s *Store) race(ctx context.Context, tag string) (met bool, err error) {
	ids, err := s.unrelated(3)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, s.removeTag(ctx, tag)) }()
	results := make(chan error, 2)
	for _, id := range ids[:2] {
		go func() { results <- s.remote.Push(ctx, id, tag) }()
	}
	taken := 0
	for range 2 {
		rerr := <-results
		failed, ok := errors.AsType[*git.RemoteError](rerr)
		switch {
		case rerr == nil:
			taken++
		case ok && failed.Trouble == git.Moved:
			met = met || failed.ByRemote
		default:
			err = errors.Join(err, rerr)
		}
	}
	if err != nil {
		return false, err
	}
	last := s.remote.Push(ctx, ids[2], tag)
	switch {
	case last != nil && !isMoved(last):
		return met, last
	case taken < 2 && (last != nil || taken == 0):
		return met, nil
	}
	return true, fault.New(fault.Denied, fmt.Sprintf("of three pushes that exclude each other it took %d and more", taken),
		"keep the bucket at another remote: there writers would overwrite each other")
}

func isMoved(err error) bool {
	failed, ok := errors.AsType[*git.RemoteError](err)
	return ok && failed.Trouble == git.Moved
}

// unrelated makes n commits without parents, each with a random file.
func (s *Store) unrelated(n int) ([]string, error) {
	pack := object.NewStoredPack(s.cache.packDir())
	defer pack.Abort()
	var ids []string
	for range n {
		file, err := pack.Add(object.KindBlob, []byte(rand.Text()))
		if err != nil {
			return nil, err
		}
		tree, err := pack.Add(object.KindTree, object.EncodeTree([]object.TreeEntry{{Name: "probe", Mode: object.ModeFile, ID: file}}))
		if err != nil {
			return nil, err
		}
		id, err := pack.Add(object.KindCommit, commitOf(tree).Encode())
		if err != nil {
			return nil, err
		}
		ids = append(ids, id.String())
	}
	_, err := pack.Finish()
	return ids, err
}

// removeTag removes the tag from the remote, also after ctx ended.
func (s *Store) removeTag(ctx context.Context, tag string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanUp)
	defer cancel()
	for try := 1; ; try++ {
		now, err := s.remote.List(ctx, tag)
		if err == nil && now[tag] == "" {
			return nil
		}
		if err == nil {
			if err = s.remote.Delete(ctx, now[tag], tag); err == nil {
				return nil
			}
		}
		if failed, ok := errors.AsType[*git.RemoteError](err); !ok || failed.Trouble == git.Denied || failed.Trouble == git.Missing || try == tries {
			return fmt.Errorf("remove the tag %s: %w", tag, err)
		}
		if err := pause(ctx, try, time.Second); err != nil {
			return err
		}
	}
}
