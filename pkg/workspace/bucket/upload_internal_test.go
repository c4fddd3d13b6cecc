package bucket

import (
	"strings"
	"testing"
	"time"
)

// An upload says how far it is once it takes a while, not with every write, and ends its
// line; a quick one says nothing.
func TestUpload(t *testing.T) {
	t.Parallel()
	var now time.Time
	var said strings.Builder
	run := func(took time.Duration) string {
		now = time.Unix(1_800_000_000, 0)
		said.Reset()
		u := newUpload(&said, 10e6, func() time.Time { return now })
		for range 10 {
			now = now.Add(took / 10)
			if n, err := u.Write(make([]byte, 1e6)); n != 1e6 || err != nil {
				t.Fatal(n, err)
			}
		}
		u.end()
		return said.String()
	}
	if got := run(900 * time.Millisecond); got != "" {
		t.Errorf("quick: %q", got)
	}
	const want = "Storing, encrypted: 100% (10.0/10.0 MB)\rStoring, encrypted: 100% (10.0/10.0 MB), done.\n"
	if got := run(time.Second); got != want {
		t.Errorf("a second: %q", got)
	}
	if got := run(10 * time.Second); strings.Count(got, "\r") != 10 || !strings.HasPrefix(got, "Storing, encrypted:  10% (1.0/10.0 MB)\rStoring, encrypted:  20%") || !strings.HasSuffix(got, ", done.\n") {
		t.Errorf("slow: %q", got)
	}
	newUpload(nil, 0, func() time.Time { return now }).end()
}
