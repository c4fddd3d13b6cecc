package gitref

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/vexa-ai/vexa/pkg/workspace/object"
)

// addition is a blob that is to be in the tree.
type addition struct {
	name    string
	content *pending
	ids     []object.ID // of its parts, once they are in the cache
}

// write writes the commit of a step, which follows head and its tree, with all
// that is new in it as one pack, flushed. It returns head where the step changes
// nothing. The lock is held.
func (s *Store) write(ctx context.Context, tree, head object.ID, st step) (object.ID, error) {
	pack := object.NewStoredPack(s.cache.packDir())
	defer pack.Abort()
	edits := st.edits
	for _, a := range st.put {
		err := s.pack(ctx, pack, a)
		if errors.Is(err, fs.ErrNotExist) && s.waits(a.name) != a.content {
			continue // it was removed meanwhile
		}
		if err != nil {
			return head, fmt.Errorf("write %s: %w", a.name, err)
		}
		edits = append(edits, edit{name: a.name, parts: a.ids, replace: a.content.replace})
	}
	root, err := s.build(ctx, pack, tree, edits)
	if err == nil && root == tree && !head.IsZero() {
		return head, nil
	}
	if err == nil && root.IsZero() {
		root, err = pack.Add(object.KindTree, nil)
	}
	if err != nil {
		return head, err
	}
	var parents []object.ID
	if !head.IsZero() {
		parents = append(parents, head)
	}
	return finish(pack, commitOf(root, parents...))
}

func finish(pack *object.Pack, c object.Commit) (object.ID, error) {
	id, err := pack.Add(object.KindCommit, c.Encode())
	if err == nil {
		_, err = pack.Finish()
	}
	return id, err
}

// pack writes the parts of a blob, unless an earlier try did.
func (s *Store) pack(ctx context.Context, pack *object.Pack, a *addition) error {
	if len(a.ids) > 0 {
		if have, err := s.have(ctx, a.ids); have || err != nil {
			return err
		}
		a.ids = nil
	}
	r, err := a.content.open()
	if err != nil {
		return err
	}
	defer r.Close()
	for left := a.content.size; ; left -= s.limits.part {
		n := min(left, s.limits.part)
		if err := ctx.Err(); err != nil {
			return err
		}
		id, err := pack.AddStream(object.KindBlob, n, exactly(r, n, left > s.limits.part))
		if err != nil {
			return err
		}
		a.ids = append(a.ids, id)
		if left <= s.limits.part {
			return nil
		}
	}
}

// exactly returns the next n bytes of r; where nothing else follows all of r, so
// that what is too long is seen.
func exactly(r io.Reader, n int64, follows bool) io.Reader {
	if follows {
		return io.LimitReader(r, n)
	}
	return r
}

// partIDs returns what the parts of these bytes are named.
func (s *Store) partIDs(data []byte) ([]object.ID, error) {
	var ids []object.ID
	for {
		n := min(int64(len(data)), s.limits.part)
		id, err := object.Name(object.KindBlob, data[:n])
		if err != nil {
			return nil, err
		}
		ids = append(ids, id)
		if data = data[n:]; len(data) == 0 {
			return ids, nil
		}
	}
}
