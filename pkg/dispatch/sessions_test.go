package dispatch_test

import (
	"strings"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/workspace/session"
)

// A session is gone on with by the first letters of its id, from its first moment on: by
// its subject alone, and by no more than one.
func TestAShortSessionID(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	first := s.start(api.StartRequest{Text: "one", Runner: "notebook", Limits: limits(60)})
	early := s.start(api.StartRequest{Text: "two", Session: first.Session[:8], Limits: limits(60)})
	s.turn(first)
	s.turn(early)
	if early.Unit != first.Unit || early.Session != first.Session {
		t.Errorf("%+v went on as %+v", first, early)
	}
	_, err := s.m.Stop(t.Context(), first.Unit, false)
	must(t, err)
	again := s.start(api.StartRequest{Text: "what was said?", Session: strings.ToUpper(first.Session[:12]), Limits: limits(0)})
	if d := done(t, s.turn(again)); again.Session != first.Session || !strings.Contains(d.Reply, "two") {
		t.Errorf("%+v went on as %+v: %q", first, again, d.Reply)
	}
	forgets := s.start(api.StartRequest{Text: "true", Runner: "text", Limits: limits(0)})
	s.turn(forgets)
	s.ended(forgets.Unit)

	const one, two, hers = "05db09cc-1111-4111-8111-111111111111", "05db09ce-2222-4222-8222-222222222222", "5e551010-3333-4333-8333-333333333333"
	kept := session.New(session.Options{Store: s.workspaces, Sealer: s.id, Now: time.Now})
	for id, subject := range map[string]string{one: jane.Subject, two: jane.Subject, hers: "u_eve"} {
		must(t, kept.Save(t.Context(), session.SaveRequest{Subject: subject, Session: id, Runner: "notebook", Dir: t.TempDir()}))
	}
	if id, err := s.m.FindSession(t.Context(), jane.Subject, "05db09cc"); id != one || err != nil {
		t.Errorf("%s, %v", id, err)
	}
	eve := jane
	eve.Subject = "u_eve"
	if id, err := s.m.FindSession(t.Context(), eve.Subject, "5e551010"); id != hers || err != nil {
		t.Errorf("%s, %v", id, err)
	}
	for name, c := range map[string]struct {
		session string
		kind    fault.Kind
		says    string
	}{
		"two of them":              {"05db", fault.Conflict, one},
		"two of them, the other":   {"05db09c", fault.Conflict, two},
		"somebody else's":          {"5e551010", fault.NotFound, "there is no session 5e551010"},
		"none":                     {"05db09cd", fault.NotFound, "there is no session 05db09cd"},
		"no id":                    {"nope", fault.Invalid, "not a session id"},
		"one that is not kept":     {forgets.Session[:8], fault.NotFound, forgets.Session},
		"longer than an id can be": {one + "1", fault.Invalid, "not a session id"},
	} {
		_, err := s.m.Start(t.Context(), jane, api.StartRequest{Text: "x", Session: c.session})
		if !fault.Is(err, c.kind) || !strings.Contains(err.Error(), c.says) || fault.HintOf(err) == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := s.m.Start(t.Context(), eve, api.StartRequest{Text: "x", Session: first.Session[:8]}); !fault.Is(err, fault.NotFound) || strings.Contains(err.Error(), first.Session) {
		t.Errorf("somebody else found the session: %v", err)
	}
}
