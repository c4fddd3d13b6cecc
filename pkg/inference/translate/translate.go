// Package translate carries inference between client protocols: a client that
// speaks anthropic-messages, openai-responses, openai-chat or gemini is answered by
// a provider that speaks another of them.
//
// Each protocol has a decoder and an encoder to one neutral form: a Request, and
// an Answer as a whole or as a stream of events. What the client gets is what a
// provider of its own protocol would have sent, event by event as it arrives.
//
// What a request says is carried over where the provider's protocol has a place
// for it. What has none is left out where the answer is still one to what was
// asked, and counted by its name (Lost), or refused as fault.Invalid with its
// name. Unknown members are left out and counted.
//
//	member of a request                     what becomes of it
//	system, developer, instructions         first in the conversation: the system prompt; later ones: openai-responses
//	                                        as they are, else in the user's mouth within <system-reminder>
//	text, images, files, several messages   carried; in a tool's result to openai-chat and gemini, images follow after the results
//	images and files by a provider's id     refused
//	calls and results, parallel ones        carried; an error is marked "error: " where there is no member for it; calls of
//	                                        gemini without ids get some, and results the id of the first call of their name
//	functions, namespaces, custom tools     carried; a namespace as part of the name, text as one argument, a grammar in words
//	tools that a provider runs or defines   refused; tool search: left out, and all tools are offered
//	tool_choice, parallel_tool_calls        carried; to gemini parallel_tool_calls is left out; several allowed tools: refused
//	reasoning in the conversation           carried to the protocol it came from, where only that can read it; else left out;
//	                                        gemini's newer models, which ask for a signature, are told that there is none
//	effort, verbosity                       carried by the same name; to anthropic-messages and gemini verbosity is left out;
//	                                        effort max is high to the OpenAI protocols, which have no such name; to gemini xhigh, too;
//	                                        to gemini's former models, which know budgets, it is left out
//	thinking, its budget                    left out: the model's own default holds
//	max_tokens                              carried; anthropic-messages, which needs one, gets 32,000; openai-responses no
//	                                        less than 16; OpenAI itself as max_completion_tokens, and whoever refuses the
//	                                        one name by the other (inference.Adaptation)
//	temperature, top_p                      carried; to anthropic-messages no temperature of 1, which is its default, or
//	                                        above, and no top_p beside one below; to openai-responses and OpenAI itself, whose
//	                                        default it is, no temperature of 1; none to whoever of their protocols refuses it
//	stop sequences                          carried; to openai-responses: refused
//	response format                         JSON schema: carried; any JSON object to anthropic-messages: left out
//	schemas in the form of OpenAPI (gemini) carried as JSON Schema
//	user                                    carried; to gemini, and one longer than 64 bytes to the OpenAI protocols: left out
//	metadata, prompt_cache_key              openai-responses: carried; else left out
//	cache_control                           set anew: anthropic-messages caches up to the end of the conversation
//	previous_response_id, conversation,     refused: what they name is not kept here
//	prompt, background, container
//	cachedContent, names with underscores   refused, of gemini
//	n, candidateCount, logprobs, audio,     refused: the answer would not be what was asked for
//	logit_bias, functions, max_tool_calls
//	seed, penalties, top_k, service_tier,   left out
//	context_management, store, prediction
//
// Of an answer everything is carried but a provider's own record of tools that it
// ran, and citations. Usage is complete: what came from a cache is part of the
// input, and what was thought part of the output.
//
// Requests of Vexa's own are made and their answers read in the same way: Encode,
// ReadStream and ReadWhole.
//
// A Translation is for one request; its methods are called by one goroutine at a
// time. Nothing here reads or writes but what it is given.
package translate

import (
	"strings"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/inference"
	"github.com/vexa-ai/vexa/pkg/internal/jsoncut"
)

// codec is one protocol: what its providers are asked with, and what its clients
// ask with.
type codec interface {
	decodeRequest(body []byte, o jsoncut.Outline, lost Lost) (*Request, error)
	encodeAnswer(a *Answer, h head) ([]byte, error)
	writer(h head) writer

	encodeRequest(r *Request, lost Lost) ([]byte, error)
	decodeAnswer(body []byte, seed string) (*Answer, error)
	reader(seed string) reader
}

// reader decodes the events of a stream.
type reader interface {
	// read returns what the data of one event says. It is valid until the next call.
	read(data []byte) ([]Event, error)
	// end returns what the end of the stream says: nothing where it came before
	// the answer's.
	end() []Event
}

// writer encodes events.
type writer interface {
	// write appends what stands for the event.
	write(dst []byte, e Event) []byte
}

