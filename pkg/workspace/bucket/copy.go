package bucket

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/workspace/blob"
)

// CopyOptions says how blobs are copied from one store to another.
type CopyOptions struct {
	// Check reads what is in the destination already and replaces what is damaged
	// there. A restore always does.
	Check bool
	// Progress is called with the bytes that were copied and those that will be;
	// nil: nobody is told. It is called by one goroutine at a time.
	Progress func(done, total int64)
}

// Copied is what a backup or a restore did.
type Copied struct {
	ID         string // of the bucket
	Generation int64  // the newest in the destination now
	// What was copied.
	Manifests, Keyrings, Objects int
	Bytes                        int64
	Present                      int      // blobs that were there already
	Replaced                     []string // blobs of the destination that were damaged and are whole now
	Damaged                      []string // blobs of the source that are damaged, and were not copied
}

// copier copies blobs between stores. Its methods that end in One are called by
// several goroutines.
type copier struct {
	from, to blob.Store
	opt      CopyOptions

	mu    sync.Mutex
	out   Copied
	total int64
	gone  bool // something that was listed is gone
}

// copiers is how many objects are copied at once.
const copiers = 8

// listed returns the sizes of the blobs below a prefix.
func listed(ctx context.Context, s blob.Store, prefix string) (map[string]int64, error) {
	out := map[string]int64{}
	err := s.List(ctx, prefix, "", func(i blob.Info) error {
		out[i.Name] = i.Size
		return nil
	})
	if err != nil {
		return nil, unreadable("list "+s.URL(), err)
	}
	return out, nil
}

// objects copies every object that the destination lacks.
func (c *copier) objects(ctx context.Context) error {
	have, err := listed(ctx, c.to, objects)
	if err != nil {
		return err
	}
	are, err := listed(ctx, c.from, objects)
	if err != nil {
		return err
	}
	var names []string
	for _, name := range slices.Sorted(mapKeys(are)) {
		size, there := have[name]
		switch {
		case objectOf(name) == "" || slices.Contains(c.out.Damaged, name):
		case there && size == are[name] && !c.opt.Check:
			c.out.Present++
		default:
			names = append(names, name)
			c.total += are[name]
		}
	}
	return inTurn(ctx, names, func(ctx context.Context, name string) error {
		_, there := have[name]
		return c.objectOne(ctx, name, there, are[name])
	})
}

// inTurn calls fn with each name, several at once, and returns the first error.
func inTurn(ctx context.Context, names []string, fn func(context.Context, string) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	turns := make(chan string)
	var all sync.WaitGroup
	for range min(copiers, len(names)) {
		all.Go(func() {
			for name := range turns {
				if err := fn(ctx, name); err != nil {
					cancel(err)
				}
			}
		})
	}
	for _, name := range names {
		if ctx.Err() != nil {
			break
		}
		turns <- name
	}
	close(turns)
	all.Wait()
	return context.Cause(ctx)
}

// objectOne copies one object. there says that the destination has something of
// its name.
func (c *copier) objectOne(ctx context.Context, name string, there bool, size int64) error {
	if there {
		got, err := hashOf(ctx, c.to, name, size)
		if err == nil && got == objectOf(name) {
			c.did(func() { c.out.Present++ }, size)
			return nil
		}
		if err != nil && !errors.Is(err, blob.ErrNotExist) {
			return unreadable("read "+name+" of "+c.to.URL(), err)
		}
	}
	stage, err := c.to.Stage(ctx)
	if err != nil {
		return unreadable("store "+name+" at "+c.to.URL(), err)
	}
	defer stage.Abort()
	got, err := c.stream(ctx, name, size, stage)
	switch {
	case errors.Is(err, blob.ErrNotExist):
		c.did(func() { c.gone = true }, 0)
		return nil
	case err != nil:
		return err
	case got != objectOf(name):
		c.did(func() { c.out.Damaged = append(c.out.Damaged, name) }, size)
		return nil
	}
	if there {
		if err := c.to.Remove(ctx, name); err != nil {
			return unreadable("replace "+name+" at "+c.to.URL(), err)
		}
	}
	if err := stage.Commit(ctx, name); err != nil {
		return unreadable("store "+name+" at "+c.to.URL(), err)
	}
	c.did(func() {
		c.out.Objects++
		if there {
			c.out.Replaced = append(c.out.Replaced, name)
		}
	}, size)
	return nil
}

