package door_test

import (
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/web/door"
)

func at(t *time.Time) func() time.Time { return func() time.Time { return *t } }

func TestLinkSignsInOnce(t *testing.T) {
	t.Parallel()
	d := door.New(time.Now)
	secret, _ := d.Link()
	var won atomic.Int32
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			if _, ok := d.Redeem(secret); ok {
				won.Add(1)
			}
		})
	}
	all.Wait()
	if won.Load() != 1 {
		t.Errorf("%d signed in with one link", won.Load())
	}
}

func TestSessionsEnd(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	d := door.New(at(&now))
	enter := func() string {
		secret, until := d.Link()
		if until.Sub(now) != door.LinkLife {
			t.Errorf("a link lives %s", until.Sub(now))
		}
		cookie, ok := d.Redeem(secret)
		if !ok {
			t.Fatal("a new link does not sign in")
		}
		return cookie
	}
	used, unused := enter(), enter()
	begun := now
	for now.Sub(begun) < door.SessionLife-door.IdleLife/2 {
		if !d.Enter(used) {
			t.Fatalf("a session that is used ends after %s", now.Sub(begun))
		}
		now = now.Add(door.IdleLife / 2)
	}
	if d.Enter(unused) {
		t.Error("a session that nobody uses lives on")
	}
	now = begun.Add(door.SessionLife)
	if d.Enter(used) {
		t.Error("a session lives for ever")
	}
	left := enter()
	if !d.Leave(left) || d.Leave(left) {
		t.Error("who signs out twice is in until the second time, or was not in")
	}
	if d.Enter(left) {
		t.Error("who signed out is in")
	}
}

// What goes on in a session ends with it, however that ends, and nothing is kept of it.
func TestWhatGoesOnEnds(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	d := door.New(at(&now))
	enter := func() string {
		secret, _ := d.Link()
		cookie, ok := d.Redeem(secret)
		if !ok {
			t.Fatal("a new link does not sign in")
		}
		return cookie
	}
	for name, end := range map[string]func(cookie string){
		"signed out": func(cookie string) { d.Leave(cookie) },
		"too old":    func(string) { now = now.Add(door.IdleLife); d.Count() },
		"one of too many": func(string) {
			for range 100 {
				now = now.Add(time.Millisecond)
				enter()
			}
		},
	} {
		cookie := enter()
		one, leaveOne := d.Stay(t.Context(), cookie)
		two, leaveTwo := d.Stay(t.Context(), cookie)
		leaveOne()
		if one.Err() == nil || two.Err() != nil {
			t.Errorf("%s: %v is over, %v goes on", name, one.Err(), two.Err())
		}
		end(cookie)
		if two.Err() == nil {
			t.Errorf("%s: it goes on", name)
		}
		leaveTwo()
		if life, leave := d.Stay(t.Context(), cookie); life.Err() == nil {
			t.Errorf("%s: something begins in it", name)
			leave()
		}
	}
	cookie := enter()
	life, leave := d.Stay(t.Context(), cookie)
	leave()
	leave()
	if life.Err() == nil {
		t.Error("it outlives who left")
	}
	if life, leave = d.Stay(t.Context(), cookie); life.Err() != nil {
		t.Error("a session that lives lets nobody in")
	}
	leave()
}

func TestBounds(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	d := door.New(at(&now))
	first, _ := d.Link()
	for range 100 {
		now = now.Add(time.Millisecond)
		secret, _ := d.Link()
		if _, ok := d.Redeem(secret); !ok {
			t.Fatal("a new link does not sign in")
		}
	}
	for range 100 {
		now = now.Add(time.Millisecond)
		d.Link()
	}
	if sessions, links := d.Count(); sessions > 16 || links > 8 {
		t.Errorf("%d sessions, %d links", sessions, links)
	}
	if _, ok := d.Redeem(first); ok {
		t.Error("the oldest link is kept")
	}
}

func TestWhatIsKept(t *testing.T) {
	t.Parallel()
	d := door.New(time.Now)
	secret, _ := d.Link()
	cookie, _ := d.Redeem(secret)
	waiting, _ := d.Link()
	kept := d.Sessions()
	if len(kept) != 1 {
		t.Fatalf("%d sessions", len(kept))
	}
	for key := range kept {
		if strings.Contains(key, cookie) || len(key) != 64 {
			t.Errorf("it is kept as %q", key)
		}
	}
	next := door.New(time.Now)
	next.Restore(kept)
	next.Restore(map[string]door.Session{"no hash": {}, strings.Repeat("zz", 32): {}, "": {}})
	if !next.Enter(cookie) {
		t.Error("a session does not go on")
	}
	if _, ok := next.Redeem(waiting); ok {
		t.Error("a link goes on")
	}
	if sessions, _ := next.Count(); sessions != 1 {
		t.Errorf("%d sessions", sessions)
	}
}

func TestTokens(t *testing.T) {
	t.Parallel()
	a, b := door.Token("one"), door.Token("two")
	if a == b || a != door.Token("one") || strings.Contains(a, "one") || !door.SameToken(a, door.Token("one")) || door.SameToken(a, b) || door.SameToken("", a) {
		t.Errorf("tokens %q and %q", a, b)
	}
}
