package daemon

import (
	"net/http"
	"strconv"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/internal/unixhttp"
	"github.com/vexa-ai/vexa/pkg/workspace"
)

// listDeliveries says what members delivered who write and do not read.
func (s *Server) listDeliveries(w http.ResponseWriter, r *http.Request) error {
	e, id, err := s.named(r)
	if err != nil {
		return err
	}
	limit := 0
	if text := r.URL.Query().Get("limit"); text != "" {
		if limit, err = strconv.Atoi(text); err != nil || limit < 0 {
			return fault.Newf(fault.Invalid, "not a number of deliveries: %.40q", text)
		}
	}
	all, err := e.Workspaces.Deliveries(r.Context(), id, limit)
	if err != nil {
		return err
	}
	rows := make([]api.Delivery, 0, len(all))
	for _, d := range all {
		rows = append(rows, deliveryRow(d))
	}
	unixhttp.WriteJSON(w, http.StatusOK, rows)
	return nil
}

func deliveryRow(d workspace.Delivery) api.Delivery {
	row := api.Delivery{ID: d.ID, Time: d.Time, Size: d.Size, Member: d.Member, Refs: []api.DeliveredRef{}, State: d.State, Why: d.Why}
	for _, r := range d.Refs {
		row.Refs = append(row.Refs, api.DeliveredRef(r))
	}
	return row
}

// dropDelivery removes one from the inbox.
func (s *Server) dropDelivery(w http.ResponseWriter, r *http.Request) error {
	e, id, err := s.named(r)
	if err != nil {
		return err
	}
	var req api.DropDelivery
	if err := decode(r, &req); err != nil {
		return err
	}
	if err := e.Workspaces.DropDelivery(r.Context(), id, req.ID); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
