// Package blob is the port through which a bucket reaches its storage: a
// directory, an S3 bucket, or a plain Git remote. Whoever keeps the storage is
// not trusted with anything: all that is stored is encrypted, and named by its
// content or by a number.
//
// A store has one primitive that carries everything: [Store.Create] makes a
// blob only where there is none of that name, however many try at once. The
// adapters are the packages below; each passes the suite of package blobtest.
package blob

import (
	"context"
	"errors"
	"io"
	"strconv"
	"time"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/internal/textform"
)

// The errors of a store. Others are failures of the storage itself.
var (
	ErrNotExist = errors.New("no such blob")
	ErrExist    = errors.New("the blob exists")
	// ErrUnavailable: the storage did not answer, or said that it cannot now.
	// What was asked may have happened.
	ErrUnavailable = errors.New("the storage does not answer")
	// ErrDenied: the storage refused this user.
	ErrDenied = errors.New("the storage refuses access")
)

// Info describes one blob.
type Info struct {
	Name string
	Size int64     // bytes
	Time time.Time // when it was stored, by the storage's clock; zero where it has none
}

// Store keeps blobs. Names are those of [CheckName]. A blob is seen whole or not
// at all, and never changes, but for those that Replace writes. A store is safe
// for concurrent use; several processes on several machines may use the same
// storage.
type Store interface { //nolint:interfacebloat // these ten are what a storage is
	// URL names the storage, for messages. It holds no credential.
	URL() string
	// Open reads a blob from its start. The error is ErrNotExist where there is
	// none, here or at the first read.
	Open(ctx context.Context, name string) (io.ReadCloser, error)
	// Stat describes a blob, or returns ErrNotExist.
	Stat(ctx context.Context, name string) (Info, error)
	// List calls fn with each blob whose name begins with prefix and comes after
	// the name after, in the order of their bytes. An error of fn ends it and is
	// returned.
	List(ctx context.Context, prefix, after string, fn func(Info) error) error
	// Stage starts a blob whose name is known when all of it is written. It
	// takes any size and holds little of it in memory. What it keeps on this
	// machine before Commit is what was written to it, which is encrypted.
	Stage(ctx context.Context) (Stage, error)
	// Create makes a blob where there is none of the name, else it returns
	// ErrExist; of several at once exactly one wins. Where the blob is there
	// with exactly these bytes it returns nil: an answer that was lost can be
	// asked for again. Once it returned nil, this blob and every blob that was
	// committed through this store before are durable and seen by everybody.
	Create(ctx context.Context, name string, data []byte) error
	// Replace writes a small blob, the last writer wins. It need not be durable.
	Replace(ctx context.Context, name string, data []byte) error
	// Remove deletes blobs; those that are not there are passed over.
	Remove(ctx context.Context, names ...string) error
	// Probe finds out whether Create really is create-only here, by trying. It
	// is called when a bucket is made or added, and leaves nothing.
	Probe(ctx context.Context) error
	// Close ends what the store keeps open. Stages that are not committed are
	// aborted.
	Close() error
}

// Watcher is a Store whose storage tells of what others change in it.
type Watcher interface {
	// Watch returns a channel that has a value where blobs whose names begin with
	// prefix, which ends in a slash, may have come since the last was taken. It is
	// closed when that is told no more. The error is errors.ErrUnsupported where this
	// storage tells nothing. The caller stops it before it closes the store.
	Watch(prefix string) (changed <-chan struct{}, stop func(), err error)
}

// Placed is a Store that can be asked, at no more than the cost of a look, whether its
// storage still is where it was opened.
type Placed interface {
	// Gone reports whether it is not: every call fails until it is there again, and
	// whoever opens the storage anew gets what is there now. A storage that only does not
	// answer is not gone.
	Gone() bool
}

// Stage is a blob that is being written. It is not safe for concurrent use.
type Stage interface {
	io.Writer
	// Commit stores what was written under the name. Where a blob of the name is
	// there already it is kept: names of staged blobs say their content. The
	// blob is seen by everybody at the latest when a later Create returned.
	Commit(ctx context.Context, name string) error
	// Abort drops what was written. It is harmless after Commit.
	Abort()
}

// maxName is the longest name, in bytes.
const maxName = 200

var nameForm = textform.Regexp(`^[A-Za-z0-9][A-Za-z0-9._-]*(?:/[A-Za-z0-9][A-Za-z0-9._-]*)*$`)

// CheckName refuses what is not the name of a blob: up to 200 bytes of letters,
// digits, '.', '_' and '-' in components that a slash separates, each beginning
// with a letter or a digit.
func CheckName(name string) error {
	if len(name) > maxName || !nameForm.MatchString(name) {
		return fault.New(fault.Internal, "not the name of a blob: "+strconv.Quote(name), "")
	}
	return nil
}

// ReadAll reads a whole blob of at most limit bytes.
func ReadAll(ctx context.Context, s Store, name string, limit int64) ([]byte, error) {
	r, err := s.Open(ctx, name)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	data, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(data)) > limit {
		return nil, fault.New(fault.Invalid, name+" of "+s.URL()+" is larger than "+strconv.FormatInt(limit, 10)+" bytes", "")
	}
	return data, nil
}
