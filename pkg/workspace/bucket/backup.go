package bucket

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/workspace/blob"
)

// maxPasses is how often a backup looks again where a collection removed what it
// was about to copy.
const maxPasses = 10

// Backup copies a bucket into another store, which is a bucket then that can be
// opened, fetched from and restored. No key is needed: what is copied is
// encrypted. What is there already is not copied again, and nothing there is
// changed or removed, but what is damaged there is replaced where opt.Check says
// so. Others may push and collect meanwhile: what the newest generation needs
// that is copied was copied before.
//
// The error is fault.Conflict where the other store has another bucket, a newer
// generation, or another history; nothing is copied then. It is fault.Invalid
// where blobs of the source are damaged: all others were copied.
//
// Whether the source is what it should be only somebody with a key can say:
// call Head first, so that no bucket that was set back, or damaged in its
// newest manifest, comes into the backup.
func Backup(ctx context.Context, from, to blob.Store, opt CopyOptions) (Copied, error) {
	c := &copier{from: from, to: to, opt: opt}
	id, err := readFormat(ctx, from)
	if err != nil {
		return c.out, err
	}
	c.out.ID = id
	if err := c.compare(ctx); err != nil {
		return c.out, err
	}
	if err := c.create(ctx, formatName, formatOf(id)); err != nil {
		return c.out, err
	}
	for pass := 1; ; pass++ {
		c.gone = false
		if err := c.pass(ctx); err != nil {
			return c.out, err
		}
		if !c.gone {
			break
		}
		if pass == maxPasses {
			return c.out, fault.New(fault.Conflict, "the bucket at "+from.URL()+" is changed faster than it can be copied; what was copied stays", "copy it again")
		}
	}
	return c.out, errors.Join(c.finish(ctx), c.unsound())
}

// compare refuses a destination that is not an older state of the source.
func (c *copier) compare(ctx context.Context) error {
	id, err := readFormat(ctx, c.to)
	if fault.Is(err, fault.NotFound) {
		return c.to.Probe(ctx)
	}
	if err != nil {
		return err
	}
	if id != c.out.ID {
		return fault.New(fault.Conflict, fmt.Sprintf("at %s is bucket %s, and at %s bucket %s; nothing was copied", c.to.URL(), id, c.from.URL(), c.out.ID), "give each bucket a place of its own")
	}
	are, err := generations(ctx, c.from)
	if err != nil {
		return err
	}
	have, err := generations(ctx, c.to)
	if err != nil {
		return err
	}
	if last(have) > last(are) {
		return fault.New(fault.Conflict,
			fmt.Sprintf("the newest generation at %s is %d, and at %s %d: the first was set back, or has lost its newest; nothing was copied", c.from.URL(), last(are), c.to.URL(), last(have)),
			"vexa workspace verify NAME says what is wrong; vexa workspace restore NAME --from BACKUP brings back what is missing")
	}
	for _, g := range slices.Backward(have) {
		if _, both := slices.BinarySearch(are, g); !both {
			continue
		}
		return c.sameManifest(ctx, g)
	}
	return nil
}

// sameManifest refuses where a generation is not the same in both stores.
func (c *copier) sameManifest(ctx context.Context, g int64) error {
	name := manifestName(g)
	one, err := readSealed(ctx, c.from, name)
	if err != nil {
		return err
	}
	two, err := readSealed(ctx, c.to, name)
	if err != nil {
		return err
	}
	if one != nil && two != nil && sum(one) == sum(two) {
		return nil
	}
	return fault.New(fault.Conflict,
		fmt.Sprintf("%s is %.12s at %s, and %.12s at %s: one is damaged, or they have two histories; nothing was copied", name, sumOrNone(one), c.from.URL(), sumOrNone(two), c.to.URL()),
		"vexa workspace verify NAME says which is damaged; if the backup is, begin another one in another place")
}

func sumOrNone(data []byte) string {
	if data == nil {
		return "unreadable"
	}
	return sum(data)
}

// pass copies one generation with everything before it. Objects come first:
// those that a manifest needs were stored before it, and it was listed before
// them.
func (c *copier) pass(ctx context.Context) error {
	are, err := generations(ctx, c.from)
	if err != nil {
		return err
	}
	if err := c.objects(ctx); err != nil {
		return err
	}
	if err := c.keyrings(ctx); err != nil {
		return err
	}
	if err := c.beside(ctx); err != nil {
		return err
	}
	if c.gone {
		return nil // what is gone a newer generation does without
	}
	have, err := generations(ctx, c.to)
	if err != nil {
		return err
	}
	for _, g := range are {
		if _, there := slices.BinarySearch(have, g); there {
			c.out.Present++
			continue
		}
		if err := c.manifest(ctx, g); err != nil || c.gone {
			return err
		}
	}
	return nil
}

// manifest copies one manifest.
func (c *copier) manifest(ctx context.Context, g int64) error {
	name := manifestName(g)
	data, err := readSealed(ctx, c.from, name)
	if err != nil {
		return err
	}
	if data == nil {
		if _, err := c.from.Stat(ctx, name); errors.Is(err, blob.ErrNotExist) {
			c.gone = true
			return nil
		}
		c.out.Damaged = append(c.out.Damaged, name)
		return nil
	}
	err = c.create(ctx, name, data)
	if errors.Is(err, errDiffers) { // another backup was faster, of another history
		return c.sameManifest(ctx, g)
	}
	if err != nil {
		return err
	}
	c.did(func() { c.out.Manifests++ }, int64(len(data)))
	return nil
}

// finish writes the hint, and makes everything durable that was copied.
func (c *copier) finish(ctx context.Context) error {
	have, err := generations(ctx, c.to)
	if err != nil {
		return err
	}
	c.out.Generation = last(have)
	if err := c.create(ctx, formatName, formatOf(c.out.ID)); err != nil {
		return err
	}
	if c.out.Generation == 0 {
		return nil
	}
	return c.to.Replace(ctx, hintName, []byte(decimal(c.out.Generation)+"\n"))
}
