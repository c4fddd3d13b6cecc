package s3

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"sync"

	"github.com/minio/minio-go/v7"

	"github.com/vexa-ai/vexa/pkg/workspace/blob"
)

const (
	partSize = 16 << 20 // bytes; S3 wants 5 MiB or more
	maxParts = 10_000   // of one upload, by S3's rules
	parallel = 4        // parts that are sent at once
	// patient is how many times the stall the server may take to put the parts
	// together.
	patient = 10
	// maxUploads is how often an upload that the server forgot is begun again.
	maxUploads = 3
)

// digest is the SHA-256 in hexadecimal of what a section of a file holds.
func digest(section *io.SectionReader) (string, error) {
	h := sha256.New()
	if _, err := io.Copy(h, io.NewSectionReader(section, 0, section.Size())); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// uploadWhole sends a file in one request. It returns errTaken where the blob is
// there.
func (s *Store) uploadWhole(ctx context.Context, name string, f io.ReaderAt, size int64) error {
	digest, err := digest(io.NewSectionReader(f, 0, size))
	if err != nil {
		return spoolFault(s.spool, err)
	}
	return s.store(ctx, request{op: "store", name: name, unbounded: true}, digest, func() body { return io.NewSectionReader(f, 0, size) })
}

// uploadParts sends a file in parts, of which none is held in memory. It returns
// errTaken where the blob is there. Where it fails the parts are removed, and
// where that fails, too, Sweep does it a day later.
func (s *Store) uploadParts(ctx context.Context, name string, f io.ReaderAt, size int64) error {
	for range maxUploads {
		err := s.uploadOnce(ctx, name, f, size)
		if !errors.Is(err, errGone) {
			return err
		}
		// The upload is not there: it ended and the answer was lost, or somebody
		// removed it.
		if _, err := s.Stat(ctx, name); !errors.Is(err, blob.ErrNotExist) {
			return err
		}
	}
	return s.unavailable("store", name, errGone.Error(), 0)
}

// uploadOnce is one upload in parts.
func (s *Store) uploadOnce(ctx context.Context, name string, f io.ReaderAt, size int64) error {
	var id string
	err := s.try(ctx, request{op: "store", name: name}, func(ctx context.Context) error {
		var err error
		id, err = s.api.NewMultipartUpload(ctx, s.bucket, s.key(name), putOptions(false))
		return err
	})
	if err != nil {
		return err
	}
	parts, err := s.sendParts(ctx, name, id, f, size)
	if err == nil {
		slow := context.WithValue(ctx, patience{}, patient)
		err = s.try(slow, request{op: "store", name: name, unbounded: true}, func(ctx context.Context) error {
			_, err := s.api.CompleteMultipartUpload(ctx, s.bucket, s.key(name), id, parts, putOptions(true))
			return err
		})
	}
	if err != nil {
		s.abort(ctx, name, id) // one that is gone, too: a part that was under way may have brought it back
	}
	return err
}

// sendParts sends the parts of an upload, some at once. The first that fails ends
// the others.
func (s *Store) sendParts(ctx context.Context, name, id string, f io.ReaderAt, size int64) ([]minio.CompletePart, error) {
	each := max(s.part, (size+maxParts-1)/maxParts)
	parts := make([]minio.CompletePart, (size+each-1)/each)
	outer := ctx
	ctx, cancel := context.WithCancelCause(outer)
	defer cancel(nil)
	next := make(chan int)
	var workers sync.WaitGroup
	for range min(parallel, len(parts)) {
		workers.Go(func() {
			for i := range next {
				at := int64(i) * each
				part, err := s.sendPart(ctx, name, id, i+1, io.NewSectionReader(f, at, min(each, size-at)))
				if err != nil {
					cancel(err)
					return
				}
				parts[i] = part
			}
		})
	}
feed:
	for i := range parts {
		select {
		case next <- i:
		case <-ctx.Done():
			break feed
		}
	}
	close(next)
	workers.Wait()
	switch {
	case outer.Err() != nil:
		return nil, s.ended(outer, "store", name)
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	}
	return parts, nil
}

// sendPart sends one part; numbers begin at 1.
func (s *Store) sendPart(ctx context.Context, name, id string, number int, content *io.SectionReader) (minio.CompletePart, error) {
	digest, err := digest(content)
	if err != nil {
		return minio.CompletePart{}, spoolFault(s.spool, err)
	}
	part := minio.CompletePart{PartNumber: number}
	err = s.try(ctx, request{op: "store", name: name, unbounded: true}, func(ctx context.Context) error {
		stored, err := s.api.PutObjectPart(ctx, s.bucket, s.key(name), id, number, io.NewSectionReader(content, 0, content.Size()), content.Size(),
			minio.PutObjectPartOptions{Sha256Hex: digest, DisableContentSha256: true})
		if part.ETag = stored.ETag; err == nil && part.ETag == "" {
			return errForeign
		}
		return err
	})
	if errors.Is(err, blob.ErrNotExist) {
		err = errGone
	}
	return part, err
}

// abort removes the parts of an upload, even where ctx ended.
func (s *Store) abort(ctx context.Context, name, id string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.stall)
	defer cancel()
	_ = s.api.AbortMultipartUpload(ctx, s.bucket, s.key(name), id) // Sweep finds what is left
}
