package web

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/internal/unixhttp"
	"github.com/vexa-ai/vexa/pkg/web/door"
	"github.com/vexa-ai/vexa/pkg/web/pages"
)

// serving is one time of listening, from the first request for it to its end.
type serving struct {
	o      Options
	l      *listener
	name   string // the host name
	host   string // with the port, as a request says it
	origin string
	door   *door.Door
	assets *pages.Assets
	api    http.Handler // of the daemon
	server *http.Server
	gone   func(after *time.Timer) // ends it: nobody has been there for long
	cancel context.CancelFunc

	refusals refusals

	keeping sync.Mutex
	kept    time.Time

	counting sync.Mutex
	busy     int // requests of somebody who is signed in
	timer    *time.Timer
}

// prepare makes the server; it serves with run. The life of its requests is not that
// of ctx, which is a request's.
func (s *serving) prepare(ctx context.Context) {
	s.host = net.JoinHostPort(s.name, strconv.Itoa(s.l.port()))
	s.origin = "http://" + s.host
	life, cancel := context.WithCancel(context.WithoutCancel(ctx))
	s.cancel = cancel
	s.server = &http.Server{
		Handler:           s.handler(),
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    32 << 10,
		ErrorLog:          slog.NewLogLogger(s.o.Log.Handler(), slog.LevelDebug), // what strangers send is no news
		BaseContext:       func(net.Listener) context.Context { return life },
	}
}

func (s *serving) run() {
	if err := s.server.Serve(s.l); !errors.Is(err, http.ErrServerClosed) {
		s.o.Log.Error("serve the pages", "error", err)
	}
}

// close ends every connection.
func (s *serving) close() error {
	s.counting.Lock()
	if s.timer != nil {
		s.timer.Stop()
	}
	s.counting.Unlock()
	s.cancel() // those that were upgraded, too
	return s.server.Close()
}

// rest ends the serving after a time without anybody there.
func (s *serving) rest(after time.Duration) {
	s.counting.Lock()
	defer s.counting.Unlock()
	if s.timer != nil {
		s.timer.Stop()
	}
	s.timer = nil
	if s.busy > 0 {
		return
	}
	var t *time.Timer
	t = time.AfterFunc(after, func() {
		s.counting.Lock()
		mine := t // it is set by now
		s.counting.Unlock()
		s.gone(mine)
	})
	s.timer = t
}

// left reports whether nobody came since a timer was set.
func (s *serving) left(t *time.Timer) bool {
	s.counting.Lock()
	defer s.counting.Unlock()
	return s.busy == 0 && s.timer == t
}

// attend notes that somebody who is signed in is there, until leave is called.
func (s *serving) attend() (leave func()) {
	s.counting.Lock()
	s.busy++
	if s.timer != nil {
		s.timer.Stop()
		s.timer = nil
	}
	s.counting.Unlock()
	s.keep(false)
	return func() {
		s.counting.Lock()
		s.busy--
		s.counting.Unlock()
		s.rest(s.o.Idle)
	}
}

