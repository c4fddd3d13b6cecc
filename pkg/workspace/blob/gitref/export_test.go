package gitref

import (
	"context"

	"github.com/vexa-ai/vexa/pkg/workspace/object"
)

// Flush pushes what waits for the next Create.
func (s *Store) Flush(ctx context.Context) error {
	return s.do(ctx, "flush", func() error {
		waiting := s.waiting()
		return s.change(ctx, func(ctx context.Context, root object.ID) (step, error) { return s.carry(ctx, root, waiting) }, func() { s.settle(waiting) })
	})
}

// SetSizes has blobs split, and pushes bounded, at fewer bytes.
func (s *Store) SetSizes(part, batch int64) { s.limits.part, s.limits.batch = part, batch }

// SetTidy has the cache tidied earlier.
func (s *Store) SetTidy(packs, history int) { s.limits.packs, s.limits.history = packs, history }
