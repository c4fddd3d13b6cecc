package s3

import (
	"context"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
)

// BeginUpload begins an upload in parts that nobody ends.
func BeginUpload(ctx context.Context, s *Store, name string) (id string, err error) {
	return s.api.NewMultipartUpload(ctx, s.bucket, s.key(name), putOptions(false))
}

// Uploads are the ids of the uploads in the bucket.
func Uploads(ctx context.Context, s *Store) (ids []string) {
	for u := range s.api.ListIncompleteUploads(ctx, s.bucket, "", true) {
		ids = append(ids, u.UploadID)
	}
	return ids
}

// PutKey stores something under a key that is not of this package's making.
func PutKey(ctx context.Context, s *Store, key string) error {
	_, err := s.api.Client.PutObject(ctx, s.bucket, key, strings.NewReader("x"), 1, minio.PutObjectOptions{})
	return err
}

// Later moves the store's clock.
func Later(s *Store, d time.Duration) {
	s.now = func() time.Time { return time.Now().Add(d) }
}

// Resolve reads the settings that Open would.
func Resolve(opt Options) (endpoint, region string, path bool, err error) {
	set, err := readSettings(environment{env: opt.Env, home: opt.Home, instance: opt.Instance})
	if err != nil {
		return "", "", false, err
	}
	return set.endpoint.String(), set.region, !set.amazon, nil
}

// Keys are the credentials that Open would find.
func Keys(opt Options) (id, secret, token string, err error) {
	v, err := environment{env: opt.Env, home: opt.Home}.keys()
	return v.AccessKeyID, v.SecretAccessKey, v.SessionToken, err
}

// ParseSections reads a file of AWS's tools.
func ParseSections(data []byte) (map[string]map[string]string, int) { return parseSections(data) }
