package main

import (
	"context"

	"github.com/vexa-ai/vexa/pkg/workspace/blob"
	"github.com/vexa-ai/vexa/pkg/workspace/bucket"
)

// both opens two storages for a copy; the second is made where it is missing.
func (b *buckets) both(ctx context.Context, from, to string, do func(from, to blob.Store) error) error {
	src, err := b.store(ctx, from, false)
	if err != nil {
		return err
	}
	defer src.Close() //nolint:errcheck // it was read
	dst, err := b.store(ctx, to, true)
	if err != nil {
		return err
	}
	defer dst.Close() //nolint:errcheck // what counts is durable when the copy returned
	return do(src, dst)
}

// Backup implements workspace.Buckets.
func (b *buckets) Backup(ctx context.Context, from, to string, check bool) (out bucket.Copied, err error) {
	err = b.both(ctx, from, to, func(src, dst blob.Store) error {
		if err := dst.Probe(ctx); err != nil {
			return err
		}
		out, err = bucket.Backup(ctx, src, dst, bucket.CopyOptions{Check: check})
		return err
	})
	return out, err
}

// Restore implements workspace.Buckets.
func (b *buckets) Restore(ctx context.Context, from, to string, acceptOlder bool) (out bucket.Copied, err error) {
	err = b.both(ctx, from, to, func(src, dst blob.Store) error {
		out, err = bucket.Restore(ctx, src, dst, bucket.RestoreOptions{State: b.home.BucketState(), AcceptOlder: acceptOlder, Keys: b.keys})
		return err
	})
	return out, err
}

// OpenDamaged implements workspace.Buckets.
func (b *buckets) OpenDamaged(ctx context.Context, address string) (*bucket.Bucket, error) {
	store, err := b.store(ctx, address, false)
	if err != nil {
		return nil, err
	}
	return bucket.OpenDamaged(ctx, b.options(store), "")
}
