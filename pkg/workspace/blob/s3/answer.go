package s3

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/xml"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/minio/minio-go/v7"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/internal/textform"
	"github.com/vexa-ai/vexa/pkg/workspace/blob"
)

// What a server may answer that callers in this package tell apart.
var (
	errTaken   = errors.New("a blob of the name exists")    // 412
	errGone    = errors.New("the upload is not known")      // or some of its parts are not
	errStall   = errors.New("nothing moved for some time")  // set by watch
	errForeign = errors.New("an answer that is not S3's")   // a page of a proxy, for example
	errAgain   = errors.New("it may work when asked again") // whatever the cause
)

// codeForm is what the code of an error looks like; the rest of what a server
// says is not repeated, since it may hold what was sent.
var codeForm = textform.Regexp(`^[A-Za-z][A-Za-z0-9.]{1,63}$`)

// answer is what came back for a request that failed.
type answer struct {
	status int    // 0 where nothing came back that has one
	code   string // of S3's errors
	region string // where the bucket is, if it said so
	text   string // for messages: "503 SlowDown", "connection refused"
}

// understand reads the error of a request.
func understand(err error) answer {
	if r, ok := errors.AsType[minio.ErrorResponse](err); ok {
		a := answer{status: r.StatusCode}
		if codeForm.MatchString(r.Code) {
			a.code = r.Code
		}
		if codeForm.MatchString(strings.ReplaceAll(r.Region, "-", "")) {
			a.region = r.Region
		}
		a.text = strings.TrimSpace(strconv.Itoa(a.status) + " " + a.code)
		if a.status == 0 {
			a.text = first(a.code, errForeign.Error())
		}
		return a
	}
	return answer{text: reason(err)}
}

// reason is the cause of a failure without an answer, less the URL of the request.
func reason(err error) string {
	if ue, ok := errors.AsType[*url.Error](err); ok {
		err = ue.Err
	}
	text := err.Error()
	_, malformed := errors.AsType[*xml.SyntaxError](err)
	switch {
	case malformed, errors.Is(err, errForeign):
		return errForeign.Error()
	case errors.Is(err, errStall):
		return errStall.Error()
	case strings.Contains(text, "EOF"), strings.Contains(text, "closed by foreign host"):
		return "the connection was closed"
	case len(text) > 200:
		return text[:200]
	}
	return text
}

// judge makes of the error of a request what the caller is told. The result is
// errAgain, errTaken or errGone where it is one of these, of which asking again
// may help with the first; else it names the operation and the blob.
func (s *Store) judge(op, name string, err error) error {
	if _, ok := errors.AsType[*fault.Error](err); ok {
		return err
	}
	for _, known := range []error{errTaken, errGone, errAgain} {
		if errors.Is(err, known) {
			return known
		}
	}
	if errors.Is(err, blob.ErrExist) {
		return &fault.Error{Kind: fault.Conflict, Msg: s.what(op, name), Err: blob.ErrExist}
	}
	a := understand(err)
	switch a.code { // some come with a status that says otherwise, or success
	case "NoSuchUpload", "InvalidPart":
		return errGone
	case "NoSuchBucket":
		return fault.New(fault.NotFound, "there is no bucket "+s.bucket+" at "+s.host, "make it first, for example: aws s3 mb s3://"+s.bucket)
	case "NoSuchKey":
		return s.missing(op, name)
	case "PreconditionFailed":
		return errTaken
	case "AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "RequestTimeTooSkewed", "ExpiredToken", "ExpiredTokenException", "InvalidToken":
		return s.denied(op, name, a)
	case "AuthorizationHeaderMalformed", "InvalidRegion", "PermanentRedirect", "IllegalLocationConstraintException":
		return s.elsewhere(op, name, a)
	case "NotImplemented":
		return s.refused(op, name, a, "the server lacks what Vexa needs; choose another one")
	case "BadDigest", "XAmzContentSHA256Mismatch", "IncompleteBody", "RequestTimeout", "SlowDown", "InternalError", "OperationAborted", "ConditionalRequestConflict", "Conflict":
		return errAgain
	}
	return s.judgeStatus(op, name, a, err)
}

// expired reports whether a request may have failed because its credentials are
// too old: to a HEAD there is no more of an answer than the status.
func expired(err error) bool {
	a := understand(err)
	return a.code == "ExpiredToken" || a.code == "ExpiredTokenException" || a.status == http.StatusBadRequest && a.code == ""
}

// judgeStatus is judge for what no code decides.
func (s *Store) judgeStatus(op, name string, a answer, err error) error {
	switch a.status {
	case 0:
		if hopeless(err) {
			return s.unavailable(op, name, a.text, 0)
		}
		return errAgain
	case http.StatusNotFound:
		return s.missing(op, name)
	case http.StatusPreconditionFailed:
		return errTaken
	case http.StatusUnauthorized, http.StatusForbidden:
		return s.denied(op, name, a)
	case http.StatusMovedPermanently, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return s.elsewhere(op, name, a)
	case http.StatusNotImplemented, http.StatusInsufficientStorage:
		return s.refused(op, name, a, "")
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests, 499:
		return errAgain
	}
	if a.status == http.StatusBadRequest && a.code == "" {
		return s.refused(op, name, a, "the credentials may be of limited time, which is over: renew them")
	}
	if a.status >= http.StatusInternalServerError || a.status < http.StatusBadRequest {
		return errAgain
	}
	return s.refused(op, name, a, "")
}

// hopeless reports whether a request that had no answer would have none again:
// there is no such host, or it is not the one that it says it is.
func hopeless(err error) bool {
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		return dns.IsNotFound
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return true
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return true
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return true
	}
	return errors.Is(err, http.ErrSchemeMismatch)
}

// what names an operation for messages.
func (s *Store) what(op, name string) string {
	where := s.URL() + " at " + s.host
	if name == "" {
		return op + " " + where
	}
	return op + " " + name + " of " + where
}
