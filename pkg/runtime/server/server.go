// Package server is the HTTP face of the runtime kernel: what vexa runtime
// serve answers on its socket.
//
//	POST   /workloads            runtime.v1 WorkloadSpec, Authorization: Bearer: 201
//	GET    /workloads            every WorkloadStatus
//	GET    /workloads/{id}       one
//	POST   /workloads/{id}/stop  {"reason": …}, optional
//	POST   /workloads/{id}/pause freezes it; 501 where the machine cannot
//	POST   /workloads/{id}/resume
//	DELETE /workloads/{id}       ends it if need be, and forgets it
//	GET    /events               Server-Sent Events, each a RuntimeEvent; Last-Event-ID is honoured
//	POST   /refusals             {"recorded": id}, optional: what was refused since, [api.Refusal]; waits until there is something
//	GET    /images/digest?ref=…  {"digest": …} of the image of that name
//	POST   /images/try           {"unit": …, "image": …, "argv": […]}, Authorization: Bearer: {"code": …}, of a program of it in a container of its own
//	GET    /healthz              runtime.Health
//
// Bodies are validated against the sealed contract on their way in, and errors
// are api.Error. Who may speak at all is decided before: see unixhttp.
package server

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/contract"
	"github.com/vexa-ai/vexa/pkg/contract/runtimev1"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/internal/unixhttp"
	"github.com/vexa-ai/vexa/pkg/runtime"
)

const (
	maxBody     = 1 << 20          // a spec with 256 mounts is below 500 kB
	keepAlive   = 15 * time.Second // between comments on an event stream where nothing happens
	refusalWait = 15 * time.Second // after it a reader of refusals is told that there are none
)

type server struct {
	kernel *runtime.Kernel
}

// New returns the handler of a kernel.
func New(kernel *runtime.Kernel, log *slog.Logger) http.Handler {
	s := &server{kernel: kernel}
	mux := http.NewServeMux()
	mux.Handle("POST /workloads", unixhttp.Handle(s.create))
	mux.Handle("GET /workloads", unixhttp.Handle(s.list))
	mux.Handle("GET /workloads/{id}", unixhttp.Handle(s.get))
	mux.Handle("POST /workloads/{id}/stop", unixhttp.Handle(s.stop))
	mux.Handle("POST /workloads/{id}/pause", unixhttp.Handle(s.pause))
	mux.Handle("POST /workloads/{id}/resume", unixhttp.Handle(s.resume))
	mux.Handle("DELETE /workloads/{id}", unixhttp.Handle(s.remove))
	mux.Handle("GET /events", unixhttp.Handle(s.events))
	mux.Handle("POST /refusals", unixhttp.Handle(s.refusals))
	mux.Handle("GET /images/digest", unixhttp.Handle(s.digest))
	mux.Handle("POST /images/try", unixhttp.Handle(s.try))
	mux.Handle("GET /healthz", unixhttp.Handle(s.health))
	return unixhttp.Guard(unixhttp.Paths(mux, kernel.Version()), maxBody, log)
}

func (s *server) create(w http.ResponseWriter, r *http.Request) error {
	token := bearer(r)
	if token == "" {
		return s.kernel.Refuse(r.Context(), "", fault.New(fault.Denied, "a workload needs its dispatch token", "send Authorization: Bearer"))
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	spec, err := contract.Decode[runtimev1.Spec]("runtime.v1#WorkloadSpec", body)
	if err != nil {
		return err
	}
	st, err := s.kernel.Create(r.Context(), spec, token)
	if err != nil {
		return err
	}
	unixhttp.WriteJSON(w, http.StatusCreated, st)
	return nil
}

// bearer is the token of a request, "" where it has none.
func bearer(r *http.Request) string {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		return ""
	}
	return token
}

func (s *server) list(w http.ResponseWriter, r *http.Request) error {
	list, err := s.kernel.List(r.Context())
	if err != nil {
		return err
	}
	unixhttp.WriteJSON(w, http.StatusOK, list)
	return nil
}

func (s *server) get(w http.ResponseWriter, r *http.Request) error {
	st, err := s.kernel.Get(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	unixhttp.WriteJSON(w, http.StatusOK, st)
	return nil
}

// stopRequest is the body of a stop.
type stopRequest struct {
	Reason runtimev1.StopReason `json:"reason"`
}

func (s *server) stop(w http.ResponseWriter, r *http.Request) error {
	var req stopRequest
	dec := json.NewDecoder(r.Body)
	dec.DisallowUnknownFields()
	if err := dec.Decode(&req); err != nil && !errors.Is(err, io.EOF) {
		return fault.Newf(fault.Invalid, "stop: %w", err)
	}
	st, err := s.kernel.Stop(r.Context(), r.PathValue("id"), req.Reason)
	if err != nil {
		return err
	}
	unixhttp.WriteJSON(w, http.StatusOK, st)
	return nil
}

func (s *server) pause(w http.ResponseWriter, r *http.Request) error {
	if err := s.kernel.Pause(r.Context(), r.PathValue("id")); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (s *server) resume(w http.ResponseWriter, r *http.Request) error {
	if err := s.kernel.Resume(r.Context(), r.PathValue("id")); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (s *server) remove(w http.ResponseWriter, r *http.Request) error {
	st, err := s.kernel.Delete(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	unixhttp.WriteJSON(w, http.StatusOK, st)
	return nil
}

// recordedRequest is the body of a request for refusals.
type recordedRequest struct {
	Recorded string `json:"recorded"`
}

func (s *server) refusals(w http.ResponseWriter, r *http.Request) error {
	var req recordedRequest
	dec := json.NewDecoder(r.Body)
	dec.DisallowUnknownFields()
	if err := dec.Decode(&req); err != nil && !errors.Is(err, io.EOF) {
		return fault.Newf(fault.Invalid, "refusals: %w", err)
	}
	ctx, cancel := context.WithTimeout(r.Context(), refusalWait)
	defer cancel()
	list := s.kernel.Refusals(ctx, req.Recorded)
	if list == nil {
		list = []api.Refusal{}
	}
	unixhttp.WriteJSON(w, http.StatusOK, list)
	return nil
}

func (s *server) health(w http.ResponseWriter, r *http.Request) error {
	h, err := s.kernel.Health(r.Context())
	if err != nil {
		return err
	}
	unixhttp.WriteJSON(w, http.StatusOK, h)
	return nil
}
