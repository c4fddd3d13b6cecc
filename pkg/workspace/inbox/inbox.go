// Package inbox is how a member that writes a bucket and does not read it brings
// something in, and reads nothing back: contract bucket-inbox.v1, and the section of
// that name in docs/bucket-format.md.
//
// A manifest cannot be made without reading the one before, which such a member
// cannot. It leaves a *delivery* beside the generations instead: what refs are to
// become, signed, with a pack of objects, both encrypted to the epoch, whose private
// key it does not have. A member who may write takes it up. What it takes to encrypt
// and to whom is in a *notice*, which an administrator signs with each change of the
// membership; so nothing that the storage says is believed.
package inbox

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"

	"github.com/vexa-ai/vexa/pkg/failpoint"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/internal/textform"
	"github.com/vexa-ai/vexa/pkg/workspace/blob"
	"github.com/vexa-ai/vexa/pkg/workspace/bucket"
)

// Box is the inbox of a bucket. It is safe for concurrent use, by several processes
// too.
type Box struct {
	bucket.Beside
	bucket *bucket.Bucket
}

// Of returns the inbox of a bucket, which stays the caller's.
func Of(b *bucket.Bucket) *Box { return &Box{Beside: b.Beside(), bucket: b} }

// The names of its blobs.
const (
	notices    = bucket.Notices
	deliveries = bucket.Deliveries
	packSuffix = ".pack"
)

// noticeForm is the name of a notice: epoch, version of the membership, and the first
// digits of the hash of what is stored, so that nobody takes the name of another.
const noticeForm = notices + "%06d.%06d.%.16s"

func deliveryName(id string) string { return deliveries + id }
func packName(id string) string     { return deliveries + id + packSuffix }

var idForm = textform.Name{First: "01234567", Rest: "0123456789ABCDEFGHJKMNPQRSTVWXYZ", Min: 26, Max: 26}

// deliveryOf returns the id of the delivery that a blob is, or "".
func deliveryOf(name string) string {
	id, ok := strings.CutPrefix(name, deliveries)
	if !ok || !idForm.MatchString(id) {
		return ""
	}
	return id
}

// packOf returns the id of the delivery whose pack a blob is, or "".
func packOf(name string) string {
	name, ok := strings.CutSuffix(name, packSuffix)
	if !ok {
		return ""
	}
	return deliveryOf(name)
}

// The most that is read of a notice and of a delivery, in bytes.
const (
	maxNotice   = 4 << 20
	maxDelivery = 1 << 20
)

// The contracts.
const (
	contractNotice   = "bucket-inbox.v1#Notice"
	contractDelivery = "bucket-inbox.v1#Delivery"
)

// The namespaces of their signatures.
const (
	NoticeNamespace   = "vexa-bucket-notice@v1"
	DeliveryNamespace = "vexa-bucket-delivery@v1"
)

// The instants of a delivery at which tests hold or kill a process.
const (
	pointPacked    failpoint.Point = "inbox.packed"    // the pack is stored, nothing names it
	pointDelivered failpoint.Point = "inbox.delivered" // the delivery is stored, and not noted here
)

// Failpoints returns the points of this package.
func Failpoints() []failpoint.Point { return []failpoint.Point{pointPacked, pointDelivered} }

// The files in which an installation keeps what it knows of an inbox.
const (
	noticeFile    = "notices"   // the chain of those that it went by, encrypted as they were stored
	announcedFile = "announced" // the newest membership that it told of
	deliveredFile = "delivered" // what refs it made what, encrypted to itself
)

func (x *Box) path(name string) string { return filepath.Join(x.Dir, name) }

// Joined reports whether this installation knows the bucket as one that it may
// deliver to.
func (x *Box) Joined() bool {
	_, err := os.Stat(x.path(noticeFile))
	return err == nil
}

// Forget has this installation deliver no more.
func (x *Box) Forget() error { // what says that it delivers goes last
	var errs []error
	for _, name := range []string{deliveredFile, noticeFile} {
		if err := os.Remove(x.path(name)); err != nil && !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// read reads a small blob of the inbox.
func (x *Box) read(ctx context.Context, name string, limit int64) ([]byte, error) {
	data, err := blob.ReadAll(ctx, x.Store, name, limit)
	if err != nil && !errors.Is(err, blob.ErrNotExist) {
		err = fault.Wrap(fault.KindOf(err), "read "+name+" of "+x.Store.URL(), err)
	}
	return data, err
}

// broken is a blob of the inbox that is not what it should be.
func broken(why string) error { return fault.New(fault.Invalid, why, "") }

// RefusedError is a verdict on a delivery, and not an error of what it takes to look.
type RefusedError struct{ Err error }

// Error implements error.
func (r *RefusedError) Error() string { return r.Err.Error() }

// Unwrap returns what is wrong with the delivery.
func (r *RefusedError) Unwrap() error { return r.Err }

// refused is nil, or the verdict.
func refused(err error) error {
	if err == nil {
		return nil
	}
	return &RefusedError{Err: err}
}

// oneLine refuses a text of several lines where one was signed.
func oneLine(line []byte) error {
	if bytes.ContainsAny(line, "\r\n") {
		return broken("it has a line end in it")
	}
	return nil
}
