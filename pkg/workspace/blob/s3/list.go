package s3

import (
	"context"
	"slices"
	"strings"

	"github.com/minio/minio-go/v7"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/workspace/blob"
)

// page is how many blobs one request lists or removes.
const page = 1000

// List implements blob.Store. It holds one page of at most 1,000 blobs. Keys that
// are no names of blobs, which others put there, are passed over.
func (s *Store) List(ctx context.Context, prefix, after string, fn func(blob.Info) error) error {
	for {
		found, more, err := s.listPage(ctx, prefix, after)
		if err != nil {
			return err
		}
		for _, object := range found {
			name := strings.TrimPrefix(object.Key, s.prefix)
			if name <= after || !strings.HasPrefix(name, prefix) {
				return fault.New(fault.Invalid, s.what("list", "")+": the server does not list in the order of bytes what begins with a prefix",
					"choose another one; directory buckets of AWS are not in order, for example")
			}
			after = name
			if blob.CheckName(name) != nil {
				continue
			}
			if err := fn(blob.Info{Name: name, Size: object.Size, Time: object.LastModified}); err != nil {
				return err
			}
		}
		if !more {
			return nil
		}
	}
}

// listPage returns at most one page of what comes after a name, and whether there
// may be more.
func (s *Store) listPage(ctx context.Context, prefix, after string) ([]minio.ObjectInfo, bool, error) {
	opts := minio.ListObjectsOptions{Prefix: s.prefix + prefix, Recursive: true, MaxKeys: page, FetchOwner: new(bool)}
	if after != "" {
		opts.StartAfter = s.prefix + after
	}
	var found []minio.ObjectInfo
	err := s.try(ctx, request{op: "list", name: prefix}, func(ctx context.Context) error {
		found = found[:0]
		for object := range s.api.ListObjectsIter(ctx, s.bucket, opts) {
			if object.Err != nil {
				return object.Err
			}
			if found = append(found, object); len(found) == page {
				break
			}
		}
		return context.Cause(ctx)
	})
	return found, len(found) == page, err
}

// Remove implements blob.Store. What is removed from a bucket that keeps versions
// is there in them still.
func (s *Store) Remove(ctx context.Context, names ...string) error {
	for _, name := range names {
		if err := blob.CheckName(name); err != nil {
			return err
		}
	}
	if len(names) == 1 {
		return s.try(ctx, request{op: "remove", name: names[0]}, func(ctx context.Context) error {
			return s.api.RemoveObject(ctx, s.bucket, s.key(names[0]), minio.RemoveObjectOptions{})
		})
	}
	for batch := range slices.Chunk(names, page) {
		if err := s.removeBatch(ctx, batch); err != nil {
			return err
		}
	}
	return nil
}

// removeBatch removes at most one page, and of that again what was not.
func (s *Store) removeBatch(ctx context.Context, names []string) error {
	left := slices.Clone(names)
	return s.try(ctx, request{op: "remove", name: names[0] + " and others"}, func(ctx context.Context) error {
		results, err := s.api.RemoveObjectsWithIter(ctx, s.bucket, s.objects(left), minio.RemoveObjectsOptions{})
		if err != nil {
			return err
		}
		var failed error
		done := make(map[string]bool, len(left))
		for r := range results {
			if r.Err != nil {
				failed = r.Err
			} else if name, ok := s.name(r.ObjectName); ok {
				done[name] = true
			}
		}
		left = slices.DeleteFunc(left, func(name string) bool { return done[name] })
		switch {
		case len(left) == 0:
			return nil
		case failed != nil:
			return failed
		case ctx.Err() != nil:
			return context.Cause(ctx)
		}
		return errAgain // it did not say what became of them
	})
}

// objects are the keys of names.
func (s *Store) objects(names []string) func(yield func(minio.ObjectInfo) bool) {
	return func(yield func(minio.ObjectInfo) bool) {
		for _, name := range names {
			if !yield(minio.ObjectInfo{Key: s.key(name)}) {
				return
			}
		}
	}
}
