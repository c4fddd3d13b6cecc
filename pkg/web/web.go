// Package web serves the pages of the browser: while somebody asked for it, on a port
// of 127.0.0.1, under a host name of its own that no other page knows. What the pages
// show and do goes through the daemon's own API; this package adds the door to it, and
// nothing else.
//
// What holds the door is in guard.go (Host, Origin, cookie, token), in package door
// (links and sessions) and in peer.go (whose process is on the other end).
package web

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/web/door"
	"github.com/vexa-ai/vexa/pkg/web/pages"
)

// idle is how long the port is open while no page is.
const idle = 15 * time.Minute

// Memory keeps what a next daemon needs to serve on, encrypted; it is lost at a reboot.
type Memory interface {
	// Load returns what Store was given last, nil where there is nothing.
	Load() ([]byte, error)
	Store(data []byte) error
	Remove() error
}

// Options configure a Site. All are required up to Log.
type Options struct {
	Memory Memory
	Trail  Trail
	Now    func() time.Time
	Log    *slog.Logger

	Idle  time.Duration // replaces the constant of that name where it is not zero
	Users []int         // whose processes may connect; nil: this process's user and root
}

// Site is the pages of one installation. Its methods are safe for concurrent use.
type Site struct {
	o Options

	mu sync.Mutex
	up *serving // nil: nobody asked
}

// New returns a site that listens nowhere.
func New(o Options) *Site {
	if o.Idle == 0 {
		o.Idle = idle
	}
	if o.Users == nil {
		o.Users = []int{os.Getuid(), 0}
	}
	return &Site{o: o}
}

// Open listens where it does not yet, and returns a link that signs in once.
func (s *Site) Open(ctx context.Context, handler http.Handler) (api.WebLink, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := door.New(s.o.Now)
	if s.up != nil {
		d = s.up.door
	}
	secret, until := d.Link()
	if err := s.o.linked(ctx, until); err != nil {
		return api.WebLink{}, err // nobody is told the secret, and nothing listens for it
	}
	if s.up == nil {
		name := strings.ToLower(rand.Text()) + ".localhost" // 26 letters and digits: 128 bits and more
		if err := s.listen(ctx, name, 0, d, handler); err != nil {
			return api.WebLink{}, err
		}
	}
	s.up.rest(s.o.Idle) // from now
	s.up.keep(true)
	return api.WebLink{URL: s.up.origin + "/#sign-in=" + secret, Address: s.up.origin + "/", ExpiresAt: until}, nil
}

// listen begins to serve. The caller holds mu.
func (s *Site) listen(ctx context.Context, name string, port int, d *door.Door, handler http.Handler) error {
	assets, err := pages.All()
	if err != nil {
		return err
	}
	l, err := listen(ctx, port, s.o.Users)
	if err != nil {
		return err
	}
	up := &serving{o: s.o, l: l, name: name, door: d, assets: assets, api: handler}
	up.prepare(ctx)
	life := context.WithoutCancel(ctx)
	up.gone = func(t *time.Timer) {
		if err := s.drop(life, up, t); err != nil {
			s.o.Log.ErrorContext(life, "close the pages", "error", err)
		}
	}
	s.up = up
	s.o.Log.InfoContext(ctx, "pages are served", "port", l.port())
	go up.run()
	return nil
}

// drop ends what serves where that is still what does: nobody has looked at it for
// long, and nobody came or asked for a link in the last moment.
func (s *Site) drop(ctx context.Context, up *serving, t *time.Timer) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.up != up || !up.left(t) {
		return nil
	}
	s.up = nil
	up.closed(ctx, "nobody was there")
	return errors.Join(up.close(), s.o.Memory.Remove())
}

// Status says whether it listens.
func (s *Site) Status() api.Web {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.up == nil {
		return api.Web{}
	}
	sessions, links := s.up.door.Count()
	return api.Web{Open: true, Address: s.up.origin + "/", Sessions: sessions, Waiting: links}
}

// Shut stops listening and forgets who was signed in.
func (s *Site) Shut(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	up := s.up
	s.up = nil
	if up == nil {
		return s.o.Memory.Remove()
	}
	up.closed(ctx, "it was asked for")
	return errors.Join(up.close(), s.o.Memory.Remove())
}

// Close stops listening and leaves it to the next daemon to go on.
func (s *Site) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	up := s.up
	s.up = nil
	if up == nil {
		return nil
	}
	up.keep(true)
	return up.close()
}
