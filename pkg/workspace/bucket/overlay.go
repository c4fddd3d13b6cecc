package bucket

import (
	"bytes"
	"context"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/vexa-ai/vexa/pkg/workspace/blob"
)

// overlay is a store as it will be once some small blobs are put right: a repair
// looks at it before it does anything. It is read only.
type overlay struct {
	blob.Store
	put    map[string][]byte
	remove map[string]bool
}

// Open implements blob.Store.
func (o *overlay) Open(ctx context.Context, name string) (io.ReadCloser, error) {
	if data, ok := o.put[name]; ok {
		return io.NopCloser(bytes.NewReader(data)), nil
	}
	if o.remove[name] {
		return nil, blob.ErrNotExist
	}
	return o.Store.Open(ctx, name)
}

// Stat implements blob.Store.
func (o *overlay) Stat(ctx context.Context, name string) (blob.Info, error) {
	if data, ok := o.put[name]; ok {
		return blob.Info{Name: name, Size: int64(len(data))}, nil
	}
	if o.remove[name] {
		return blob.Info{}, blob.ErrNotExist
	}
	return o.Store.Stat(ctx, name)
}

// List implements blob.Store.
func (o *overlay) List(ctx context.Context, prefix, after string, fn func(blob.Info) error) error {
	ours := slices.DeleteFunc(slices.Sorted(maps.Keys(o.put)), func(n string) bool { return !strings.HasPrefix(n, prefix) || n <= after })
	first := func(before string) error {
		for len(ours) > 0 && (before == "" || ours[0] < before) {
			name := ours[0]
			ours = ours[1:]
			if err := fn(blob.Info{Name: name, Size: int64(len(o.put[name]))}); err != nil {
				return err
			}
		}
		return nil
	}
	err := o.Store.List(ctx, prefix, after, func(i blob.Info) error {
		if _, ok := o.put[i.Name]; ok || o.remove[i.Name] {
			return nil
		}
		if err := first(i.Name); err != nil {
			return err
		}
		return fn(i)
	})
	if err != nil {
		return err
	}
	return first("")
}
