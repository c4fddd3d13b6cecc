package clienttest

import (
	"net/http"
	"slices"
	"strings"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/contract/wsv2"
)

func (d *Daemon) serveSessions(w http.ResponseWriter, _ *http.Request) {
	d.mu.Lock()
	defer d.mu.Unlock()
	list := []api.Session{}
	for _, u := range slices.Backward(d.units) { // what is kept is from the end of a turn
		if slices.ContainsFunc(list, func(s api.Session) bool { return s.ID == u.d.Session }) {
			continue
		}
		if !d.Forgetful && slices.ContainsFunc(u.frames, func(f wsv2.Frame) bool { _, done := f.Body.(wsv2.TurnDone); return done }) {
			list = append(list, d.session(u))
		}
	}
	answer(w, http.StatusOK, list, nil)
}

func (d *Daemon) session(u *unit) api.Session {
	s := api.Session{ID: u.d.Session, Title: d.titles[u.d.Session], Runner: u.d.Runner, Unit: u.d.ID, UpdatedAt: Epoch()}
	for _, f := range u.frames {
		if said, ok := f.Body.(wsv2.TurnAccepted); ok && s.Title == "" {
			s.Title = said.Text
			for _, ws := range d.workspaces { // as it was written
				s.Title = strings.ReplaceAll(s.Title, "/workspaces/"+ws.ID+"/", "@"+ws.Name+":")
			}
		}
	}
	return s
}
