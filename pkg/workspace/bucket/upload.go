package bucket

import (
	"fmt"
	"io"
	"time"
)

// How often it is told how far an upload is, and for how long it is not.
const (
	uploadEvery = 200 * time.Millisecond
	uploadQuiet = time.Second
)

// upload tells how far a pack is on its way into the bucket, as git tells of what it
// does: a line that is written over. An upload that is over within a second says nothing.
type upload struct {
	to          io.Writer // nil: nobody is told
	total, done int64     // bytes
	now         func() time.Time
	next        time.Time // when it is told again
	told        bool
}

func newUpload(to io.Writer, total int64, now func() time.Time) *upload {
	return &upload{to: to, total: total, now: now, next: now().Add(uploadQuiet)}
}

// Write implements io.Writer: it takes what was stored.
func (u *upload) Write(p []byte) (int, error) {
	u.done += int64(len(p))
	if now := u.now(); u.to != nil && !now.Before(u.next) {
		u.next, u.told = now.Add(uploadEvery), true
		u.tell("\r")
	}
	return len(p), nil
}

// end ends the line, if there is one.
func (u *upload) end() {
	if u.told {
		u.tell(", done.\n")
	}
}

func (u *upload) tell(end string) {
	const mega = 1e6
	_, _ = fmt.Fprintf(u.to, "Storing, encrypted: %3d%% (%.1f/%.1f MB)%s", 100*u.done/max(u.total, 1), float64(u.done)/mega, float64(u.total)/mega, end) // nobody reads it who would be missed
}
