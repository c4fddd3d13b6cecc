package seal

import (
	"context"
	"errors"
	"io"

	"filippo.io/age"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/internal/tap"
)

// open decrypts r with one of the keys and classifies what goes wrong. An error of r
// itself is passed on as it is: a disk that cannot be read is not damage.
func open(r io.Reader, keys ...age.Identity) (io.Reader, error) {
	src := &tap.Source{R: r}
	plain, err := age.Decrypt(src, keys...)
	if err != nil {
		return nil, classify(src, err)
	}
	return &opened{src: src, plain: plain}, nil
}

func classify(src *tap.Source, err error) error {
	var mismatch *age.NoIdentityMatchError
	var known *fault.Error
	switch {
	case src.Err != nil:
		return fault.Wrap(fault.Internal, "read sealed data", src.Err)
	case errors.As(err, &known): // what a plugin says
		return known
	case errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.As(err, &mismatch):
		return fault.Wrap(fault.Denied, "sealed for another key", err)
	default:
		return fault.Wrap(fault.Invalid, "damaged, or not sealed by age", err)
	}
}

// opened classifies the errors of age's payload reader.
type opened struct {
	src   *tap.Source
	plain io.Reader
}

func (o *opened) Read(p []byte) (int, error) {
	n, err := o.plain.Read(p)
	if err != nil && err != io.EOF { //nolint:errorlint // io.Reader returns io.EOF itself, and an unexpected EOF must not pass for it
		err = classify(o.src, err)
	}
	return n, err
}
