package daemon

import (
	"net/http"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/internal/unixhttp"
)

func (s *Server) startDispatch(w http.ResponseWriter, r *http.Request) error {
	e, err := s.engine()
	if err != nil {
		return err
	}
	var req api.StartRequest
	if err := decode(r, &req); err != nil {
		return err
	}
	started, err := e.Dispatch.Start(r.Context(), s.o.Caller, req)
	if err != nil {
		return err
	}
	unixhttp.WriteJSON(w, http.StatusCreated, started)
	return nil
}

func (s *Server) listDispatches(w http.ResponseWriter, r *http.Request) error {
	e, err := s.engine()
	if err != nil {
		return err
	}
	unixhttp.WriteJSON(w, http.StatusOK, e.Dispatch.List(r.URL.Query().Get("all") == "1"))
	return nil
}

func (s *Server) showDispatch(w http.ResponseWriter, r *http.Request) error {
	e, err := s.engine()
	if err != nil {
		return err
	}
	d, err := e.Dispatch.Get(r.PathValue("id"))
	if err != nil {
		return err
	}
	unixhttp.WriteJSON(w, http.StatusOK, d)
	return nil
}

func (s *Server) stopDispatch(w http.ResponseWriter, r *http.Request) error {
	e, err := s.engine()
	if err != nil {
		return err
	}
	var req api.StopRequest
	if err := decode(r, &req); err != nil {
		return err
	}
	d, err := e.Dispatch.Stop(r.Context(), r.PathValue("id"), req.Interrupt)
	if err != nil {
		return err
	}
	unixhttp.WriteJSON(w, http.StatusOK, d)
	return nil
}

func (s *Server) listSessions(w http.ResponseWriter, r *http.Request) error {
	e, err := s.engine()
	if err != nil {
		return err
	}
	all, err := e.Sessions.List(r.Context(), s.o.Caller.Subject)
	if err != nil {
		return err
	}
	rows := make([]api.Session, 0, len(all))
	for _, m := range all {
		rows = append(rows, api.Session{ID: m.Session, Runner: m.Runner, Unit: m.Unit, UpdatedAt: m.Time})
	}
	unixhttp.WriteJSON(w, http.StatusOK, rows)
	return nil
}
