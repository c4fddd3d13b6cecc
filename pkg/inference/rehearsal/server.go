package rehearsal

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/internal/sleep"
	"github.com/vexa-ai/vexa/pkg/internal/textform"
)

const maxBody = 64 << 20

// Server answers from the cassette at one path. It reads the file at each
// request, so that a change counts at once, and parses it when it has changed;
// while the file is broken, every request is answered with what is wrong.
//
// It serves POST /v1/messages, /v1/messages/count_tokens, /v1/chat/completions,
// /v1/responses and /v1beta/models/MODEL:generateContent, :streamGenerateContent and
// :countTokens, and GET /v1/models. It is safe for concurrent use.
type Server struct {
	path string

	mu       sync.Mutex
	data     []byte // that was parsed; nil at first
	cassette *Cassette
	err      error
}

// New returns the server of a cassette, which need not exist yet.
func New(path string) *Server { return &Server{path: path} }

// Load reads a cassette's file, as a check before it is used.
func Load(path string) (*Cassette, error) {
	data, err := readFile(path)
	if err != nil {
		return nil, err
	}
	return Parse(path, defaultName(path), data)
}

func readFile(path string) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0) // a pipe in its place must not hold us
	if err != nil {
		return nil, fault.New(fault.NotFound, "the cassette "+path+" cannot be read", "name a file that exists; vexa model list shows those in use")
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return nil, fault.New(fault.Invalid, "the cassette "+path+" is not a file", "name a file; vexa model list shows those in use")
	}
	data, err := io.ReadAll(io.LimitReader(f, maxCassette+1))
	return data, fault.Wrap(fault.Internal, "read the cassette "+path, err)
}

var unfit = textform.Regexp(`[^A-Za-z0-9._-]+`)

func defaultName(path string) string {
	base := strings.TrimSuffix(filepath.Base(path), filepath.Ext(path))
	base = strings.TrimLeft(unfit.ReplaceAllString(base, "-"), "._-")
	if base == "" {
		return "cassette"
	}
	return base[:min(len(base), 64)]
}

