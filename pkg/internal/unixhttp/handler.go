package unixhttp

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strconv"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/fault"
)

// Host is what a request must name as its host.
const Host = "vexa"

// Guard wraps next: requests with another Host, an Origin or a Referer are
// refused, bodies are limited to maxBody bytes, and a panic becomes a logged
// fault.Internal.
func Guard(next http.Handler, maxBody int64, log *slog.Logger) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			p := recover()
			if p == nil {
				return
			}
			if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
				panic(p)
			}
			log.ErrorContext(r.Context(), "request panicked", "method", r.Method, "path", r.URL.Path, "stack", string(debug.Stack()))
			WriteError(w, fault.New(fault.Internal, "a defect; the log has the details", ""))
		}()
		switch {
		case r.Host != Host:
			WriteError(w, fault.New(fault.Denied, "this host is not served here", "ask for http://"+Host+"/, which no web page can name"))
		case r.Header.Get("Origin") != "" || r.Header.Get("Referer") != "":
			WriteError(w, fault.New(fault.Denied, "web pages are not served here", ""))
		default:
			r.Body = http.MaxBytesReader(w, r.Body, maxBody)
			next.ServeHTTP(w, r)
		}
	})
}

// Paths serves mux, with api.Error for what it does not have, and names the
// version in each answer.
func Paths(mux *http.ServeMux, version string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set(api.HeaderVersion, version)
		w.Header().Set(api.HeaderAPI, strconv.Itoa(api.Level))
		if _, pattern := mux.Handler(r); pattern != "" {
			mux.ServeHTTP(w, r)
			return
		}
		none := &unanswered{header: w.Header(), status: http.StatusNotFound}
		mux.ServeHTTP(none, r) // it says whether the path or the method is wrong, and which methods there are
		if none.status == http.StatusMethodNotAllowed {
			WriteJSON(w, none.status, api.Error{Code: string(fault.Invalid), Message: r.Method + " is no method of " + r.URL.Path})
			return
		}
		WriteError(w, fault.New(fault.NotFound, "there is no "+r.URL.Path, ""))
	})
}

// unanswered keeps the status of an answer that is written anew.
type unanswered struct {
	header http.Header
	status int
}

func (u *unanswered) Header() http.Header         { return u.header }
func (u *unanswered) Write(p []byte) (int, error) { return len(p), nil }
func (u *unanswered) WriteHeader(status int)      { u.status = status }

// Handle makes a handler of a function that returns its error.
func Handle(f func(http.ResponseWriter, *http.Request) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := f(w, r); err != nil {
			WriteError(w, err)
		}
	})
}

// StatusOf returns the HTTP status of a kind of failure.
func StatusOf(kind fault.Kind) int {
	switch kind {
	case fault.Invalid, fault.Usage:
		return http.StatusBadRequest
	case fault.Denied:
		return http.StatusForbidden
	case fault.NotFound:
		return http.StatusNotFound
	case fault.Conflict:
		return http.StatusConflict
	case fault.Locked:
		return http.StatusLocked
	case fault.Timeout:
		return http.StatusGatewayTimeout
	case fault.Unavailable, fault.Unreachable:
		return http.StatusServiceUnavailable
	case fault.Interrupted:
		return 499 // the client went away; nobody reads it
	default:
		return http.StatusInternalServerError
	}
}

// WriteError answers with err as api.Error. What is errors.ErrUnsupported is
// 501, and ReadError makes it that again.
func WriteError(w http.ResponseWriter, err error) {
	if tooBig, ok := errors.AsType[*http.MaxBytesError](err); ok {
		err = fault.Newf(fault.Invalid, "the request is larger than %d bytes", tooBig.Limit)
	}
	kind := fault.KindOf(err)
	status := StatusOf(kind)
	if errors.Is(err, errors.ErrUnsupported) {
		status = http.StatusNotImplemented
	}
	WriteJSON(w, status, api.Error{Code: string(kind), Message: err.Error(), Hint: fault.HintOf(err)})
}

// WriteJSON answers with v.
func WriteJSON(w http.ResponseWriter, status int, v any) {
	data, err := json.Marshal(v)
	if err != nil {
		http.Error(w, `{"code":"internal","message":"the answer cannot be written"}`, http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	w.Write(append(data, '\n')) //nolint:errcheck // the client went away
}
