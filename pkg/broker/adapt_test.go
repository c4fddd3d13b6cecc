package broker_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// refusing answers 400 to requests that have one of the members, in OpenAI's
// words, and else as a capable provider does.
func refusing(members ...string) func(http.ResponseWriter, *http.Request, map[string]json.RawMessage) {
	return func(w http.ResponseWriter, r *http.Request, body map[string]json.RawMessage) {
		for _, m := range members {
			if _, ok := body[m]; ok {
				w.WriteHeader(http.StatusBadRequest)
				_, _ = fmt.Fprintf(w, `{"error":{"message":"Unsupported parameter: '%s' is not supported with this model.","param":"%s","code":"unsupported_parameter"}}`, m, m)
				return
			}
		}
		upstreams(w, r, body)
	}
}

// warm is a request with what some models do not take.
func warm(path, model string, stream bool) string {
	body := asks(path, model, stream)
	switch path {
	case models:
		return strings.Replace(body, "{", `{"generationConfig":{"maxOutputTokens":99,"temperature":0.2},`, 1)
	case respond:
		return body[:len(body)-1] + `,"max_output_tokens":99,"temperature":0.2}`
	}
	return strings.Replace(body[:len(body)-1], `"max_tokens":10,`, "", 1) + `,"max_tokens":99,"temperature":0.2}`
}

// A model that refuses the name of a bound, or a temperature, is asked without,
// by clients of every protocol: one request finds it out, those after it of the
// same dispatch know, and what was used is counted as ever.
func TestAdapts(t *testing.T) {
	t.Parallel()
	for _, c := range clients {
		for _, stream := range []bool{true, false} {
			t.Run(fmt.Sprint(c.protocol, stream), func(t *testing.T) {
				t.Parallel()
				up := &provider{answer: refusing("max_tokens", "temperature")}
				s := open(t, config{upstream: up})
				for i, attempts := range []string{"3", "1"} {
					a := s.post(at(c.path, "local/m2", stream), warm(c.path, "local/m2", stream))
					if a.status != http.StatusOK {
						t.Fatalf("%d %s", a.status, a.body)
					}
					await(t, "the audit record", func() bool { return len(s.trail.all()) == i+1 })
					d := s.trail.all()[i].Detail
					adapted := strings.Contains(d["adapted"], "max_tokens") && strings.Contains(d["adapted"], "temperature")
					if d["attempts"] != attempts || !adapted || d["inputTokens"] != "20" || d["outputTokens"] != "30" || d["estimated"] != "" || d["status"] != "200" {
						t.Errorf("recorded %v", d)
					}
				}
				if turn, _ := s.owner.used(); turn.Requests != 2 || turn.InputTokens != 40 || turn.OutputTokens != 60 {
					t.Errorf("used %+v", turn)
				}
				last := up.bodies[len(up.bodies)-1]
				if up.count() != 4 || string(last["max_completion_tokens"]) != "99" || last["temperature"] != nil || last["messages"] == nil || last["tools"] == nil {
					t.Errorf("after %d requests the provider was sent %s", up.count(), last)
				}
				if log := s.log.String(); strings.Contains(log, "private words") || !strings.Contains(log, "a provider refuses members of a request") {
					t.Errorf("%s", log)
				}
			})
		}
	}
}

// What one dispatch provokes changes nothing for another.
func TestAdaptsForOneDispatch(t *testing.T) {
	t.Parallel()
	up := &provider{answer: func(w http.ResponseWriter, r *http.Request, body map[string]json.RawMessage) {
		if string(body["temperature"]) == "99" { // its value is what is wrong, in words that say otherwise
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, `{"error":"temperature 99 is not supported"}`)
			return
		}
		upstreams(w, r, body)
	}}
	s := open(t, config{upstream: up})
	body := strings.Replace(warm(chat, "local/m2", false), "0.2", "99", 1)
	if a := s.post(chat, body); a.status != http.StatusOK {
		t.Fatalf("%d %s", a.status, a.body)
	}
	for who, want := range map[*stage]string{s: "", s.beside(): "0.2"} {
		if a := who.post(chat, warm(chat, "local/m2", false)); a.status != http.StatusOK {
			t.Fatalf("%d %s", a.status, a.body)
		}
		if got := string(up.bodies[len(up.bodies)-1]["temperature"]); got != want {
			t.Errorf("sent the temperature %q; want %q", got, want)
		}
	}
}

