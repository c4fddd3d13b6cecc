package s3

import (
	"context"
	"errors"
	"io"

	"github.com/minio/minio-go/v7"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/internal/sleep"
	"github.com/vexa-ai/vexa/pkg/workspace/blob"
)

// maxStuck is how often a download may break off without having got further.
const maxStuck = 5

// Open implements blob.Store. A download that breaks off goes on from where it
// was. Where the server keeps a checksum of the whole blob the last read fails if
// what was read differs, but for a download that broke off.
func (s *Store) Open(ctx context.Context, name string) (io.ReadCloser, error) {
	if err := blob.CheckName(name); err != nil {
		return nil, err
	}
	r := &reader{s: s, ctx: ctx, name: name}
	if err := r.connect(); err != nil {
		return nil, err
	}
	return r, nil
}

// Stat implements blob.Store. It is blob.ErrNotExist in a bucket that is not
// there, too: the answer does not tell.
func (s *Store) Stat(ctx context.Context, name string) (blob.Info, error) {
	if err := blob.CheckName(name); err != nil {
		return blob.Info{}, err
	}
	var info minio.ObjectInfo
	err := s.try(ctx, request{op: "stat", name: name}, func(ctx context.Context) error {
		var err error
		info, err = s.api.StatObject(ctx, s.bucket, s.key(name), minio.StatObjectOptions{})
		return err
	})
	if err != nil {
		return blob.Info{}, err
	}
	return blob.Info{Name: name, Size: info.Size, Time: info.LastModified}, nil
}

// getOptions ask for the checksum of the whole blob, where there is one.
func getOptions() minio.GetObjectOptions { return minio.GetObjectOptions{Checksum: true} }

// reader reads one blob over as many connections as it takes.
type reader struct {
	s     *Store
	ctx   context.Context //nolint:containedctx // of the caller of Open, for all of the download
	name  string
	body  io.ReadCloser // nil where the connection broke off
	etag  string
	size  int64 // bytes, -1 where the server does not say
	at    int64 // bytes read
	stuck int   // connections since at grew
	err   error // of every further read
}

// connect asks for what is not read yet.
func (r *reader) connect() error {
	opts := getOptions()
	if r.at > 0 {
		if err := opts.SetRange(r.at, 0); err != nil {
			return err
		}
		if r.etag != "" {
			if err := opts.SetMatchETag(r.etag); err != nil {
				return err
			}
		}
	}
	var info minio.ObjectInfo
	// The body outlives the attempt, so that its context must, too.
	err := r.s.try(r.ctx, request{op: "read", name: r.name, unbounded: true}, func(ctx context.Context) error {
		var err error
		r.body, info, _, err = r.s.api.GetObject(ctx, r.s.bucket, r.s.key(r.name), opts)
		return err
	})
	switch {
	case errors.Is(err, errTaken), r.at > 0 && errors.Is(err, blob.ErrNotExist):
		return fault.New(fault.Conflict, r.s.what("read", r.name)+": it changed meanwhile", "do the same again")
	case err != nil:
		return err
	case r.at == 0:
		r.etag, r.size = info.ETag, info.Size
	case r.size >= 0 && info.Size >= 0 && r.at+info.Size != r.size:
		r.body.Close()
		return fault.New(fault.Invalid, r.s.what("read", r.name)+": the server does not give a blob from where it is asked to", "")
	}
	return nil
}

// Read implements io.Reader.
func (r *reader) Read(p []byte) (int, error) {
	for r.err == nil {
		if r.body == nil {
			if r.err = r.connect(); r.err != nil {
				break
			}
		}
		n, err := r.body.Read(p)
		if n > 0 {
			r.at += int64(n)
			r.stuck = 0
		}
		if err == nil {
			return n, nil
		}
		r.ended(err)
		if n > 0 {
			return n, nil
		}
	}
	return 0, r.err
}

// ended is told the error of a connection: the end, damage, or that it is to be
// made again.
func (r *reader) ended(err error) {
	r.body.Close()
	r.body = nil
	whole := r.at == r.size || r.size < 0
	switch {
	case errors.Is(err, io.EOF) && whole:
		r.err = io.EOF
	case r.ctx.Err() != nil:
		r.err = r.s.ended(r.ctx, "read", r.name)
	case whole:
		r.err = r.s.unavailable("read", r.name, "what came differs from its checksum", 0)
	case r.at > r.size, r.stuck >= maxStuck:
		r.err = r.s.unavailable("read", r.name, "the download breaks off again and again: "+reason(err), 0)
	default:
		r.stuck++
		if r.stuck > 1 && sleep.For(r.ctx, firstPause<<r.stuck) != nil {
			r.err = r.s.ended(r.ctx, "read", r.name)
		}
	}
}

// Close implements io.Closer.
func (r *reader) Close() error {
	if r.body == nil {
		return nil
	}
	return r.body.Close()
}
