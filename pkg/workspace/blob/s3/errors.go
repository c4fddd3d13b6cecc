package s3

import (
	"context"
	"errors"
	"time"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/workspace/blob"
)

// missing says that there is no such blob.
func (s *Store) missing(op, name string) error {
	return &fault.Error{Kind: fault.NotFound, Msg: s.what(op, name), Err: blob.ErrNotExist}
}

// ended says that the caller's context ended.
func (s *Store) ended(ctx context.Context, op, name string) error {
	kind := fault.Interrupted
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		kind = fault.Timeout
	}
	return &fault.Error{Kind: kind, Msg: s.what(op, name), Err: ctx.Err()}
}

// unavailable says that the server gave no answer that counts, for how long it
// was asked, and what came last.
func (s *Store) unavailable(op, name, last string, asked time.Duration) error {
	msg := s.what(op, name)
	if asked > 0 {
		msg += ", tried for " + asked.Round(100*time.Millisecond).String()
	}
	return &fault.Error{
		Kind: fault.Failed, Err: blob.ErrUnavailable, Msg: msg + " (last: " + last + ")",
		Hint: "see that this machine reaches " + s.host + " and that the server there is well, then do the same again: what was stored already is not stored twice",
	}
}

// denied says that the server refused the credentials, and what to look at.
func (s *Store) denied(op, name string, a answer) error {
	hint := "give these credentials the rights s3:GetObject, s3:PutObject, s3:DeleteObject and s3:AbortMultipartUpload on " + s.URL() +
		"/* and s3:ListBucket on the bucket, or use others"
	switch a.code {
	case "InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken":
		hint = "look at AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, or at the profile that AWS_PROFILE names"
	case "ExpiredToken", "ExpiredTokenException":
		hint = "renew the credentials: they are of limited time, which is over"
	case "RequestTimeTooSkewed":
		hint = "set the clock of this machine: it is more than 15 minutes from the server's"
	}
	return &fault.Error{Kind: fault.Denied, Err: blob.ErrDenied, Msg: s.what(op, name) + " (" + a.text + ")", Hint: hint}
}

// elsewhere says that the bucket is in another region.
func (s *Store) elsewhere(op, name string, a answer) error {
	region := first(a.region, "the region of the bucket")
	return fault.New(fault.Invalid, s.what(op, name)+": the bucket is in another region ("+a.text+")", "set AWS_REGION to "+region)
}

// refused says that the server understood and would not, now or later.
func (s *Store) refused(op, name string, a answer, hint string) error {
	return fault.New(fault.Internal, s.what(op, name)+": the server refuses ("+a.text+")", hint)
}