// stream copies a blob of a size and returns its hash. One that is longer has
// another one.
func (c *copier) stream(ctx context.Context, name string, size int64, to io.Writer) (string, error) {
	r, err := c.from.Open(ctx, name)
	if err != nil {
		return "", err
	}
	defer r.Close()
	src, h := &failing{r: io.LimitReader(r, size+1)}, sha256.New()
	_, err = io.CopyBuffer(struct{ io.Writer }{io.MultiWriter(to, h)}, struct{ io.Reader }{src}, make([]byte, 256<<10))
	switch {
	case errors.Is(src.err, blob.ErrNotExist):
		return "", src.err
	case src.err != nil:
		return "", unreadable("read "+name+" of "+c.from.URL(), src.err)
	case err != nil:
		return "", unreadable("store "+name+" at "+c.to.URL(), err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// did counts what was done.
func (c *copier) did(count func(), n int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	count()
	c.out.Bytes += n
	if c.opt.Progress != nil {
		c.opt.Progress(c.out.Bytes, max(c.total, c.out.Bytes))
	}
}

// sealedBegin is how every keyring and manifest begins.
const sealedBegin = "age-encryption.org/v1\n"

// readSealed reads a small blob of a store: nil where there is none, or where it
// is none of a bucket's.
func readSealed(ctx context.Context, s blob.Store, name string) ([]byte, error) {
	data, err := blob.ReadAll(ctx, s, name, max(maxManifest, maxKeyring))
	switch {
	case errors.Is(err, blob.ErrNotExist) || fault.Is(err, fault.Invalid):
		return nil, nil
	case err != nil:
		return nil, unreadable("read "+name+" of "+s.URL(), err)
	case !bytes.HasPrefix(data, []byte(sealedBegin)):
		return nil, nil
	}
	return data, nil
}

// create makes a small blob in the destination. It is errDiffers where there is
// another one of the name.
func (c *copier) create(ctx context.Context, name string, data []byte) error {
	err := c.to.Create(ctx, name, data)
	if errors.Is(err, blob.ErrExist) {
		return fmt.Errorf("%s: %w", name, errDiffers)
	}
	if err != nil {
		return unreadable("store "+name+" at "+c.to.URL(), err)
	}
	return nil
}

var errDiffers = errors.New("there is another one of that name")

// keyrings copies the keyrings that the destination lacks. One that differs
// there is kept: a keyring never changes, and which of the two is damaged the
// manifest says that names it.
func (c *copier) keyrings(ctx context.Context) error {
	are, err := listed(ctx, c.from, keyrings)
	if err != nil {
		return err
	}
	have, err := listed(ctx, c.to, keyrings)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(mapKeys(are)) {
		if size, there := have[name]; there && size == are[name] {
			c.out.Present++
			continue
		}
		data, err := readSealed(ctx, c.from, name)
		if err != nil {
			return err
		}
		if data == nil {
			c.out.Damaged = append(c.out.Damaged, name)
			continue
		}
		err = c.create(ctx, name, data)
		if errors.Is(err, errDiffers) {
			c.out.Present++
			continue
		}
		if err != nil {
			return err
		}
		c.did(func() { c.out.Keyrings++ }, int64(len(data)))
	}
	return nil
}

// generations are the manifests of a store that a push may have made: none so
// far ahead that no push was there.
func generations(ctx context.Context, s blob.Store) ([]int64, error) {
	const far = 1 << 32
	names, err := listed(ctx, s, manifests)
	if err != nil {
		return nil, err
	}
	var out []int64
	for _, name := range slices.Sorted(mapKeys(names)) {
		g := generationOf(name)
		if g == 0 || len(out) > 0 && g > out[len(out)-1]+far {
			continue
		}
		out = append(out, g)
	}
	return out, nil
}

func last(list []int64) int64 {
	if len(list) == 0 {
		return 0
	}
	return list[len(list)-1]
}

// unsound sums up what could not be copied.
func (c *copier) unsound() error {
	if len(c.out.Damaged) == 0 {
		return nil
	}
	slices.Sort(c.out.Damaged)
	c.out.Damaged = slices.Compact(c.out.Damaged)
	return fault.New(fault.Invalid,
		fmt.Sprintf("%d blobs at %s are damaged and were not copied, %s first; everything else was, and is whole at %s", len(c.out.Damaged), c.from.URL(), c.out.Damaged[0], c.to.URL()),
		strings.Replace(repairs, "vexa workspace verify NAME shows all that is wrong; ", "", 1)+"; then copy again")
}