// handler is everything behind the port.
func (s *serving) handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/session", unixhttp.Handle(s.session))
	mux.Handle("/api/", unixhttp.Handle(s.daemon(reachable())))
	mux.Handle("GET /assets/{name}", unixhttp.Handle(func(w http.ResponseWriter, r *http.Request) error {
		if err := s.checkOrigin(r); err != nil {
			return err
		}
		if !s.assets.Serve(w, r, r.PathValue("name")) {
			return fault.New(fault.NotFound, "there is no such file", "")
		}
		return nil
	}))
	for _, path := range views() {
		mux.Handle("GET "+path, unixhttp.Handle(s.document))
	}
	mux.Handle("/", unixhttp.Handle(s.nowhere))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		headers(w.Header(), s.host)
		if err := s.checkHost(r); err != nil {
			unixhttp.WriteError(w, err)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// views are the addresses that a person sees. All are the same document, which shows
// what its address says.
func views() []string {
	return []string{
		"/{$}", "/chat/{session}", "/sessions", "/dispatches", "/dispatches/{id}",
		"/workspaces", "/workspaces/{name}", "/proposals", "/proposals/{workspace}/{id}",
	}
}

func (s *serving) document(w http.ResponseWriter, r *http.Request) error {
	if err := checkDocument(r); err != nil {
		return err
	}
	s.assets.Serve(w, r, pages.Index)
	return nil
}

// nowhere answers for addresses that are none: a person with a page that says so and
// leads on, a program with an error.
func (s *serving) nowhere(w http.ResponseWriter, r *http.Request) error {
	if !safe(r) || !strings.Contains(r.Header.Get("Accept"), "text/html") || checkDocument(r) != nil {
		return fault.New(fault.NotFound, "there is no such page", "")
	}
	r = r.Clone(r.Context())
	r.Header.Del("If-None-Match") // the file is as it was, and the answer is still that
	s.assets.Serve(missing{w}, r, pages.Index)
	return nil
}

// missing answers with a status of its own.
type missing struct{ http.ResponseWriter }

func (m missing) WriteHeader(int) { m.ResponseWriter.WriteHeader(http.StatusNotFound) }

// maxSecret bounds what is read of who signs in, in bytes.
const maxSecret = 1 << 10

// session signs in with a link's secret (POST), says whether somebody is signed in
// (GET), and signs out (DELETE).
func (s *serving) session(w http.ResponseWriter, r *http.Request) error {
	if err := s.checkOrigin(r); err != nil {
		if r.Method == http.MethodPost {
			s.refuse(r, "another page")
		}
		return err
	}
	switch r.Method {
	case http.MethodPost:
		return s.signIn(w, r)
	case http.MethodGet, http.MethodDelete:
	default:
		return fault.New(fault.Invalid, r.Method+" is no method of a session", "")
	}
	cookie, err := s.signedIn(r)
	if err != nil {
		return unauthorised(w, err)
	}
	if r.Method == http.MethodGet {
		return answerToken(w, cookie)
	}
	if err := checkToken(r, cookie); err != nil {
		return err
	}
	s.door.Leave(cookie)
	s.o.left(r, cookie)
	s.keep(true)
	http.SetCookie(w, s.cookie("", -1))
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (s *serving) signIn(w http.ResponseWriter, r *http.Request) error {
	if !isJSON(r) {
		s.refuse(r, "no sign-in")
		return fault.New(fault.Invalid, "a sign-in is JSON", "")
	}
	var body struct {
		Secret string `json:"secret"`
	}
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxSecret))
	if err == nil {
		err = json.Unmarshal(data, &body)
	}
	if err != nil {
		s.refuse(r, "no sign-in")
		return fault.New(fault.Invalid, "a sign-in is a secret", "")
	}
	cookie, ok := s.door.Redeem(body.Secret)
	if !ok {
		s.refuse(r, "no such link")
		return unauthorised(w, denied("this link was used, or is older than a minute", "get a new one with: vexa web"))
	}
	if err := s.o.cameIn(r, cookie); err != nil {
		s.door.Leave(cookie) // who is not recorded is not in
		return err
	}
	for _, c := range r.CookiesNamed(Cookie) {
		if s.door.Leave(c.Value) { // the browser forgets it with this answer, and nobody could sign it out
			s.o.left(r, c.Value)
		}
	}
	s.rest(s.o.Idle)
	s.keep(true)
	http.SetCookie(w, s.cookie(cookie, int(door.SessionLife/time.Second)))
	return answerToken(w, cookie)
}

// cookie makes one that this host alone gets, over every path, and no script reads. A
// browser that is closed keeps it no longer than the session lives.
func (s *serving) cookie(value string, age int) *http.Cookie {
	return &http.Cookie{Name: Cookie, Value: value, Path: "/", MaxAge: age, HttpOnly: true, SameSite: http.SameSiteStrictMode} //nolint:gosec // not Secure: ADR 0035
}

func answerToken(w http.ResponseWriter, cookie string) error {
	unixhttp.WriteJSON(w, http.StatusOK, struct {
		Token string `json:"token"`
	}{door.Token(cookie)})
	return nil
}

// unauthorised answers whoever has to sign in first.
func unauthorised(w http.ResponseWriter, err error) error {
	unixhttp.WriteJSON(w, http.StatusUnauthorized, apiError(err))
	return nil
}

func isJSON(r *http.Request) bool {
	kind, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	return strings.TrimSpace(kind) == "application/json"
}
