package s3

import (
	"strings"

	"github.com/minio/minio-go/v7/pkg/s3utils"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/workspace/blob"
)

// maxPrefix is the longest prefix in bytes: with the longest name it is well
// below the 1024 bytes of a key.
const maxPrefix = 200

// address is a bucket and what every key in it begins with.
type address struct {
	bucket string
	prefix string // "", or components with a slash after each
}

// parseAddress reads s3://BUCKET/PREFIX. Its errors repeat nothing of raw but
// the name of the bucket, since people put credentials into URLs.
func parseAddress(raw string) (address, error) {
	const hint = "use s3://BUCKET/PREFIX"
	rest, ok := strings.CutPrefix(raw, "s3://")
	if !ok {
		return address{}, fault.New(fault.Invalid, "not the URL of an S3 bucket", hint)
	}
	if strings.ContainsAny(rest, "@?#") {
		return address{}, fault.New(fault.Invalid, "the URL of an S3 bucket holds neither credentials nor parameters",
			hint+", and set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE")
	}
	bucket, prefix, _ := strings.Cut(rest, "/")
	if err := s3utils.CheckValidBucketNameStrict(bucket); err != nil {
		return address{}, fault.New(fault.Invalid, "the URL names no S3 bucket: "+err.Error(), hint)
	}
	prefix = strings.TrimSuffix(prefix, "/")
	if prefix == "" {
		return address{bucket: bucket}, nil
	}
	if len(prefix) > maxPrefix || blob.CheckName(prefix) != nil {
		return address{}, fault.New(fault.Invalid, "the prefix in the URL of the S3 bucket "+bucket+" is not one",
			hint+", where PREFIX is up to 200 letters, digits, '.', '_' and '-' in components that a slash separates")
	}
	return address{bucket: bucket, prefix: prefix + "/"}, nil
}

// key is where the blob of a name is.
func (a address) key(name string) string { return a.prefix + name }

// name is the blob that a key holds; ok is false where it is not one of ours.
func (a address) name(key string) (name string, ok bool) {
	name, ok = strings.CutPrefix(key, a.prefix)
	return name, ok && blob.CheckName(name) == nil
}
