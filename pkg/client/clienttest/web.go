package clienttest

import (
	"net/http"
	"time"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/fault"
)

// webAddress is where the pages of a Daemon would be.
const webAddress = "http://abcdefghijklmnopqrstuvwxyz.localhost:4711/"

func (d *Daemon) routeWeb(mux *http.ServeMux) {
	state := func(open bool) (web api.Web, err error) {
		d.mu.Lock()
		defer d.mu.Unlock()
		if d.status.Locked {
			return web, fault.New(fault.Locked, "the installation is locked", "open it with: vexa unlock")
		}
		d.web = open
		return api.Web{Open: open, Address: webAddress, Waiting: 1}, nil
	}
	mux.HandleFunc("GET /v1/web", func(w http.ResponseWriter, _ *http.Request) {
		d.mu.Lock()
		defer d.mu.Unlock()
		answer(w, http.StatusOK, api.Web{Open: d.web}, nil)
	})
	mux.HandleFunc("POST /v1/web", func(w http.ResponseWriter, _ *http.Request) {
		_, err := state(true)
		answer(w, http.StatusOK, api.WebLink{URL: webAddress + "#sign-in=only-once", Address: webAddress, ExpiresAt: Epoch().Add(time.Minute)}, err)
	})
	mux.HandleFunc("DELETE /v1/web", func(w http.ResponseWriter, _ *http.Request) {
		if _, err := state(false); err != nil {
			answer(w, 0, nil, err)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
}
