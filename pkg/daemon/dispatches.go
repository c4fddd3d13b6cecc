package daemon

import (
	"cmp"
	"net/http"
	"slices"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/internal/unixhttp"
	"github.com/vexa-ai/vexa/pkg/workspace/session"
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
	q := r.URL.Query()
	rows := e.Dispatch.List(q.Get("all") == "1")
	if only := q.Get("session"); only != "" {
		rows = slices.DeleteFunc(rows, func(d api.Dispatch) bool { return d.Session != only })
	}
	unixhttp.WriteJSON(w, http.StatusOK, rows)
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
	for _, m := range byTurn(all, e.Dispatch.LastSessions(s.o.Caller.Subject)) {
		rows = append(rows, sessionRow(m))
	}
	unixhttp.WriteJSON(w, http.StatusOK, rows)
	return nil
}

// byTurn orders sessions as they are gone on with: first those whose turns are known to have
// come last, in that order. The others stay behind them as they were.
func byTurn(all []session.Meta, last []string) []session.Meta {
	place := map[string]int{}
	for i, id := range last {
		place[id] = i - len(last)
	}
	slices.SortStableFunc(all, func(a, b session.Meta) int { return cmp.Compare(place[a.Session], place[b.Session]) })
	return all
}

func sessionRow(m session.Meta) api.Session {
	return api.Session{ID: m.Session, Title: m.Title, Runner: m.Runner, Unit: m.Unit, UpdatedAt: m.Time}
}

// unkept says why there is no session of an id: nobody held it, or nothing of it is kept.
func unkept(id string, list []api.Dispatch) error {
	for _, d := range list {
		if d.Session == id {
			return fault.New(fault.NotFound, "nothing is kept of session "+id, "it is once a turn of it has ended; runner "+d.Runner+" may keep none: vexa runner show "+d.Runner)
		}
	}
	return fault.New(fault.NotFound, "there is no session "+id, "see: vexa session list")
}

// renameSession gives a session a title.
func (s *Server) renameSession(w http.ResponseWriter, r *http.Request) error {
	e, err := s.engine()
	if err != nil {
		return err
	}
	var req api.RenameSession
	if err := decode(r, &req); err != nil {
		return err
	}
	id, err := e.Dispatch.FindSession(r.Context(), s.o.Caller.Subject, r.PathValue("id"))
	if err != nil {
		return err
	}
	m, err := e.Sessions.Rename(r.Context(), s.o.Caller.Subject, id, req.Title)
	if fault.Is(err, fault.NotFound) {
		err = unkept(id, e.Dispatch.List(true))
	}
	if err != nil {
		return err
	}
	unixhttp.WriteJSON(w, http.StatusOK, sessionRow(m))
	return nil
}
