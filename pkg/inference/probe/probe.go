// Package probe tries out what an endpoint can do: for each protocol that a
// provider is said to speak, a few small requests of the kind that agents make,
// and which of the other protocols its URL speaks as well.
//
// A test is bounded in requests, tokens, bytes and time, whatever the provider
// does. It follows no redirect, and the key is in nothing that it returns. A
// failure is an outcome, not an error.
package probe

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/vexa-ai/vexa/pkg/inference"
	"github.com/vexa-ai/vexa/pkg/inference/translate"
)

// The bounds of a test.
const (
	total    = 4 * time.Minute  // of all requests
	first    = 2 * time.Minute  // of the first in a protocol: a local model may have to be loaded
	each     = time.Minute      // of any other
	listing  = 15 * time.Second // of the list of models
	maxWords = 512              // tokens of an answer, what a model thinks included
	maxBytes = 1 << 20          // of an answer
)

// State is what was found of a capability.
type State string

// The states.
const (
	Yes     State = "yes"
	No      State = "no"
	Partly  State = "partly"
	Unknown State = "unknown" // it cannot be told, or was not tried
)

// Name is what a check is about.
type Name string

// The checks of an endpoint, and of one of its protocols.
const (
	Reachable Name = "reachable" // something answers at its URL
	Key       Name = "key"       // its key is accepted
	Listed    Name = "listed"    // the model is among those that it lists
	Context   Name = "context"   // how much the model reads, as the list says

	Answers   Name = "answers"   // it answers a question
	Streams   Name = "streams"   // in pieces, as the model writes them
	Usage     Name = "usage"     // says how many tokens were used
	Speed     Name = "speed"     // how fast it is
	Reasoning Name = "reasoning" // shows what it thinks
	Tools     Name = "tools"     // calls a tool with arguments that hold to its schema
	Results   Name = "results"   // goes on with what a tool returned
	Parallel  Name = "parallel"  // calls several tools at once
	Images    Name = "images"    // sees a picture

	Speaks Name = "speaks" // a protocol that the provider is not said to speak
)

// Check is one finding.
type Check struct {
	Name     Name
	Protocol inference.Protocol // empty: it is about the endpoint
	State    State
	Detail   string // why, and what was seen; foreign text may be in it, never the key
	Refused  bool   // the provider answered with an error to what was asked
}

// Pace is how fast a protocol was answered.
type Pace struct {
	Protocol     inference.Protocol
	First        time.Duration // until the first piece; 0: not known
	TokensPerSec float64       // of the pieces after it; 0: not known
}

// Report is the outcome of a test.
type Report struct {
	OK      bool // it answers in every protocol that it is said to speak
	Model   string
	Reply   string // the first answer
	Error   string // why it is not OK
	Hint    string // what to do then
	Streams bool   // the first answer came in several pieces
	Elapsed time.Duration
	Checks  []Check
	Paces   []Pace
	Context int64 // tokens; 0: not known
	// What the test itself took, as far as the provider said so.
	Requests, InputTokens, OutputTokens int64
}

// Find returns a finding.
func (r *Report) Find(name Name, protocol inference.Protocol) (Check, bool) {
	i := slices.IndexFunc(r.Checks, func(c Check) bool { return c.Name == name && c.Protocol == protocol })
	if i < 0 {
		return Check{}, false
	}
	return r.Checks[i], true
}

// Options say what is tried out.
type Options struct {
	Upstream *inference.Upstream
	Provider inference.Provider
	Model    string                         // one of the provider's
	Key      []byte                         // nil: it has none
	Now      func() time.Time               // the clock
	Begin    func(Name, inference.Protocol) // told what is tried next; nil: nobody is
}

// Run tries the endpoint out. Where ctx ends it returns what was found until then.
func Run(ctx context.Context, o Options) Report {
	ctx, cancel := context.WithTimeout(ctx, total)
	defer cancel()
	t := &test{o: o, began: o.Now()}
	t.report.Model = o.Model
	if t.list(ctx) {
		t.all(ctx)
	}
	t.conclude(ctx)
	return t.report
}

// all tries out every protocol. Where nothing answers at all, no further request
// would say more.
func (t *test) all(ctx context.Context) {
	for _, p := range t.o.Provider.Protocols() {
		if answered := t.protocol(ctx, p); !answered {
			return
		}
	}
	t.others(ctx)
}

// test is one in progress.
type test struct {
	o          Options
	began      time.Time
	report     Report
	listed     []string // the models of the provider's list
	adaptation inference.Adaptation
	key        Check // what is known of the key
}

func (t *test) begin(name Name, protocol inference.Protocol) {
	if t.o.Begin != nil {
		t.o.Begin(name, protocol)
	}
}

// add keeps a finding. The key is taken out of it here, where every text passes.
func (t *test) add(c Check) {
	c.Detail = inference.Redact(c.Detail, t.o.Key)
	t.report.Checks = append(t.report.Checks, c)
}

// conclude sums up.
func (t *test) conclude(ctx context.Context) {
	r := &t.report
	if t.key.State != "" {
		t.key.Name, t.key.Detail = Key, inference.Redact(t.key.Detail, t.o.Key)
		r.Checks = slices.Insert(r.Checks, 1, t.key) // behind that it can be reached
	}
	r.OK = true
	for _, protocol := range t.o.Provider.Protocols() {
		c, ok := r.Find(Answers, protocol)
		if ok && (c.State == Yes || c.State == Partly) {
			continue
		}
		if r.OK {
			r.OK, r.Error = false, c.Detail
		}
	}
	if c, ok := r.Find(Reachable, ""); ok && c.State == No {
		r.Error = c.Detail
	}
	if !r.OK && ctx.Err() != nil {
		r.Error = strings.TrimPrefix(r.Error+"; the test ran out of time", "; ")
	}
	if !r.OK {
		r.Hint = t.hint()
	}
	r.Reply = inference.Redact(r.Reply, t.o.Key)
	r.Elapsed = t.o.Now().Sub(t.began)
}

// hint says what to do about a failure.
func (t *test) hint() string {
	p := t.o.Provider
	state := func(name Name) State {
		c, _ := t.report.Find(name, "")
		return c.State
	}
	var speaks []string
	for _, c := range t.report.Checks {
		if c.Name == Speaks && c.State == Yes {
			speaks = append(speaks, string(c.Protocol))
		}
	}
	again := "remove it and add it again: vexa model remove " + p.Name + "; vexa model add " + p.Name
	switch {
	case p.Protocol == inference.Rehearsal:
		return "correct its cassette, " + p.Cassette
	case state(Reachable) == No:
		return "is a server running at " + p.URL + "? If that is not its URL, " + again + " --url URL …"
	case state(Key) == No && len(t.o.Key) == 0:
		return again + " --key-file FILE …"
	case state(Key) == No:
		return "with the right key, " + again + " --key-file FILE …"
	case len(speaks) > 0 && state(Listed) != No:
		return "its URL speaks " + strings.Join(speaks, " and ") + "; " + again + " --protocol " + speaks[0] + " …"
	case state(Listed) == No && len(t.listed) > 0:
		return "it serves " + inference.Redact(few(t.listed), t.o.Key) + "; " + again + " --model NAME …"
	default:
		return "see its URL, protocol and models: vexa model list"
	}
}

// few names some of many.
func few(names []string) string {
	const most = 5
	text := strings.Join(names[:min(len(names), most)], ", ")
	if len(names) > most {
		text += " and others"
	}
	return text
}

// tokens adds what an answer used.
func (t *test) tokens(u translate.Usage) {
	t.report.InputTokens += u.Input
	t.report.OutputTokens += u.Output
}
