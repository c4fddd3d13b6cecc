package web_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/browsertest"
)

// Whoever gives an agent no workspace is asked for one; nothing is sent, since what names
// none is given the personal one.
func TestNoWorkspaceIsNotThePersonalOne(t *testing.T) {
	t.Parallel()
	p := newPerson(t, browsertest.Options{Still: true})
	p.sees("no workspace")
	p.must(p.Type("textarea", "look around"))
	p.must(p.Press("enter"))
	p.sees("an agent needs a workspace to work in")
	if got := p.focus(); !strings.Contains(got, "no access") {
		t.Errorf("%q has the focus", got)
	}
	if acts := p.h.acts(); len(acts) > 0 {
		t.Errorf("it sent %q", acts)
	}
	p.must(p.Press("end")) // of the list: to read
	p.sees("With notes (read)")
	p.must(p.Reach("textarea"))
	p.must(p.Press("enter"))
	p.must(p.Until(`document.querySelector(".said, .problem")`))
	p.did(`"workspaces":[{"workspace":"notes","mode":"ro"}]`)
}

// What is written before it is known what there is to choose from goes once that is known,
// with what is chosen then, and not before.
func TestNothingIsSentBeforeTheChoicesAreThere(t *testing.T) {
	t.Parallel()
	known := make(chan struct{})
	p := newPersonBefore(t, browsertest.Options{Still: true}, func(h *house) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case "/v1/tools":
				select {
				case <-known:
				case <-r.Context().Done():
				}
			case "/v1/workspaces":
				_ = json.NewEncoder(w).Encode([]api.Workspace{{Name: "personal", ID: "p"}, {Name: "notes", ID: "w"}}) // the page went away
				return
			}
			h.ServeHTTP(w, r)
		})
	})
	p.must(p.Type("textarea", "look around"))
	p.must(p.Press("enter"))
	p.sees("It goes as soon as it is known what the agent can be given.")
	if acts := p.h.acts(); len(acts) > 0 {
		t.Fatalf("it sent %q", acts)
	}
	close(known)
	p.must(p.Until(`document.querySelector(".said, .problem")`))
	p.did(`{"text":"look around"`)
	p.did(`"workspaces":[{"workspace":"personal","mode":"rw"}]`)
	if all := p.bubbles(); len(all) != 1 {
		t.Errorf("it is shown as %q", all)
	}
}

// Where it cannot be known what there is to choose from it is asked again, and nothing is
// sent.
func TestChoicesThatCannotBeHad(t *testing.T) {
	t.Parallel()
	var works atomic.Bool
	p := newPersonBefore(t, browsertest.Options{Still: true}, func(h *house) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/v1/tools" && !works.Load() {
				w.WriteHeader(http.StatusInternalServerError)
				_, _ = io.WriteString(w, `{"code":"internal","message":"the tools are lost"}`) // the page went away
				return
			}
			h.ServeHTTP(w, r)
		})
	})
	p.sees("the tools are lost")
	p.must(p.Type("textarea", "look around"))
	for range 2 {
		p.must(p.Press("enter"))
		p.must(p.Wait("text=Try again", false))
	}
	works.Store(true)
	p.must(p.Reach("textarea"))
	p.must(p.Press("enter"))
	p.sees("an agent needs a workspace to work in") // it has no personal one
	var text string
	eval(t, p.Browser, `document.getElementById("message").value`, &text)
	if acts := p.h.acts(); len(acts) > 0 || text != "look around" {
		t.Errorf("it sent %q, and has %q still", acts, text)
	}
}

// What a new chat is to get is chosen over a reload, and what was sent goes with it after
// another.
func TestChoicesOutliveAReload(t *testing.T) {
	t.Parallel()
	var taken atomic.Bool
	p := newPersonBefore(t, browsertest.Options{Still: true}, func(h *house) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPost && !taken.Swap(true) {
				<-r.Context().Done() // the page goes before the answer comes
				return
			}
			if r.URL.Path == "/v1/tools" {
				_ = json.NewEncoder(w).Encode([]map[string]string{{"name": "search", "title": "Search the web"}, {"name": "mail", "title": "Send mail"}})
				return
			}
			h.ServeHTTP(w, r)
		})
	})
	p.sees("no workspace")
	p.grants("ro")
	p.chooses("#model", "rehearsal/rehearsal")
	p.chooses("#idle", "60")
	p.must(p.Click("text=Search the web"))
	p.must(p.Reload())
	p.sees("With notes (read) · vexa · rehearsal")
	for _, text := range []string{"first", "second"} {
		p.must(p.Type("textarea", text))
		p.must(p.Press("enter"))
		p.sees(text)
	}
	p.must(p.Wait(".queue li", false))
	p.waits("the first is taken", taken.Load)
	p.must(p.Reload())
	p.must(p.Until(`document.querySelector(".said, .problem")`))
	p.did(`{"text":"first"`)
	for _, with := range []string{`"workspaces":[{"workspace":"notes","mode":"ro"}]`, `"model":"rehearsal/rehearsal"`, `"tools":["search"]`, `"idleSec":60`} {
		p.did(with)
	}
	if acts := p.h.acts(); strings.Contains(acts[0], "personal") {
		t.Errorf("it sent %q", acts)
	}
}