func (s *Server) load() (*Cassette, error) {
	data, err := readFile(s.path)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.data == nil || !bytes.Equal(s.data, data) {
		s.data = data
		s.cassette, s.err = Parse(s.path, defaultName(s.path), data)
	}
	return s.cassette, s.err
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p, ok := protocolOf(r.URL.Path)
	if !ok {
		http.NotFound(w, r)
		return
	}
	c, err := s.load()
	if err != nil {
		p.refuse(w, http.StatusBadRequest, "rehearsal: "+err.Error())
		return
	}
	w.Header().Set(Header, c.Name)
	if r.Method == http.MethodGet {
		models(w, c)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		p.refuse(w, http.StatusBadRequest, "rehearsal: the request cannot be read")
		return
	}
	conv, err := p.read(body)
	if err != nil {
		p.refuse(w, http.StatusBadRequest, "rehearsal: "+err.Error())
		return
	}
	if p.wire == nil {
		writeJSON(w, http.StatusOK, map[string]int{p.counted: tokens(conv.Bytes)})
		return
	}
	sc, err := c.rehearse(conv)
	if err != nil {
		p.refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	if e := sc.immediate(); e != nil {
		if sleep.For(r.Context(), sc.delayBefore()) == nil {
			p.refuse(w, e.Status, e.Message)
		}
		return
	}
	perform(r.Context(), p.wire(w, conv, c.Name), sc)
}

// protocol is one wire protocol's way to answer.
type protocol struct {
	refuse  func(w http.ResponseWriter, status int, message string)
	read    func(body []byte) (*conversation, error)
	wire    func(w http.ResponseWriter, c *conversation, cassette string) wire // nil: the request asks for a count of tokens only
	counted string                                                             // the member that says it
}

func protocolOf(path string) (protocol, bool) {
	switch path {
	case "/v1/messages":
		return protocol{refuse: refuseAnthropic, read: read, wire: newAnthropic}, true
	case "/v1/messages/count_tokens":
		return protocol{refuse: refuseAnthropic, read: read, counted: "input_tokens"}, true
	case "/v1/chat/completions", "/v1/models":
		return protocol{refuse: refuseOpenAI, read: read, wire: newOpenAI}, true
	case "/v1/responses":
		return protocol{
			refuse: refuseOpenAI, read: readResponses,
			wire: func(w http.ResponseWriter, c *conversation, cassette string) wire {
				return newResponses(w, c, cassette)
			},
		}, true
	default:
		return geminiProtocol(path)
	}
}

func models(w http.ResponseWriter, c *Cassette) {
	writeJSON(w, http.StatusOK, map[string]any{
		"object": "list",
		"data": []any{map[string]any{
			"id": Model, "object": "model", "type": "model", "owned_by": "vexa-rehearsal", "display_name": "rehearsal: " + c.Name,
		}},
	})
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	data, err := json.Marshal(v)
	if err != nil {
		http.Error(w, "encode", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(data, '\n')) // a client that has gone is not told
}

// tokens estimates a count of tokens from a length in bytes.
func tokens(n int) int { return n/4 + 1 }

// find returns the first turn that answers the conversation.
func (c *Cassette) find(conv *conversation) (Turn, bool) {
	for _, t := range c.Turns {
		if t.Match.fits(conv) && t.missing(conv) == nil {
			return t, true
		}
	}
	return Turn{}, false
}

// missing returns the first tool that the turn calls and the request does not
// offer.
func (t Turn) missing(conv *conversation) *Tool {
	for _, s := range t.Reply {
		if s.Tool == nil {
			continue
		}
		if _, ok := conv.tool(s.Tool.Names); !ok {
			return s.Tool
		}
	}
	return nil
}

func (m Match) fits(c *conversation) bool {
	switch {
	case m.Always:
		return true
	case m.First != nil && *m.First != (c.Users <= 1):
		return false
	case (m.ToolResult != nil) != c.HasResult:
		return false
	case m.ToolResult != nil && !m.ToolResult.MatchString(c.ToolResult):
		return false
	default:
		return m.User == nil || m.User.MatchString(c.LastUser)
	}
}

// unmatched quotes what came and what was expected.
func (c *Cassette) unmatched(conv *conversation) error {
	var b strings.Builder
	fmt.Fprintf(&b, "rehearsal: no turn of cassette %s matches. The latest user message was %q", c.Name, short(conv.LastUser))
	if conv.HasResult {
		fmt.Fprintf(&b, ", and after it came the tool result %q", short(conv.ToolResult))
	}
	for _, t := range c.Turns {
		if tool := t.missing(conv); tool != nil && t.Match.fits(conv) {
			fmt.Fprintf(&b, ". The turn at line %d fits but calls the tool %s, which the request does not offer", t.Line, strings.Join(tool.Names, " or "))
		}
	}
	b.WriteString(". Expected one of:")
	const most = 20
	for i, t := range c.Turns {
		if i == most {
			fmt.Fprintf(&b, " and %d more", len(c.Turns)-most)
			break
		}
		fmt.Fprintf(&b, " line %d: %s;", t.Line, t.Match)
	}
	return errors.New(strings.TrimSuffix(b.String(), ";"))
}

// String says what the match expects.
func (m Match) String() string {
	var parts []string
	if m.Always {
		parts = append(parts, "always")
	}
	if m.First != nil {
		parts = append(parts, fmt.Sprintf("first %t", *m.First))
	}
	if m.User != nil {
		parts = append(parts, fmt.Sprintf("user /%s/", m.User))
	}
	if m.ToolResult != nil {
		parts = append(parts, fmt.Sprintf("tool result /%s/", m.ToolResult))
	}
	return strings.Join(parts, " and ")
}

func short(s string) string {
	const most = 200
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
