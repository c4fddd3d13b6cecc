package daemon

import (
	"net/http"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/internal/unixhttp"
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
		}
		if m.Inference != nil {
			row.Protocols = m.Inference.Protocols
		}
		rows = append(rows, row)
	}
	unixhttp.WriteJSON(w, http.StatusOK, rows)
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