// A provider that refuses everything is not asked forever, nothing is learned
// from it, and a refusal of something else is one.
func TestAdaptsWithinBounds(t *testing.T) {
	t.Parallel()
	up := &provider{answer: refusing("max_tokens", "max_completion_tokens", "temperature", "top_p", "model")}
	s := open(t, config{upstream: up})
	body := strings.Replace(warm(chat, "local/m2", true), `"temperature"`, `"top_p":0.5,"temperature"`, 1)
	for i := range 2 {
		before := up.count()
		a := s.post(chat, body)
		if n := up.count() - before; a.status != http.StatusBadRequest || n < 2 || n > 5 || !strings.Contains(a.message(), "is not supported with this model") {
			t.Errorf("%d requests: %d %s", n, a.status, a.body)
		}
		if string(up.bodies[before]["max_tokens"]) != "99" || up.bodies[before]["temperature"] == nil {
			t.Errorf("request %d began with %s", i, up.bodies[before])
		}
	}
	turn, _ := s.owner.used()
	if turn.Requests != 2 || turn.InputTokens != 0 || turn.OutputTokens != 0 {
		t.Errorf("refusals were counted: %+v", turn)
	}
	for path, model := range map[string]string{messages: "claude/m1", chat: "local/m2"} {
		up := &provider{answer: refusing("tools")}
		if a := open(t, config{upstream: up}).post(path, warm(path, model, false)); a.status != http.StatusBadRequest || up.count() != 1 {
			t.Errorf("%s: %d requests, %d %s", path, up.count(), a.status, a.body)
		}
	}
	turns := []string{"max_tokens", "max_completion_tokens", "temperature", "max_tokens", "top_p", "max_completion_tokens"}
	up = &provider{} // it refuses what it is sent, whatever that is: there are six other forms of the request
	up.answer = func(w http.ResponseWriter, r *http.Request, body map[string]json.RawMessage) {
		refusing(turns[min(up.count(), len(turns))-1])(w, r, body)
	}
	if a := open(t, config{upstream: up}).post(chat, body); a.status != http.StatusBadRequest || up.count() != 5 {
		t.Errorf("it was asked %d times, and four more than once is the most: %d %s", up.count(), a.status, a.body)
	}
	up = &provider{answer: refusing("temperature")} // Anthropic's own: nothing is left out of it unasked
	if a := open(t, config{upstream: up}).post(messages, warm(messages, "claude/m1", false)); a.status != http.StatusBadRequest || up.count() != 1 {
		t.Errorf("%d requests, %d %s", up.count(), a.status, a.body)
	}
}

// Adapting takes none of the attempts that failures have, and a refusal does not
// tell the key.
func TestAdaptsAndRetries(t *testing.T) {
	t.Parallel()
	failures := 3
	up := &provider{answer: func(w http.ResponseWriter, r *http.Request, body map[string]json.RawMessage) {
		if _, ok := body["max_tokens"]; ok {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, `{"error":{"message":"`+canary+`: max_tokens is not supported"}}`)
			return
		}
		if failures--; failures >= 0 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		upstreams(w, r, body)
	}}
	s := open(t, config{upstream: up})
	if a := s.post(messages, warm(messages, "local/m2", true)); a.status != http.StatusOK || up.count() != 5 {
		t.Errorf("%d after %d requests: %s", a.status, up.count(), a.body)
	}
	await(t, "the audit record", func() bool { return len(s.trail.all()) == 1 })
	if where := fmt.Sprint(s.trail.all(), s.log.String()); strings.Contains(where, canary) {
		t.Errorf("the key is in %s", where)
	}
	failures = 100
	if a := s.post(messages, warm(messages, "local/m2", true)); a.status != http.StatusBadRequest || up.count() != 9 {
		t.Errorf("%d after %d requests: %s", a.status, up.count(), a.body)
	}
}
