package bucket

import (
	"context"
	"errors"
	"slices"

	"github.com/vexa-ai/vexa/pkg/workspace/blob"
)

// beside copies what is kept beside the generations and the destination lacks: notices,
// and what was delivered and waits. A pack comes before the delivery that names it.
func (c *copier) beside(ctx context.Context) error {
	for _, prefix := range []string{Notices, Deliveries} {
		are, err := listed(ctx, c.from, prefix)
		if err != nil {
			return err
		}
		have, err := listed(ctx, c.to, prefix)
		if err != nil {
			return err
		}
		names := slices.Sorted(mapKeys(are))
		slices.Reverse(names)
		for _, name := range names {
			if _, there := have[name]; there {
				c.did(func() { c.out.Present++ }, 0)
				continue
			}
			if err := c.besideOne(ctx, name, are[name]); err != nil {
				return err
			}
		}
	}
	return nil
}

// besideOne copies one of them. Whether it is sound says whoever reads it.
func (c *copier) besideOne(ctx context.Context, name string, size int64) error {
	stage, err := c.to.Stage(ctx)
	if err != nil {
		return unreadable("store "+name+" at "+c.to.URL(), err)
	}
	defer stage.Abort()
	_, err = c.stream(ctx, name, size, stage)
	if errors.Is(err, blob.ErrNotExist) {
		return nil // it was taken up
	}
	if err != nil {
		return err
	}
	if err := stage.Commit(ctx, name); err != nil {
		return unreadable("store "+name+" at "+c.to.URL(), err)
	}
	c.did(func() { c.out.Objects++ }, size)
	return nil
}
