package s3

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"

	"github.com/minio/minio-go/v7"

	"github.com/vexa-ai/vexa/pkg/workspace/blob"
)

// Create implements blob.Store by a PUT with If-None-Match: *. Where the answer
// to one was lost it first looks whether the blob is there: the server may have
// made it, or be one that hangs up before it has read what it does not want.
func (s *Store) Create(ctx context.Context, name string, data []byte) error {
	if err := blob.CheckName(name); err != nil {
		return err
	}
	lost := false
	return s.try(ctx, request{op: "create", name: name, size: 2 * int64(len(data))}, func(ctx context.Context) error {
		if lost {
			err := s.compare(ctx, name, data)
			if !errors.Is(err, blob.ErrNotExist) {
				return err
			}
		}
		err := s.put(ctx, name, bytes.NewReader(data), sum(data), true)
		if err == nil {
			return nil
		}
		final := s.judge("create", name, err)
		if !errors.Is(final, errTaken) {
			lost = errors.Is(final, errAgain)
			return err
		}
		if err = s.compare(ctx, name, data); errors.Is(err, blob.ErrNotExist) {
			return errAgain // it was removed meanwhile
		}
		return err
	})
}

// Replace implements blob.Store by a plain PUT.
func (s *Store) Replace(ctx context.Context, name string, data []byte) error {
	if err := blob.CheckName(name); err != nil {
		return err
	}
	return s.try(ctx, request{op: "replace", name: name, size: int64(len(data))}, func(ctx context.Context) error {
		return s.put(ctx, name, bytes.NewReader(data), sum(data), false)
	})
}

// body is what a request sends: seekable, so that the client reads it in pieces.
type body interface {
	io.ReadSeeker
	io.ReaderAt
	Size() int64
}

// put stores one blob in one request, where create is set only if there is none
// of the name. digest is the SHA-256 of content in hexadecimal, which is part of
// what is signed: the server refuses content that changed on its way.
func (s *Store) put(ctx context.Context, name string, content body, digest string, create bool) error {
	stored, err := s.api.PutObject(ctx, s.bucket, s.key(name), content, content.Size(), "", digest, putOptions(create))
	if err == nil && stored.ETag == "" {
		return errForeign
	}
	return err
}

// store puts a blob that is named by its content. It returns errTaken where there
// is one of the name; like Create it looks for it where an answer was lost.
func (s *Store) store(ctx context.Context, r request, digest string, content func() body) error {
	lost := false
	return s.try(ctx, r, func(ctx context.Context) error {
		if lost {
			_, err := s.api.StatObject(ctx, s.bucket, s.key(r.name), minio.StatObjectOptions{})
			if err == nil {
				return errTaken
			}
			if !errors.Is(s.judge(r.op, r.name, err), blob.ErrNotExist) {
				return err
			}
		}
		err := s.put(ctx, r.name, content(), digest, true)
		lost = err != nil && errors.Is(s.judge(r.op, r.name, err), errAgain)
		return err
	})
}

// putOptions are those of a PUT, or of the end of an upload in parts.
func putOptions(create bool) minio.PutObjectOptions {
	opts := minio.PutObjectOptions{DisableContentSha256: true} // the digest is given, not signed in chunks
	if create {
		opts.SetMatchETagExcept("*")
	}
	return opts
}

// compare returns nil where the blob has exactly these bytes, blob.ErrExist where
// it has others and blob.ErrNotExist where there is none. Bytes that are damaged
// on their way are errAgain, where the server keeps a checksum.
func (s *Store) compare(ctx context.Context, name string, data []byte) error {
	r, info, _, err := s.api.GetObject(ctx, s.bucket, s.key(name), getOptions())
	if err != nil {
		if final := s.judge("read", name, err); errors.Is(final, blob.ErrNotExist) {
			return final
		}
		return err
	}
	defer r.Close()
	if info.Size >= 0 && info.Size != int64(len(data)) {
		return blob.ErrExist
	}
	got, err := io.ReadAll(io.LimitReader(r, int64(len(data))+1))
	switch {
	case err != nil:
		return errAgain
	case !bytes.Equal(got, data):
		return blob.ErrExist
	}
	return nil
}

// sum is the SHA-256 of data in hexadecimal.
func sum(data []byte) string {
	h := sha256.Sum256(data)
	return hex.EncodeToString(h[:])
}
