package daemon

import (
	"net/http"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/internal/unixhttp"
	"github.com/vexa-ai/vexa/pkg/runner"
)

func (s *Server) listRunners(w http.ResponseWriter, _ *http.Request) error {
	rows := []api.Runner{}
	for _, m := range s.o.Runners.List() {
		row := api.Runner{
			Name: m.Name, Title: m.Title, Image: m.Image.Ref, Dialect: m.Stream.Dialect,
			Protocols: []string{}, Resumes: len(m.Argv.Resume) > 0,
		}
		if m.Image.Builtin != "" {
			row.Image = "builtin:" + m.Image.Builtin
		} else if digest, err := s.o.Builds.Digest(m); err == nil { // else it is to be made again
			row.Digest = digest
		}
		if m.Inference != nil {
			row.Protocols = m.Inference.Protocols
		}
		rows = append(rows, row)
	}
	unixhttp.WriteJSON(w, http.StatusOK, rows)
	return nil
}

// addRunner makes a runner a person's own.
func (s *Server) addRunner(w http.ResponseWriter, r *http.Request) error {
	var req api.AddRunner
	if err := decode(r, &req); err != nil {
		return err
	}
	m, err := s.o.Runners.Add(s.o.RunnersDir, files(req), req.Replace)
	if err == nil {
		err = s.o.Builds.Forget(m.Name)
	}
	if err != nil {
		return err
	}
	unixhttp.WriteJSON(w, http.StatusCreated, m)
	return nil
}

func files(r api.AddRunner) runner.Files {
	f := runner.Files{Manifest: []byte(r.Manifest)}
	if r.Lock != "" {
		f.Lock = []byte(r.Lock)
	}
	return f
}

func (s *Server) removeRunner(w http.ResponseWriter, r *http.Request) error {
	name := r.PathValue("name")
	err := s.o.Runners.Remove(s.o.RunnersDir, name)
	if err == nil {
		err = s.o.Builds.Forget(name)
	}
	if err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (s *Server) showRunner(w http.ResponseWriter, r *http.Request) error {
	m, err := s.o.Runners.Get(r.PathValue("name"))
	if err != nil {
		return err
	}
	unixhttp.WriteJSON(w, http.StatusOK, m)
	return nil
}
