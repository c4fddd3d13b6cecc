package clienttest

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/internal/unixhttp"
)

func (d *Daemon) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/status", func(w http.ResponseWriter, _ *http.Request) {
		d.mu.Lock()
		defer d.mu.Unlock()
		answer(w, http.StatusOK, d.status, nil)
	})
	mux.HandleFunc("POST /v1/shutdown", d.serveShutdown)
	mux.HandleFunc("POST /v1/unlock", d.serveUnlock)
	mux.HandleFunc("POST /v1/runtime/start", func(w http.ResponseWriter, _ *http.Request) {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.status.RuntimePID = 4243
		answer(w, http.StatusOK, struct{}{}, nil)
	})
	mux.HandleFunc("POST /v1/lock", func(w http.ResponseWriter, _ *http.Request) {
		d.setLocked(true)
		answer(w, http.StatusOK, struct{}{}, nil)
	})
	mux.HandleFunc("POST /v1/dispatches", func(w http.ResponseWriter, r *http.Request) {
		req, err := body[api.StartRequest](r)
		var s api.Started
		switch {
		case err != nil:
		case d.Forgetful && req.Session != "":
			err = errNoSession(req.Session)
		default:
			s, err = d.start(req)
		}
		answer(w, http.StatusCreated, s, err)
	})
	mux.HandleFunc("GET /v1/dispatches", d.serveDispatches)
	mux.HandleFunc("GET /v1/dispatches/{id}", func(w http.ResponseWriter, r *http.Request) {
		d.mu.Lock()
		defer d.mu.Unlock()
		u, err := d.find(r.PathValue("id"))
		if err != nil {
			answer(w, 0, nil, err)
			return
		}
		answer(w, http.StatusOK, u.d, nil)
	})
	mux.HandleFunc("POST /v1/dispatches/{id}/stop", func(w http.ResponseWriter, r *http.Request) {
		req, err := body[api.StopRequest](r)
		var x api.Dispatch
		if err == nil {
			x, err = d.stop(r.PathValue("id"), req.Interrupt)
		}
		answer(w, http.StatusOK, x, err)
	})
	mux.HandleFunc("GET /v1/dispatches/{id}/frames", d.serveFrames)
	routeTranscripts(mux, d)
	mux.HandleFunc("GET /v1/sessions", d.serveSessions)
	mux.HandleFunc("POST /v1/sessions/{id}/rename", d.serveRename)
	mux.HandleFunc("GET /v1/runners", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, []api.Runner{{
			Name: "vexa", Title: "The built-in agent", Image: "empty", Dialect: "vexa-ndjson", Protocols: []string{"anthropic-messages"}, Resumes: !d.Forgetful,
		}}, nil)
	})
	mux.HandleFunc("GET /v1/runners/{name}", d.serveRunner)
	routeTools(mux)
	d.routeModels(mux)
	d.routeWorkspaces(mux)
	d.routeWeb(mux)
	return unixhttp.Guard(mux, 1<<20, nil)
}

