package web

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/internal/unixhttp"
)

// reachable matches what of the daemon's API the pages may ask for, with /api in place
// of /v1. Keys, members, models, runners and the daemon's own life are not among it: a
// page that went wrong could not give them away.
func reachable() *http.ServeMux {
	mux := http.NewServeMux()
	nothing := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	for _, pattern := range []string{
		"GET /api/status", "GET /api/subscribe",
		"GET /api/dispatches", "POST /api/dispatches", "GET /api/dispatches/{id}", "POST /api/dispatches/{id}/stop", "GET /api/dispatches/{id}/frames",
		"GET /api/sessions", "POST /api/sessions/{id}/rename",
		"GET /api/models", "GET /api/runners", "GET /api/tools",
		"GET /api/workspaces", "GET /api/workspaces/{name}", "GET /api/workspaces/{name}/log", "GET /api/workspaces/{name}/files",
		"GET /api/workspaces/{name}/file", "GET /api/workspaces/{name}/diff", "GET /api/workspaces/{name}/blame", "GET /api/workspaces/{name}/status",
		"POST /api/workspaces/{name}/undo",
		"GET /api/workspaces/{name}/members", "GET /api/workspaces/{name}/policy",
		"GET /api/workspaces/{name}/proposals", "GET /api/workspaces/{name}/proposals/{id}",
		"GET /api/workspaces/{name}/proposals/{id}/diff", "GET /api/workspaces/{name}/proposals/{id}/sides",
		"POST /api/workspaces/{name}/proposals/{id}/comment", "POST /api/workspaces/{name}/proposals/{id}/resolve",
		"POST /api/workspaces/{name}/proposals/{id}/approve", "POST /api/workspaces/{name}/proposals/{id}/reject",
		"POST /api/workspaces/{name}/proposals/{id}/accept", "POST /api/workspaces/{name}/proposals/{id}/refresh",
	} {
		mux.Handle(pattern, nothing)
	}
	return mux
}

// daemon passes on what a signed in page of ours asks the daemon for.
func (s *serving) daemon(allowed *http.ServeMux) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, r *http.Request) error {
		if err := s.checkOrigin(r); err != nil {
			return err
		}
		cookie, err := s.signedIn(r)
		if err != nil {
			return unauthorised(w, err)
		}
		if err := checkToken(r, cookie); err != nil {
			return err
		}
		if !safe(r) && !isJSON(r) {
			return fault.New(fault.Invalid, "a request to change something is JSON", "")
		}
		if _, pattern := allowed.Handler(r); pattern == "" {
			return fault.New(fault.NotFound, "the pages have no "+r.Method+" "+r.URL.Path, "")
		}
		defer s.attend()()
		ctx, leave := s.door.Stay(r.Context(), cookie) // a stream ends with its session
		defer leave()
		s.api.ServeHTTP(w, inward(r.WithContext(ctx)))
		return nil
	}
}

// inward is a request as the daemon's own socket gets it: what the browser says of
// itself was checked here and goes no further, its cookie least of all.
func inward(r *http.Request) *http.Request {
	in := r.Clone(r.Context())
	in.Host = unixhttp.Host
	in.URL = &url.URL{Path: "/v1" + strings.TrimPrefix(r.URL.Path, "/api"), RawQuery: r.URL.RawQuery}
	if raw := r.URL.RawPath; raw != "" {
		in.URL.RawPath = "/v1" + strings.TrimPrefix(raw, "/api")
	}
	in.RequestURI = in.URL.RequestURI()
	in.Header = http.Header{}
	names := []string{"Accept", "Content-Type", "Last-Event-Id"}
	if r.Header.Get("Upgrade") != "" {
		names = append(names, "Connection", "Upgrade", "Sec-Websocket-Key", "Sec-Websocket-Version", "Sec-Websocket-Extensions")
	}
	for _, name := range names {
		if values := r.Header.Values(name); len(values) > 0 {
			in.Header[name] = values
		}
	}
	return in
}

func apiError(err error) api.Error {
	return api.Error{Code: string(fault.KindOf(err)), Message: err.Error(), Hint: fault.HintOf(err)}
}
