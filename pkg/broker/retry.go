package broker

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"
)

// maxRetryAfter is the longest wait that a provider may ask for; beyond it the
// request fails at once and the person reads why.
const maxRetryAfter = 20 * time.Second

// retryable reports whether another attempt can help, and how long the provider
// wants to be left alone.
func retryable(resp *http.Response, now time.Time) (bool, time.Duration) {
	after := retryAfter(resp.Header, now)
	if after > maxRetryAfter {
		return false, after
	}
	switch resp.Header.Get("X-Should-Retry") { // the vendors' client libraries obey it, too
	case "true":
		return true, after
	case "false":
		return false, after
	}
	switch resp.StatusCode {
	case http.StatusRequestTimeout, http.StatusTooManyRequests:
		return true, after
	case http.StatusNotImplemented, http.StatusHTTPVersionNotSupported:
		return false, after
	default:
		return resp.StatusCode >= http.StatusInternalServerError, after
	}
}

// retryAfter reads how long a provider wants to be left alone: in milliseconds as
// the vendors have it, in seconds or as a date as HTTP has it (RFC 9110, section
// 10.2.3). Nothing that can be read is no time.
func retryAfter(h http.Header, now time.Time) time.Duration {
	const most = 1 << 31
	if ms, err := strconv.ParseFloat(h.Get("Retry-After-Ms"), 64); err == nil && ms >= 0 {
		return time.Duration(min(ms, most)) * time.Millisecond
	}
	value := h.Get("Retry-After")
	if seconds, err := strconv.ParseFloat(value, 64); err == nil && seconds >= 0 {
		return time.Duration(min(seconds, most) * float64(time.Second))
	}
	if date, err := http.ParseTime(value); err == nil {
		return max(date.Sub(now), 0)
	}
	return 0
}

// backoff is the wait before an attempt: between half of base and base, and no
// less than the provider asks for, with a tenth on top at most. Those that failed
// together do not come back together: random is at least 0 and below 1.
func backoff(base, after time.Duration, random float64) time.Duration {
	const half, tenth = 2, 10
	wait := base/half + time.Duration(random*float64(base/half))
	return max(wait, after+time.Duration(random*float64(after/tenth)))
}

// firstByte waits for the first piece of an answer. Until it has come nothing has
// been said to the client, and a connection that breaks is tried again.
func firstByte(resp *http.Response, idle *watchdog) error {
	const piece = 4 << 10
	buf := make([]byte, piece)
	for {
		n, err := resp.Body.Read(buf)
		idle.touch()
		switch {
		case n > 0 && err == nil:
			resp.Body = &begun{io.MultiReader(bytes.NewReader(buf[:n]), resp.Body), resp.Body}
			return nil
		case n > 0:
			resp.Body = &begun{io.MultiReader(bytes.NewReader(buf[:n]), failing{err}), resp.Body}
			return nil
		case errors.Is(err, io.EOF):
			return nil // an answer of nothing
		case err != nil:
			_ = resp.Body.Close() // it is not used
			return err
		}
	}
}

// begun is a body of which a piece was read.
type begun struct {
	io.Reader
	io.Closer
}

// failing is the end of a body, whatever it was.
type failing struct{ err error }

// Read returns it.
func (f failing) Read([]byte) (int, error) { return 0, f.err }
