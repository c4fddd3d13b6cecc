package server

import (
	"encoding/json"
	"net/http"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/internal/unixhttp"
)

// The bodies of requests about images, and of their answers.
type (
	tryRequest struct {
		Unit  string   `json:"unit"`
		Image string   `json:"image"`
		Argv  []string `json:"argv"`
	}
	tryAnswer struct {
		Code int `json:"code"`
	}
	digestAnswer struct {
		Digest string `json:"digest"`
	}
)

func (s *server) digest(w http.ResponseWriter, r *http.Request) error {
	digest, err := s.kernel.ImageDigest(r.Context(), r.URL.Query().Get("ref"))
	if err != nil {
		return err
	}
	unixhttp.WriteJSON(w, http.StatusOK, digestAnswer{digest})
	return nil
}

func (s *server) try(w http.ResponseWriter, r *http.Request) error {
	var req tryRequest
	dec := json.NewDecoder(r.Body)
	dec.DisallowUnknownFields()
	if err := dec.Decode(&req); err != nil {
		return fault.Newf(fault.Invalid, "try: %w", err)
	}
	if req.Unit == "" || req.Image == "" || len(req.Argv) == 0 {
		return fault.New(fault.Invalid, "try: it needs unit, image and argv", "")
	}
	code, err := s.kernel.Try(r.Context(), req.Unit, bearer(r), req.Image, req.Argv)
	if err != nil {
		return err
	}
	unixhttp.WriteJSON(w, http.StatusOK, tryAnswer{code})
	return nil
}