// head is what an answer says of itself.
type head struct {
	id      string
	model   string
	created int64 // seconds since 1970
	usage   bool  // an openai-chat client asks for its event
}

func (h *head) started(e Event) {
	if e.Model != "" {
		h.model = e.Model
	}
}

func codecOf(p inference.Protocol) codec {
	switch p {
	case inference.AnthropicMessages:
		return messages{}
	case inference.OpenAIResponses:
		return responses{}
	case inference.OpenAIChat:
		return chat{}
	case inference.Gemini:
		return gemini{}
	default:
		return nil
	}
}

func speaks(p inference.Protocol) bool { return codecOf(p) != nil }

// Can reports whether a client of one protocol can be answered by a provider of
// another.
func Can(client, provider inference.Protocol) bool {
	return client != provider && speaks(client) && speaks(provider)
}

// Choose returns the protocol, of those that a provider speaks, into which a
// client's is best translated: the one that loses least.
func Choose(client inference.Protocol, provider []inference.Protocol) (inference.Protocol, bool) {
	for _, p := range []inference.Protocol{inference.OpenAIResponses, inference.AnthropicMessages, inference.OpenAIChat, inference.Gemini} {
		for _, spoken := range provider {
			if spoken == p && Can(client, p) {
				return p, true
			}
		}
	}
	return "", false
}

// Options configure a Translation.
type Options struct {
	Model   string // the provider's name of the model
	ID      string // unlike that of any other answer; letters and digits
	Created int64  // when the answer begins, in seconds since 1970
	OpenAI  bool   // the provider is OpenAI itself: others take members that it refuses
	Stream  bool   // the client wants its answer so, where the path says it: gemini's
	// Outline is that of the request, with all of its members, where it was found to be
	// JSON; empty: that is done here.
	Outline jsoncut.Outline
	// Observe is told each event of the answer before it is translated, and may
	// change it; nil: nobody.
	Observe func(*Event)
}

// Translation is one request on its way to a provider, and its answer on the way
// back.
type Translation struct {
	client   codec
	provider codec
	stream   bool // the client wants its answer so
	head     head // of the answer
	names    *names
	opts     Options
	path     string
	body     []byte
	lost     Lost
}

// New translates a request. The error is fault.Invalid where it cannot be read
// or says what cannot be carried over.
func New(client, provider inference.Protocol, body []byte, opts Options) (*Translation, error) {
	if !Can(client, provider) {
		return nil, fault.Newf(fault.Invalid, "%s cannot be translated into %s", client, provider)
	}
	t := &Translation{client: codecOf(client), provider: providerOf(provider, opts.OpenAI), opts: opts, lost: Lost{}}
	r, err := t.client.decodeRequest(body, opts.Outline, t.lost)
	if err != nil {
		return nil, err
	}
	r.Stream = r.Stream || opts.Stream
	t.stream = r.Stream
	t.head = head{id: opts.ID, model: r.Model, created: opts.Created, usage: r.StreamUsage}
	t.names = r.lower()
	if r.Model = opts.Model; t.head.model == "" {
		t.head.model = r.Model
	}
	t.path = pathOf(provider, r)
	if t.body, err = t.provider.encodeRequest(r, t.lost); err != nil {
		return nil, err
	}
	return t, nil
}

// Path returns where the request is sent, below the API's version.
func (t *Translation) Path() string { return t.path }

// Body returns the request to send.
func (t *Translation) Body() []byte { return t.body }

// Lost returns what was left out, by name.
func (t *Translation) Lost() Lost { return t.lost }

// Streams reports whether the client wants its answer as a stream.
func (t *Translation) Streams() bool { return t.stream }

// Answer translates an answer that is not streamed, into the form the client
// asked for. An error says what is wrong with the answer.
func (t *Translation) Answer(body []byte) ([]byte, error) {
	a, err := t.provider.decodeAnswer(body, t.opts.ID)
	if err != nil {
		return nil, err
	}
	if t.stream {
		s := t.Stream()
		return s.take(nil, a.events()), nil
	}
	var c collector
	r := t.raiser()
	for _, e := range a.events() {
		t.observe(&e)
		before, stands := r.raise(&e)
		if before != nil {
			c.add(*before)
		}
		if stands {
			c.add(e)
		}
	}
	return t.client.encodeAnswer(&c.answer, t.head)
}

func (t *Translation) observe(e *Event) {
	if t.opts.Observe != nil {
		t.opts.Observe(e)
	}
}

func (t *Translation) raiser() raiser {
	return raiser{names: t.names, input: map[int]*strings.Builder{}}
}