func (d *Daemon) routeModels(mux *http.ServeMux) {
	mux.HandleFunc("GET /v1/models", func(w http.ResponseWriter, _ *http.Request) {
		d.mu.Lock()
		defer d.mu.Unlock()
		answer(w, http.StatusOK, append([]api.Provider{}, d.models...), nil)
	})
	mux.HandleFunc("POST /v1/models", func(w http.ResponseWriter, r *http.Request) {
		req, err := body[api.AddProvider](r)
		p := api.Provider{
			Name: req.Name, Protocol: req.Protocol, URL: req.URL, Models: req.Models, Cassette: req.Cassette,
			HasKey: req.Key != "", Default: req.Default, Also: req.Also, Prices: req.Prices,
		}
		if strings.Contains(p.Name, " ") {
			err = fault.New(fault.Invalid, strconv.Quote(p.Name)+" is not a provider's name", "use letters")
		} else {
			d.mu.Lock()
			d.models = append(d.models, p)
			d.mu.Unlock()
		}
		answer(w, http.StatusCreated, p, err)
	})
	mux.HandleFunc("POST /v1/models/{name}/prices", d.servePrices)
	mux.HandleFunc("DELETE /v1/models/{name}", func(w http.ResponseWriter, r *http.Request) {
		d.mu.Lock()
		defer d.mu.Unlock()
		n := len(d.models)
		d.models = slices.DeleteFunc(d.models, func(p api.Provider) bool { return p.Name == r.PathValue("name") })
		if len(d.models) == n {
			answer(w, 0, nil, fault.New(fault.NotFound, "there is no provider "+r.PathValue("name"), "list them with: vexa model list"))
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("POST /v1/models/{name}/test", serveTest)
}

func (d *Daemon) servePrices(w http.ResponseWriter, r *http.Request) {
	req, err := body[api.SetPrices](r)
	d.mu.Lock()
	defer d.mu.Unlock()
	i := slices.IndexFunc(d.models, func(p api.Provider) bool { return p.Name == r.PathValue("name") })
	if i < 0 {
		answer(w, 0, nil, fault.New(fault.NotFound, "there is no provider "+r.PathValue("name"), "list them with: vexa model list"))
		return
	}
	prices := maps.Clone(d.models[i].Prices)
	if prices == nil {
		prices = map[string]api.Price{}
	}
	for model, price := range req.Prices {
		switch {
		case !slices.Contains(d.models[i].Models, model):
			err = fault.New(fault.Invalid, "provider "+r.PathValue("name")+" has no model "+strconv.Quote(model), "it has others")
		case price == nil:
			delete(prices, model)
		default:
			prices[model] = *price
		}
	}
	if err == nil {
		d.models[i].Prices = prices
	}
	answer(w, http.StatusOK, d.models[i], err)
}

// serveTest tries out a model: any of broken's fails, any other can what it is
// asked for.
func serveTest(w http.ResponseWriter, r *http.Request) {
	req, err := body[api.TestModel](r)
	if req.Model == "nothing" {
		err = fault.New(fault.NotFound, `provider `+r.PathValue("name")+` has no model "nothing"`, "it has m")
	}
	if err != nil {
		answer(w, 0, nil, err)
		return
	}
	const chat, responses = "openai-chat", "openai-responses"
	t := api.ModelTest{
		OK: true, Model: "m", Reply: "ready", Streaming: true, ElapsedMS: 7, Provider: r.PathValue("name"), Requests: 9, InputTokens: 150, OutputTokens: 42,
		Checks: []api.ModelCheck{
			{Check: "reachable", State: "yes", Detail: "http://127.0.0.1:1/v1"},
			{Check: "answers", Protocol: chat, State: "yes", Detail: "“ready”"},
			{Check: "tools", Protocol: chat, State: "partly", Detail: "only where a call is asked for"},
			{Check: "images", Protocol: chat, State: "unknown", Detail: "accepted; \x1b[31mred"},
			{Check: "speaks", Protocol: responses, State: "yes", Detail: "not made use of"},
		},
		Protocols: []api.ModelProtocol{{Protocol: chat, Declared: true, OK: true, FirstMS: 3, TokensPerSec: 50}, {Protocol: responses, OK: true}},
		Runners: []api.ModelRunner{
			{Runner: "codex", State: "partly", Protocol: responses, Through: chat, Detail: "translated into openai-chat, but the model calls tools only where it has to"},
			{Runner: "text", State: "yes", Detail: "it uses no model"},
		},
	}
	if t.Provider == "broken" {
		t = api.ModelTest{
			Model: "m", Provider: t.Provider, Error: "provider broken cannot be reached: connection refused", Hint: "is a server running at http://127.0.0.1:1?",
			Checks: []api.ModelCheck{{Check: "reachable", State: "no", Detail: "provider broken cannot be reached: connection refused"}},
		}
	}
	w.Header().Set("Content-Type", "text/event-stream")
	for _, event := range []api.ModelProgress{{Check: "reachable"}, {Check: "answers", Protocol: chat}, {Done: &t}} {
		data, err := json.Marshal(event)
		if err != nil {
			panic(err)
		}
		_, _ = w.Write([]byte("data: " + string(data) + "\n\n"))
	}
}

func body[T any](r *http.Request) (T, error) {
	var v T
	dec := json.NewDecoder(r.Body)
	dec.DisallowUnknownFields()
	if err := dec.Decode(&v); err != nil {
		return v, fault.Newf(fault.Invalid, "read the request: %w", err)
	}
	return v, nil
}

func (d *Daemon) serveShutdown(w http.ResponseWriter, r *http.Request) {
	req, err := body[api.ShutdownRequest](r)
	d.mu.Lock()
	defer d.mu.Unlock()
	if err == nil && d.refuseStop && !req.Force {
		err = fault.New(fault.Conflict, "workspace personal cannot be saved", "free some space, or use --force")
	}
	if err == nil && d.OnShutdown != nil {
		go d.OnShutdown()
	}
	d.shutdown = err == nil
	answer(w, http.StatusOK, struct{}{}, err)
}

func (d *Daemon) serveUnlock(w http.ResponseWriter, r *http.Request) {
	req, err := body[api.UnlockRequest](r)
	if err == nil && !strings.HasPrefix(req.Identity, "AGE-SECRET-KEY-") {
		err = fault.New(fault.Denied, "that is not the key of this installation", "")
	}
	if err == nil {
		d.setLocked(false)
	}
	answer(w, http.StatusOK, struct{}{}, err)
}

func (d *Daemon) setLocked(locked bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.status.Locked = locked
	d.notify()
}

func (d *Daemon) serveDispatches(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.status.Locked {
		answer(w, 0, nil, errLocked())
		return
	}
	list := []api.Dispatch{}
	q := r.URL.Query()
	for _, u := range slices.Backward(d.units) {
		if only := q.Get("session"); only != "" && u.d.Session != only {
			continue
		}
		if u.d.EndedAt == nil || q.Get("all") != "" {
			row := u.d
			row.Unit, row.Commits, row.Busy = nil, nil, u.turn != ""
			list = append(list, row)
		}
	}
	answer(w, http.StatusOK, list, nil)
}

func (d *Daemon) serveRename(w http.ResponseWriter, r *http.Request) {
	req, err := body[api.RenameSession](r)
	if err != nil {
		answer(w, http.StatusOK, nil, err)
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	id, err := d.findSession(r.PathValue("id"))
	if err != nil {
		answer(w, http.StatusOK, nil, err)
		return
	}
	for _, u := range d.units {
		if u.d.Session != id {
			continue
		}
		if d.titles == nil {
			d.titles = map[string]string{}
		}
		d.titles[u.d.Session] = req.Title
		answer(w, http.StatusOK, d.session(u), nil)
		return
	}
	answer(w, http.StatusOK, nil, errNoSession(id))
}

func (d *Daemon) serveRunner(w http.ResponseWriter, r *http.Request) {
	if r.PathValue("name") != "vexa" {
		answer(w, 0, nil, fault.New(fault.NotFound, "there is no runner "+r.PathValue("name"), "list them with: vexa runner list"))
		return
	}
	answer(w, http.StatusOK, json.RawMessage(`{"name":"vexa","title":"The built-in agent","image":{"builtin":"empty"},
		"argv":{"new":["vexa","agent"],"resume":["vexa","agent","--resume"]},"prompt":"stdin",
		"stream":{"dialect":"vexa-ndjson","deltas":true},"session":{"id":"assigned","capsule":["*.jsonl"]},"exit":{"ok":[0]}}`), nil)
}

// cursor is the opaque position after n frames.
func cursor(n int) string {
	if n == 0 {
		return ""
	}
	return "c" + strconv.Itoa(n)
}

func position(c string) (int, error) {
	if c == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(strings.TrimPrefix(c, "c"))
	if err != nil || c[0] != 'c' || n < 0 {
		return 0, fault.New(fault.Invalid, "not a cursor: "+c, "")
	}
	return n, nil
}

// framesFrom is the unit whose frames are asked for, and behind how many of them.
func (d *Daemon) framesFrom(r *http.Request) (u *unit, at int, err error) {
	from := r.URL.Query().Get("from")
	if last := r.Header.Get("Last-Event-Id"); last != "" {
		from = last
	}
	if at, err = position(from); err != nil {
		return nil, 0, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.status.Locked {
		return nil, 0, errLocked()
	}
	u, err = d.find(r.PathValue("id"))
	return u, at, err
}

func (d *Daemon) serveFrames(w http.ResponseWriter, r *http.Request) {
	u, at, err := d.framesFrom(r)
	if err != nil {
		answer(w, 0, nil, err)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.(http.Flusher).Flush() //nolint:forcetypeassert // net/http's writers flush
	follow := r.URL.Query().Get("follow") == "1"
	for sent := 0; ; {
		d.mu.Lock()
		frames, ended, changed := u.frames, u.d.EndedAt != nil, d.changed
		drop, locked := d.DropAfter > 0 && !d.dropped[u.d.ID], d.status.Locked
		d.mu.Unlock()
		if locked {
			panic(http.ErrAbortHandler)
		}
		for ; at < len(frames); at++ {
			if drop && sent == d.DropAfter {
				d.mu.Lock()
				d.dropped[u.d.ID] = true
				d.mu.Unlock()
				panic(http.ErrAbortHandler)
			}
			data, err := json.Marshal(frames[at])
			if err != nil {
				panic(err)
			}
			fmt.Fprintf(w, ": alive\nid: %s\ndata: %s\n\n", cursor(at+1), data)
			w.(http.Flusher).Flush() //nolint:forcetypeassert // net/http's writers flush
			sent++
		}
		if !follow || ended {
			return
		}
		select {
		case <-changed:
		case <-r.Context().Done():
			return
		}
	}
}

func errLocked() error { return fault.New(fault.Locked, "Vexa is locked", "run: vexa unlock") }

func errNoSession(id string) error {
	return fault.New(fault.NotFound, "there is no session "+id, "see vexa session list")
}
