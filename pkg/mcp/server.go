package mcp

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/vexa-ai/vexa/pkg/contract/toolv1"
)

// The methods that are served; every other is refused.
const (
	methodInitialize = "initialize"
	methodPing       = "ping"
	methodDiscover   = "server/discover"
	methodList       = "tools/list"
	methodCall       = "tools/call"
	notifications    = "notifications/"
)

// Server answers requests. It is safe for concurrent use.
type Server struct{ handler http.Handler }

// ServerOptions configure a Server.
type ServerOptions struct {
	Name    string // told to clients
	Version string
	Log     *slog.Logger
}

// NewServer returns a server.
func NewServer(o ServerOptions) *Server {
	server := sdk.NewServer(&sdk.Implementation{Name: o.Name, Version: o.Version}, &sdk.ServerOptions{
		Capabilities: &sdk.ServerCapabilities{Tools: &sdk.ToolCapabilities{}},
		Logger:       o.Log,
	})
	server.AddReceivingMiddleware(serve)
	return &Server{sdk.NewStreamableHTTPHandler(func(*http.Request) *sdk.Server { return server }, &sdk.StreamableHTTPOptions{
		Stateless: true, JSONResponse: true, Logger: o.Log, PropagateRequestCancellation: true,
		MaxRequestBodyBytes: -1, // the caller has read the body
	})}
}

// offered is the key under which a request's context has what it may use.
type offered struct{}

// use is the Offer of a request and the request's own context, which ends when
// the client hangs up; the SDK's does not in every revision.
type use struct {
	Offer
	request context.Context //nolint:containedctx // it is the request's, and carried by it
}

// Serve answers one POST whose body was read and whose sender was verified.
// Anything but one JSON-RPC message of a method that is served is refused.
func (s *Server) Serve(w http.ResponseWriter, r *http.Request, body []byte, o Offer) {
	m, err := parse(body)
	switch {
	case err != nil:
		refuse(w, http.StatusBadRequest, nil, &jsonrpc.Error{Code: jsonrpc.CodeInvalidRequest, Message: err.Error()})
		return
	case m.ID == nil && strings.HasPrefix(m.Method, notifications):
		w.WriteHeader(http.StatusAccepted) // there is nothing that it could change
		return
	case !served(m.Method) || m.ID == nil:
		refuse(w, http.StatusNotFound, m.ID, noMethod(m.Method))
		return
	}
	ctx := context.WithValue(r.Context(), offered{}, use{o, r.Context()})
	r = r.WithContext(ctx)
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	s.handler.ServeHTTP(w, r)
}

// message is a JSON-RPC message as far as it decides what becomes of it.
type message struct {
	ID     json.RawMessage `json:"id"`
	Method string          `json:"method"`
}

// parse takes one message: a batch, which revision 2025-06-18 removed, would be
// many requests that count as one.
func parse(body []byte) (m message, err error) {
	if text := bytes.TrimLeft(body, " \t\r\n"); len(text) == 0 || text[0] != '{' {
		return m, errors.New("the body is not one JSON-RPC message")
	}
	if err := json.Unmarshal(body, &m); err != nil {
		return m, errors.New("the body is not JSON")
	}
	if string(m.ID) == "null" {
		m.ID = nil
	}
	return m, nil
}

func served(method string) bool {
	switch method {
	case methodInitialize, methodPing, methodDiscover, methodList, methodCall:
		return true
	default:
		return false
	}
}

// serve answers what is about tools by the request's Offer. It decides by the
// message that the SDK has read, which it holds to the list of methods again.
func serve(next sdk.MethodHandler) sdk.MethodHandler {
	return func(ctx context.Context, method string, req sdk.Request) (sdk.Result, error) {
		if !served(method) {
			return nil, noMethod(method)
		}
		u, ok := ctx.Value(offered{}).(use)
		if !ok {
			return nil, errors.New("a request without an offer")
		}
		switch params := req.GetParams().(type) {
		case *sdk.ListToolsParams:
			return list(u.Tools()), nil
		case *sdk.CallToolParamsRaw:
			return call(u, params)
		default:
			return next(ctx, method, req)
		}
	}
}

// list describes tools. All of them are on one page, and a client asks again
// rather than keep what may have changed.
func list(tools []toolv1.Tool) *sdk.ListToolsResult {
	out := &sdk.ListToolsResult{Tools: make([]*sdk.Tool, 0, len(tools)), Cacheable: sdk.Cacheable{CacheScope: "private"}}
	for _, t := range tools {
		open := t.Effect == toolv1.Send
		out.Tools = append(out.Tools, &sdk.Tool{
			Name: t.Name, Title: t.Title, Description: t.Description, InputSchema: t.InputSchema,
			Annotations: &sdk.ToolAnnotations{ReadOnlyHint: t.Effect == toolv1.Read, OpenWorldHint: &open},
		})
	}
	return out
}

func call(u use, p *sdk.CallToolParamsRaw) (sdk.Result, error) {
	arguments := p.Arguments
	if len(arguments) == 0 || string(arguments) == "null" {
		arguments = json.RawMessage(`{}`)
	}
	answer, err := u.Call(u.request, p.Name, arguments)
	if errors.Is(err, ErrNoTool) {
		return nil, &jsonrpc.Error{Code: jsonrpc.CodeInvalidParams, Message: fmt.Sprintf("%.200q: %s", p.Name, ErrNoTool)}
	}
	if err != nil {
		return nil, err
	}
	return &sdk.CallToolResult{Content: []sdk.Content{&sdk.TextContent{Text: answer.Text}}, IsError: answer.Failed}, nil
}

func noMethod(method string) *jsonrpc.Error {
	return &jsonrpc.Error{Code: jsonrpc.CodeMethodNotFound, Message: fmt.Sprintf("the method %.100q is not served", method)}
}

// refuse answers with an error of JSON-RPC.
func refuse(w http.ResponseWriter, status int, id json.RawMessage, e *jsonrpc.Error) {
	if id == nil {
		id = json.RawMessage("null")
	}
	body, err := json.Marshal(struct {
		Version string          `json:"jsonrpc"`
		ID      json.RawMessage `json:"id"`
		Error   *jsonrpc.Error  `json:"error"`
	}{"2.0", id, e})
	if err != nil {
		body = []byte(`{"jsonrpc":"2.0","id":null,"error":{"code":-32603,"message":"internal error"}}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n')) // a client that has gone is not told
}
