package unixhttp

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/fault"
)

// maxError bounds what is read of an error's body.
const maxError = 64 << 10

// Client returns an HTTP client whose every request goes to the socket at path.
// Requests are made to http://vexa/.
func Client(path string) *http.Client {
	return &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", path)
		},
		DisableCompression:  true,
		MaxIdleConnsPerHost: 16,
	}}
}

// ReadError returns the failure that a response reports, nil for a success. It
// does not close the body.
func ReadError(res *http.Response) error {
	if res.StatusCode/100 == 2 {
		return nil
	}
	if res.StatusCode == http.StatusNotImplemented {
		return errors.ErrUnsupported
	}
	data, err := io.ReadAll(io.LimitReader(res.Body, maxError))
	var e api.Error
	if err != nil || json.Unmarshal(data, &e) != nil || e.Code == "" {
		return fault.Newf(fault.Internal, "unexpected answer %s", res.Status)
	}
	return fault.New(fault.Kind(e.Code), e.Message, e.Hint)
}
