package broker

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestRetryable(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		status int
		header string // NAME: VALUE
		retry  bool
		after  time.Duration
	}{
		"too many":              {429, "", true, 0},
		"a timeout":             {408, "", true, 0},
		"overloaded":            {529, "", true, 0},
		"no such method":        {501, "", false, 0},
		"no such version":       {505, "", false, 0},
		"a bad request":         {400, "", false, 0},
		"in seconds":            {429, "Retry-After: 7", true, 7 * time.Second},
		"in parts of them":      {429, "Retry-After: 0.5", true, 500 * time.Millisecond},
		"in milliseconds":       {429, "Retry-After-Ms: 250", true, 250 * time.Millisecond},
		"at a date":             {503, "Retry-After: Sun, 01 Mar 2026 12:00:05 GMT", true, 5 * time.Second},
		"at a date that passed": {503, "Retry-After: Sun, 01 Mar 2026 11:00:00 GMT", true, 0},
		"in words":              {503, "Retry-After: soon", true, 0},
		"less than nothing":     {503, "Retry-After: -5", true, 0},
		"too long":              {503, "Retry-After: 21", false, 21 * time.Second},
		"far too long":          {503, "Retry-After: 1e300", false, 1 << 31 * time.Second},
		"never":                 {500, "X-Should-Retry: false", false, 0},
		"in any case":           {409, "X-Should-Retry: true", true, 0},
	} {
		h := http.Header{}
		if key, value, ok := strings.Cut(c.header, ": "); ok {
			h.Set(key, value)
		}
		retry, after := retryable(&http.Response{StatusCode: c.status, Header: h}, now)
		if retry != c.retry || after != c.after {
			t.Errorf("%s: %t after %s", name, retry, after)
		}
	}
}

// A wait is jittered downwards from its base, and never shorter than the provider
// asked for.
func TestBackoff(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		base, after time.Duration
		random      float64
		want        time.Duration
	}{
		{time.Second, 0, 0, 500 * time.Millisecond},
		{time.Second, 0, 0.5, 750 * time.Millisecond},
		{time.Second, 10 * time.Second, 0, 10 * time.Second},
		{time.Second, 10 * time.Second, 0.5, 10500 * time.Millisecond},
	} {
		if got := backoff(c.base, c.after, c.random); got != c.want {
			t.Errorf("%s, %s, %v: %s", c.base, c.after, c.random, got)
		}
	}
}

// script is a body that gives its pieces one after the other, then its error.
type script struct {
	pieces []string
	err    error
	closed bool
}

func (s *script) Read(p []byte) (int, error) {
	if len(s.pieces) == 0 {
		return 0, s.err
	}
	n := copy(p, s.pieces[0])
	s.pieces = s.pieces[1:]
	if len(s.pieces) == 0 && errors.Is(s.err, io.EOF) {
		return n, io.EOF
	}
	return n, nil
}

func (s *script) Close() error {
	s.closed = true
	return nil
}

// What was read ahead is read again, and the end with it.
func TestFirstByte(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	for name, c := range map[string]struct {
		body  script
		want  string
		first error
		err   error
	}{
		"pieces":         {script{pieces: []string{"", "a", "b"}, err: broken}, "ab", nil, broken},
		"all at once":    {script{pieces: []string{"a"}, err: io.EOF}, "a", nil, nil},
		"nothing":        {script{err: io.EOF}, "", nil, nil},
		"broken at once": {script{err: broken}, "", broken, nil},
	} {
		dog := newWatchdog(time.Minute, func() {})
		resp := &http.Response{Body: &c.body}
		if err := firstByte(resp, dog); !errors.Is(err, c.first) {
			t.Errorf("%s: %v", name, err)
		}
		dog.stop()
		if c.first != nil {
			if !c.body.closed {
				t.Errorf("%s: it was left open", name)
			}
			continue
		}
		got, err := io.ReadAll(resp.Body)
		if string(got) != c.want || !errors.Is(err, c.err) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
		if _ = resp.Body.Close(); !c.body.closed {
			t.Errorf("%s: it was left open", name)
		}
	}
}
