package s3

import (
	"context"
	"errors"
	"time"

	"github.com/minio/minio-go/v7"

	"github.com/vexa-ai/vexa/pkg/workspace/blob"
)

// leftover is the age of an upload that nobody will end any more.
const leftover = 24 * time.Hour

// Sweep removes the parts of uploads under the prefix that began more than a day
// ago and did not end: their processes are gone. The time is this machine's, and
// the server's clock is not far from it, or the server would refuse this request.
func (s *Store) Sweep(ctx context.Context) error {
	old, err := s.leftovers(ctx)
	if err != nil {
		return err
	}
	for _, upload := range old {
		err := s.try(ctx, request{op: "sweep", name: upload.Key}, func(ctx context.Context) error {
			return s.api.AbortMultipartUpload(ctx, s.bucket, upload.Key, upload.UploadID)
		})
		if err != nil && !errors.Is(err, errGone) && !errors.Is(err, blob.ErrNotExist) {
			return err
		}
	}
	return nil
}

// leftovers lists what Sweep removes.
func (s *Store) leftovers(ctx context.Context) ([]minio.ObjectMultipartInfo, error) {
	var old []minio.ObjectMultipartInfo
	key, id := "", ""
	for {
		var got minio.ListMultipartUploadsResult
		err := s.try(ctx, request{op: "sweep"}, func(ctx context.Context) error {
			var err error
			got, err = s.api.ListMultipartUploads(ctx, s.bucket, s.prefix, key, id, "", page)
			return err
		})
		if err != nil {
			return nil, err
		}
		for _, upload := range got.Uploads {
			if _, ours := s.name(upload.Key); ours && s.now().Sub(upload.Initiated) > leftover {
				old = append(old, upload)
			}
		}
		again := got.NextKeyMarker < key || got.NextKeyMarker == key && got.NextUploadIDMarker == id
		if !got.IsTruncated || again {
			return old, nil
		}
		key, id = got.NextKeyMarker, got.NextUploadIDMarker
	}
}
