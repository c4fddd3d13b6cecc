package daemon

import (
	"net/http"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/inference"
	"github.com/vexa-ai/vexa/pkg/internal/unixhttp"
)

func (s *Server) listModels(w http.ResponseWriter, _ *http.Request) error {
	e, err := s.engine()
	if err != nil {
		return err
	}
	all := e.Models.List()
	rows := make([]api.Provider, 0, len(all))
	for _, p := range all {
		rows = append(rows, providerRow(p))
	}
	unixhttp.WriteJSON(w, http.StatusOK, rows)
	return nil
}

func providerRow(p inference.Provider) api.Provider {
	row := api.Provider{
		Name: p.Name, Protocol: string(p.Protocol), URL: p.URL, Models: p.Models,
		Cassette: p.Cassette, HasKey: p.HasKey, Default: p.Default, Also: []string{},
		Prices: map[string]api.Price{},
	}
	for model, price := range p.Prices {
		row.Prices[model] = api.Price(price)
	}
	for _, protocol := range p.Also {
		row.Also = append(row.Also, string(protocol))
	}
	if row.Models == nil {
		row.Models = []string{}
	}
	return row
}

func (s *Server) addModel(w http.ResponseWriter, r *http.Request) error {
	e, err := s.engine()
	if err != nil {
		return err
	}
	var req api.AddProvider
	if err := decode(r, &req); err != nil {
		return err
	}
	p := inference.Provider{
		Name: req.Name, Protocol: inference.Protocol(req.Protocol), URL: req.URL, Models: req.Models, Cassette: req.Cassette,
	}
	for _, protocol := range req.Also {
		p.Also = append(p.Also, inference.Protocol(protocol))
	}
	for model, price := range req.Prices {
		if p.Prices == nil {
			p.Prices = map[string]inference.Price{}
		}
		p.Prices[model] = inference.Price(price)
	}
	if err := e.Models.Add(r.Context(), p, []byte(req.Key)); err != nil {
		return err
	}
	if req.Default {
		if err := e.Models.SetDefault(r.Context(), req.Name); err != nil {
			return err
		}
	}
	added, err := e.Models.Get(req.Name)
	if err != nil {
		return err
	}
	unixhttp.WriteJSON(w, http.StatusCreated, providerRow(added))
	return nil
}

// setPrices changes what models cost, and nothing else of their provider.
func (s *Server) setPrices(w http.ResponseWriter, r *http.Request) error {
	e, err := s.engine()
	if err != nil {
		return err
	}
	var req api.SetPrices
	if err := decode(r, &req); err != nil {
		return err
	}
	prices := make(map[string]*inference.Price, len(req.Prices))
	for model, price := range req.Prices {
		prices[model] = (*inference.Price)(price)
	}
	if err := e.Models.SetPrices(r.Context(), r.PathValue("name"), prices); err != nil {
		return err
	}
	p, err := e.Models.Get(r.PathValue("name"))
	if err != nil {
		return err
	}
	unixhttp.WriteJSON(w, http.StatusOK, providerRow(p))
	return nil
}

func (s *Server) removeModel(w http.ResponseWriter, r *http.Request) error {
	e, err := s.engine()
	if err != nil {
		return err
	}
	if err := e.Models.Remove(r.Context(), r.PathValue("name")); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
