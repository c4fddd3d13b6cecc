// Package door decides who has signed in to the pages: by a link that works once,
// then by a cookie. It knows nothing of HTTP, and holds hashes of secrets only.
package door

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"maps"
	"sync"
	"time"
)

// How long what is given out is good for.
const (
	LinkLife    = time.Minute        // from a link to its use
	IdleLife    = 12 * time.Hour     // of a session that is not used
	SessionLife = 7 * 24 * time.Hour // of any session
)

// Bounds, so that nothing grows with what somebody asks for.
const (
	maxLinks    = 8
	maxSessions = 16
)

const secretSize = 32 // bytes of randomness

// digest stands for a secret, which is not kept.
type digest [sha256.Size]byte

// Session is one browser that has signed in.
type Session struct {
	Begun time.Time `json:"begun"`
	Used  time.Time `json:"used"`
}

// Door is safe for concurrent use.
type Door struct {
	now func() time.Time

	mu       sync.Mutex
	links    map[digest]time.Time // until when each is good
	sessions map[digest]Session
	inside   map[digest]map[uint64]context.CancelFunc // what goes on in sessions
	entered  uint64                                   // how often something began to
}

// New returns a door through which nobody has come.
func New(now func() time.Time) *Door {
	return &Door{now: now, links: map[digest]time.Time{}, sessions: map[digest]Session{}, inside: map[digest]map[uint64]context.CancelFunc{}}
}

// Link returns a new secret that signs in once, and until when. The oldest link
// goes where there are many.
func (d *Door) Link() (secret string, until time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.expire()
	for len(d.links) >= maxLinks {
		delete(d.links, oldest(d.links, func(t time.Time) time.Time { return t }))
	}
	secret, until = random(), d.now().Add(LinkLife)
	d.links[hash(secret)] = until
	return secret, until
}

// Redeem takes a link's secret for a cookie. It reports false for one that was used,
// is too old or never was: which of them, nobody is told.
func (d *Door) Redeem(secret string) (cookie string, ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.expire()
	// The map is asked for a hash: how long that takes says nothing of the secret.
	key := hash(secret)
	if _, ok := d.links[key]; !ok {
		return "", false
	}
	delete(d.links, key)
	for len(d.sessions) >= maxSessions {
		d.end(oldest(d.sessions, func(s Session) time.Time { return s.Used }))
	}
	cookie = random()
	now := d.now()
	d.sessions[hash(cookie)] = Session{Begun: now, Used: now}
	return cookie, true
}

// Enter reports whether a cookie is that of a session, and notes that it is used.
func (d *Door) Enter(cookie string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.expire()
	key := hash(cookie)
	s, ok := d.sessions[key]
	if !ok {
		return false
	}
	s.Used = d.now()
	d.sessions[key] = s
	return true
}

// Leave ends the session of a cookie, and reports whether it had one.
func (d *Door) Leave(cookie string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.expire()
	key := hash(cookie)
	_, ok := d.sessions[key]
	d.end(key)
	return ok
}

// Stay is for what goes on in a session: the context ends with the session, whoever ends
// that, or at once where there is none. Call leave once it is over.
func (d *Door) Stay(ctx context.Context, cookie string) (_ context.Context, leave func()) {
	ctx, cancel := context.WithCancel(ctx)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.expire()
	key := hash(cookie)
	if _, ok := d.sessions[key]; !ok {
		cancel()
		return ctx, cancel
	}
	if d.inside[key] == nil {
		d.inside[key] = map[uint64]context.CancelFunc{}
	}
	d.entered++
	number := d.entered
	d.inside[key][number] = cancel
	return ctx, func() {
		cancel()
		d.mu.Lock()
		defer d.mu.Unlock()
		delete(d.inside[key], number)
		if len(d.inside[key]) == 0 {
			delete(d.inside, key)
		}
	}
}

// end ends a session and what goes on in it. The caller holds mu.
func (d *Door) end(key digest) {
	delete(d.sessions, key)
	for _, cancel := range d.inside[key] {
		cancel()
	}
	delete(d.inside, key)
}

// Token is what a page of the session says with each request that changes
// something. It follows from the cookie, which no script can read, and leads nowhere back.
func Token(cookie string) string {
	mac := hmac.New(sha256.New, []byte(cookie))
	mac.Write([]byte("vexa web token 1"))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// Name is what a session is called where it is recorded. It follows from the cookie, and
// leads nowhere back.
func Name(cookie string) string {
	mac := hmac.New(sha256.New, []byte(cookie))
	mac.Write([]byte("vexa web name 1"))
	return hex.EncodeToString(mac.Sum(nil)[:6])
}

// SameToken compares two tokens in a time that does not depend on them.
func SameToken(a, b string) bool { return hmac.Equal([]byte(a), []byte(b)) }

// Count says how many sessions and unused links there are.
func (d *Door) Count() (sessions, links int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.expire()
	return len(d.sessions), len(d.links)
}

// Sessions returns the sessions by the hash of their cookie, to be kept for the next
// daemon; Restore takes them in again. Links are not kept.
func (d *Door) Sessions() map[string]Session {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.expire()
	out := make(map[string]Session, len(d.sessions))
	for key, s := range d.sessions {
		out[hex.EncodeToString(key[:])] = s
	}
	return out
}

// Restore is documented at Sessions.
func (d *Door) Restore(sessions map[string]Session) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for text, s := range sessions {
		var key digest
		if n, err := hex.Decode(key[:], []byte(text[:min(len(text), 2*len(key))])); err == nil && n == len(key) {
			d.sessions[key] = s
		}
	}
	d.expire()
}

// expire drops what is over. The caller holds mu.
func (d *Door) expire() {
	now := d.now()
	maps.DeleteFunc(d.links, func(_ digest, until time.Time) bool { return !now.Before(until) })
	for key, s := range d.sessions {
		if now.Sub(s.Used) >= IdleLife || now.Sub(s.Begun) >= SessionLife {
			d.end(key)
		}
	}
}

func oldest[V any](m map[digest]V, at func(V) time.Time) digest {
	var first digest
	var when time.Time
	for key, v := range m {
		if t := at(v); when.IsZero() || t.Before(when) {
			first, when = key, t
		}
	}
	return first
}

func hash(secret string) digest { return sha256.Sum256([]byte(secret)) }

func random() string {
	var b [secretSize]byte
	rand.Read(b[:]) // it never fails: the program ends
	return base64.RawURLEncoding.EncodeToString(b[:])
}
