package daemon

import (
	"net/http"

	"github.com/vexa-ai/vexa/pkg/internal/unixhttp"
)

// listTools answers with the tools that a dispatch can be granted, as tool.v1
// has them.
func (s *Server) listTools(w http.ResponseWriter, _ *http.Request) error {
	unixhttp.WriteJSON(w, http.StatusOK, s.o.Tools.List())
	return nil
}

func (s *Server) showTool(w http.ResponseWriter, r *http.Request) error {
	t, err := s.o.Tools.Get(r.PathValue("name"))
	if err != nil {
		return err
	}
	unixhttp.WriteJSON(w, http.StatusOK, t)
	return nil
}
