package daemon

import (
	"context"
	"net/http"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/internal/unixhttp"
)

// Keys are the keys of an unlocked installation, as a program of the same user
// borrows them that has to open a bucket: git-remote-vexa, where the key itself
// is locked. The private halves stay here.
type Keys interface {
	// Open decrypts what is encrypted to the installation.
	Open(ctx context.Context, sealed []byte) ([]byte, error)
	// Sign signs the line of a bucket's manifest, or of a delivery, and nothing else:
	// the namespace of the signature says which.
	Sign(ctx context.Context, namespace string, data []byte) (key string, signature []byte, err error)
}

func (s *Server) openSealed(w http.ResponseWriter, r *http.Request) error {
	e, err := s.engine()
	if err != nil {
		return err
	}
	var req api.OpenSealed
	if err := decode(r, &req); err != nil {
		return err
	}
	plain, err := e.Keys.Open(r.Context(), req.Sealed)
	if err != nil {
		return err
	}
	unixhttp.WriteJSON(w, http.StatusOK, api.Opened{Plain: plain})
	return nil
}

func (s *Server) sign(w http.ResponseWriter, r *http.Request) error {
	e, err := s.engine()
	if err != nil {
		return err
	}
	var req api.Sign
	if err := decode(r, &req); err != nil {
		return err
	}
	key, signature, err := e.Keys.Sign(r.Context(), req.Namespace, req.Data)
	if err != nil {
		return err
	}
	unixhttp.WriteJSON(w, http.StatusOK, api.Signed{Key: key, Signature: signature})
	return nil
}
