package dispatch

import (
	"crypto/rand"
	"fmt"
	"time"

	"github.com/vexa-ai/vexa/pkg/contract/unitv1"
)

// Limits that hold where a unit does not say otherwise.
const (
	DefaultIdleSec = 300     // a container waits this long for a next message
	DefaultMaxSec  = 60 * 60 // and lives no longer than this
	DefaultDiskMB  = 1024    // growth of its writable mounts
)

// Trusted reports whether what unit u reads and is asked comes from its
// subject: a message, or a schedule entry. Anything else came from outside.
func Trusted(u unitv1.Unit) bool {
	return u.Trigger == unitv1.TriggerMessage || u.Trigger == unitv1.TriggerScheduled
}

// withDefaults fills the limits in.
func withDefaults(l *unitv1.Limits) *unitv1.Limits {
	out := unitv1.Limits{}
	if l != nil {
		out = *l
	}
	set := func(p **int, v int) {
		if *p == nil {
			*p = &v
		}
	}
	set(&out.IdleSec, DefaultIdleSec)
	set(&out.MaxSec, DefaultMaxSec)
	set(&out.DiskMB, DefaultDiskMB)
	return &out
}

// tokenSlack is what a token outlives its container by: the wait for the turn to
// be started, where many are at once, and the last seal.
const tokenSlack = 10 * time.Minute

// tokenLife is how long a unit's token is valid: as long as its container may
// live, and the slack.
func tokenLife(l *unitv1.Limits) time.Duration {
	return time.Duration(*l.MaxSec)*time.Second + tokenSlack
}

// newSession returns a session id: a version 4 UUID (RFC 9562), the one form
// that every agent CLI with assignable ids takes.
func newSession() (string, error) {
	var b [16]byte
	if _, err := rand.Read(b[:]); err != nil {
		return "", err
	}
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:16]), nil
}
