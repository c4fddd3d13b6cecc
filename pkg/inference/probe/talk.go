package probe

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/vexa-ai/vexa/pkg/inference"
	"github.com/vexa-ai/vexa/pkg/inference/translate"
)

// say is a request of a few words.
func say(text string) translate.Request {
	return translate.Request{
		Stream: true, StreamUsage: true, MaxTokens: maxWords,
		Items: []translate.Item{{Role: translate.User, Kind: translate.Text, Text: text}},
	}
}

// protocol tries out one that the provider is said to speak. It reports whether
// the provider answered, if only with an error.
func (t *test) protocol(ctx context.Context, p inference.Protocol) (answered bool) {
	t.adaptation = inference.Adaptation{}
	t.begin(Answers, p)
	r := say("Hello! Count from one to ten, in words.")
	hello := t.ask(ctx, first, p, r)
	refused := ""
	if !hello.ok() && hello.refused() { // perhaps the stream is what it does not take
		r.Stream, r.StreamUsage = false, false
		if whole := t.ask(ctx, first, p, r); whole.ok() {
			refused = cause(hello.err)
			hello = whole
		}
	}
	t.judgeKey(&hello)
	if !t.answers(p, &hello) {
		return hello.status != 0
	}
	t.streams(p, &hello, refused)
	stream := refused == ""
	thought := []*outcome{&hello}
	tools := t.tools(ctx, p, stream)
	thought = append(thought, tools...)
	t.images(ctx, p, stream)
	t.reasoning(p, thought)
	if names := t.adaptation.Changed([]byte(`{"max_tokens":1,"temperature":1,"top_p":1}`)); len(names) > 0 {
		c, _ := t.report.Find(Answers, p)
		c.Detail += "; it refuses " + strings.Join(names, " and ") + ": the broker asks otherwise"
		t.replace(c)
	}
	return true
}

func (t *test) replace(c Check) {
	for i := range t.report.Checks {
		if old := &t.report.Checks[i]; old.Name == c.Name && old.Protocol == c.Protocol {
			*old = c
		}
	}
}

// judgeKey reads from an answer what it says of the key.
func (t *test) judgeKey(o *outcome) {
	none := len(t.o.Key) == 0
	switch {
	case t.o.Provider.Protocol == inference.Rehearsal || t.key.State == Yes:
	case o.status == http.StatusUnauthorized || o.status == http.StatusForbidden:
		t.key = Check{State: No, Detail: "it is refused: " + cause(o.err)}
		if none {
			t.key.Detail = "it wants one: " + cause(o.err)
		}
	case o.ok() && none:
		t.key = Check{State: Yes, Detail: "it needs none"}
	case o.ok():
		t.key = Check{State: Yes, Detail: "it is accepted, or not looked at"}
	}
}

// answers judges the first answer, and reports whether there is more to try.
func (t *test) answers(p inference.Protocol, o *outcome) bool {
	if !o.ok() {
		c := o.failure(Answers, p)
		c.State = No
		if o.status == http.StatusNotFound {
			c.Detail += fmt.Sprintf("; it does not know the model %s, or does not speak %s", t.o.Model, p)
		}
		t.add(c)
		return false
	}
	text, thought := o.text(), o.join(translate.Reasoning)
	c := Check{Name: Answers, Protocol: p, State: Yes, Detail: quoted(text)}
	switch {
	case text == "" && thought == "":
		c.State, c.Detail = No, "the model said nothing"
	case text == "":
		c.State, c.Detail = Partly, fmt.Sprintf("it only thought, within the %d tokens that it was given", maxWords)
	case errors.Is(o.err, translate.ErrCutShort):
		c.State, c.Detail = Partly, quoted(text)+", but its stream does not say that the answer ends: agents may ask again"
	}
	t.add(c)
	if t.report.Reply == "" {
		t.report.Reply, t.report.Streams = text, o.pieces > 1
		if text == "" {
			t.report.Reply = thought
		}
	}
	return c.State != No
}

// streams judges how the answer came.
func (t *test) streams(p inference.Protocol, o *outcome, refused string) {
	c := Check{Name: Streams, Protocol: p, State: Yes, Detail: fmt.Sprintf("%d pieces", o.pieces)}
	switch {
	case refused != "":
		c.State, c.Detail, c.Refused = No, refused, true
	case !o.streamed:
		c.State, c.Detail = No, "the answer came whole, though a stream was asked for"
	case o.pieces == 1:
		c.State, c.Detail = Partly, "the stream brought the answer in one piece"
	}
	t.add(c)
	u := o.answer.Usage
	c = Check{Name: Usage, Protocol: p, State: Yes, Detail: fmt.Sprintf("%d tokens read, %d written", u.Input, u.Output)}
	if !u.Known {
		c.State, c.Detail = No, "it does not say; what is used will be estimated"
	}
	t.add(c)
	t.speed(p, o)
}

func (t *test) speed(p inference.Protocol, o *outcome) {
	if o.pieces == 0 || t.o.Provider.Protocol == inference.Rehearsal {
		return
	}
	pace := Pace{Protocol: p, First: o.first}
	detail := fmt.Sprintf("the first piece after %.2f s", o.first.Seconds())
	if o.answer.Usage.Known && o.pieces > 1 && o.writing > 0 {
		pace.TokensPerSec = float64(o.answer.Usage.Output) / o.writing.Seconds()
		detail += fmt.Sprintf(", then %.0f tokens a second", pace.TokensPerSec)
	}
	t.report.Paces = append(t.report.Paces, pace)
	t.add(Check{Name: Speed, Protocol: p, State: Yes, Detail: detail})
}

// reasoning judges what was thought in any of the answers.
func (t *test) reasoning(p inference.Protocol, all []*outcome) {
	c := Check{Name: Reasoning, Protocol: p, State: No, Detail: "none was seen"}
	for _, o := range all {
		hidden := o.answer.Usage.Reasoning
		switch {
		case o.join(translate.Reasoning) != "":
			c.State, c.Detail = Yes, "it shows what it thinks"
		case c.State == Yes:
		case strings.HasPrefix(o.text(), "<think>"):
			c.State, c.Detail = Partly, "within its answers, as <think>: its server can be told to take that out"
		case c.State == No && hidden > 0:
			c.State, c.Detail = Partly, "it thinks, and does not show what"
		}
	}
	t.add(c)
}

// quoted is what a model said, short and in quotes.
func quoted(text string) string {
	const most = 48
	line := strings.Join(strings.Fields(text), " ")
	if runes := []rune(line); len(runes) > most {
		line = string(runes[:most]) + "…"
	}
	return "“" + line + "”"
}
