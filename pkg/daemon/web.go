package daemon

import (
	"context"
	"net/http"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/internal/unixhttp"
)

// Pages serves the pages of the browser on a port of its own, while somebody asked
// for it; web.Site is one. What the pages ask for is answered by the handler that
// Open and Resume are given: the API of this package.
type Pages interface {
	// Open listens where it does not yet, and returns a link that signs in once.
	Open(ctx context.Context, handler http.Handler) (api.WebLink, error)
	// Resume listens as an earlier daemon did that was not told to stop. Where there
	// was none, or it was too long ago, it does nothing.
	Resume(ctx context.Context, handler http.Handler) error
	// Status says whether it listens.
	Status() api.Web
	// Shut stops listening and forgets who was signed in.
	Shut(ctx context.Context) error
}

// pages finds what serves the pages.
func (s *Server) pages() (Pages, error) {
	e, err := s.engine()
	if err != nil {
		return nil, err
	}
	if e.Pages == nil {
		return nil, fault.New(fault.NotFound, "this daemon has no pages", "")
	}
	return e.Pages, nil
}

// openWeb opens the listener of the pages and answers with a link.
func (s *Server) openWeb(w http.ResponseWriter, r *http.Request) error {
	p, err := s.pages()
	if err != nil {
		return err
	}
	link, err := p.Open(r.Context(), s.Handler())
	if err != nil {
		return err
	}
	unixhttp.WriteJSON(w, http.StatusOK, link)
	return nil
}

func (s *Server) showWeb(w http.ResponseWriter, _ *http.Request) error {
	p, err := s.pages()
	if err != nil {
		return err
	}
	unixhttp.WriteJSON(w, http.StatusOK, p.Status())
	return nil
}

func (s *Server) closeWeb(w http.ResponseWriter, r *http.Request) error {
	p, err := s.pages()
	if err != nil {
		return err
	}
	if err := p.Shut(r.Context()); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
