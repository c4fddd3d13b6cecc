package daemon

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/contract/runnerv2"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/inference"
	"github.com/vexa-ai/vexa/pkg/inference/probe"
	"github.com/vexa-ai/vexa/pkg/inference/translate"
	"github.com/vexa-ai/vexa/pkg/internal/unixhttp"
	"github.com/vexa-ai/vexa/pkg/runner"
)

// testModel tries out what a model can do, for as long as the client waits.
func (s *Server) testModel(w http.ResponseWriter, r *http.Request) error {
	e, err := s.engine()
	if err != nil {
		return err
	}
	var req api.TestModel
	if err := decode(r, &req); err != nil {
		return err
	}
	p, err := e.Models.Get(r.PathValue("name"))
	if err != nil {
		return err
	}
	model := req.Model
	if model == "" {
		model = p.Models[0]
	}
	if !slices.Contains(p.Models, model) {
		return fault.New(fault.NotFound, fmt.Sprintf("provider %s has no model %q", p.Name, model), "it has "+strings.Join(p.Models, ", "))
	}
	if _, err := e.Models.Key(p.Name); err != nil {
		return err // as JSON: nothing is written yet
	}
	progress := func(api.ModelProgress) error { return nil }
	if r.Header.Get("Accept") == "text/event-stream" {
		w.Header().Set("Content-Type", "text/event-stream")
		w.Header().Set("Cache-Control", "no-store")
		progress = func(p api.ModelProgress) error { return sendEvent(w, p) }
	}
	report, err := e.Test(r.Context(), p, model, func(name probe.Name, protocol inference.Protocol) {
		_ = progress(api.ModelProgress{Check: string(name), Protocol: string(protocol)}) // a client that has gone ends the test
	})
	if err != nil {
		return err
	}
	done := modelTest(p, &report, s.o.Runners.List())
	if w.Header().Get("Content-Type") == "text/event-stream" {
		return progress(api.ModelProgress{Done: &done})
	}
	unixhttp.WriteJSON(w, http.StatusOK, done)
	return nil
}

// sendEvent writes one event at once.
func sendEvent(w http.ResponseWriter, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(w, "data: %s\n\n", data); err != nil {
		return err
	}
	return http.NewResponseController(w).Flush()
}

// modelTest is a report as it is told.
func modelTest(p inference.Provider, r *probe.Report, all []runnerv2.Manifest) api.ModelTest {
	out := api.ModelTest{
		OK: r.OK, Model: r.Model, Reply: r.Reply, Error: r.Error, Streaming: r.Streams, ElapsedMS: r.Elapsed.Milliseconds(),
		Provider: p.Name, Hint: r.Hint, ContextTokens: r.Context,
		Requests: r.Requests, InputTokens: r.InputTokens, OutputTokens: r.OutputTokens,
		Checks: []api.ModelCheck{}, Protocols: []api.ModelProtocol{}, Runners: []api.ModelRunner{},
	}
	for _, c := range r.Checks {
		out.Checks = append(out.Checks, api.ModelCheck{Check: string(c.Name), Protocol: string(c.Protocol), State: string(c.State), Detail: c.Detail})
		if c.Name != probe.Answers && c.Name != probe.Speaks {
			continue
		}
		row := api.ModelProtocol{Protocol: string(c.Protocol), Declared: c.Name == probe.Answers, OK: c.State == probe.Yes || c.State == probe.Partly}
		for _, pace := range r.Paces {
			if pace.Protocol == c.Protocol {
				row.FirstMS, row.TokensPerSec = pace.First.Milliseconds(), pace.TokensPerSec
			}
		}
		out.Protocols = append(out.Protocols, row)
	}
	for _, m := range all {
		out.Runners = append(out.Runners, modelRunner(p, r, m))
	}
	return out
}

// modelRunner says whether a runner can work with what was found.
func modelRunner(p inference.Provider, r *probe.Report, m runnerv2.Manifest) api.ModelRunner {
	out := api.ModelRunner{Runner: m.Name, State: string(probe.Yes), Detail: "it uses no model"}
	if m.Inference == nil {
		return out
	}
	var offered []string
	for _, protocol := range p.Protocols() {
		offered = append(offered, string(protocol))
	}
	spoken, ok := runner.ChooseProtocol(m, offered...)
	if !ok {
		out.State = string(probe.No)
		out.Detail = "it speaks " + strings.Join(m.Inference.Protocols, " or ") + ", which is not translated into " + strings.Join(offered, " or ")
		return out
	}
	through := inference.Protocol(spoken)
	how := "directly"
	if !p.Speaks(through) {
		through, _ = translate.Choose(through, p.Protocols()) // as the broker does; the runner was chosen by the same
		how = "translated into " + string(through)
	}
	out.Protocol, out.Through = spoken, string(through)
	state, why := usable(r, through, p.Speaks(inference.Protocol(spoken)))
	out.State, out.Detail = string(state), how
	if why != "" {
		out.Detail += ", but " + why
	}
	return out
}

// usable says what a runner can do over one of the provider's protocols: agents
// offer tools in every request, and can do little without.
func usable(r *probe.Report, through inference.Protocol, direct bool) (probe.State, string) {
	answers, _ := r.Find(probe.Answers, through)
	tools, _ := r.Find(probe.Tools, through)
	results, _ := r.Find(probe.Results, through)
	streams, _ := r.Find(probe.Streams, through)
	reachable, _ := r.Find(probe.Reachable, "")
	switch {
	case reachable.State == probe.No:
		return probe.No, "its provider cannot be reached"
	case answers.State == "":
		return probe.Unknown, "it was not tried"
	case answers.State == probe.No || answers.State == probe.Unknown:
		return probe.No, "the model does not answer"
	case tools.State == probe.No && tools.Refused:
		return probe.No, "the model takes no tools, which agents offer in every request"
	case tools.State == probe.No:
		return probe.Partly, "the model calls no tools: the agent can only talk"
	case tools.State == probe.Unknown:
		return probe.Unknown, "whether the model calls tools could not be told"
	case results.State == probe.No:
		return probe.No, "the model takes no results of tools"
	case streams.State == probe.No && streams.Refused:
		return probe.No, "the model refuses to stream, which agents ask for"
	case streams.State == probe.No && direct:
		return probe.Partly, "its answers do not come as a stream"
	case tools.State == probe.Partly:
		return probe.Partly, "the model calls tools only where it has to"
	default:
		return probe.Yes, ""
	}
}
