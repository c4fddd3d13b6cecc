package broker

import (
	"encoding/json"
	"net/http"

	"github.com/vexa-ai/vexa/pkg/audit"
	"github.com/vexa-ai/vexa/pkg/contract/identityv1"
	"github.com/vexa-ai/vexa/pkg/identity"
)

// modelList answers GET /v1/models for clients of either protocol.
type modelList struct {
	Object  string      `json:"object"`
	Data    []modelItem `json:"data"`
	HasMore bool        `json:"has_more"`
}

type modelItem struct {
	ID          string `json:"id"`
	Object      string `json:"object"`
	Type        string `json:"type"`
	DisplayName string `json:"display_name"`
	OwnedBy     string `json:"owned_by"`
	Created     int64  `json:"created"`
}

// models lists what the token grants; no provider is asked.
func (s *Socket) models(w http.ResponseWriter, r *http.Request) {
	claims, err := s.verify(r, identityv1.AudienceBroker)
	if err != nil {
		s.refuseToken(w, r, audit.Inference, err)
		return
	}
	list := modelList{Object: "list", Data: []modelItem{}}
	for _, m := range identity.Models(claims) {
		list.Data = append(list.Data, modelItem{ID: m, Object: "model", Type: "model", DisplayName: m, OwnedBy: "vexa"})
	}
	body, err := json.Marshal(list)
	if err != nil {
		writeError(w, http.StatusBadRequest, "the models cannot be listed")
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(append(body, '\n')) // a client that has gone is not told
}
