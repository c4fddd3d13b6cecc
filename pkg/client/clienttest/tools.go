package clienttest

import (
	"encoding/json"
	"net/http"

	"github.com/vexa-ai/vexa/pkg/contract/toolv1"
	"github.com/vexa-ai/vexa/pkg/fault"
)

// acme is the only tool.
func acme() toolv1.Tool {
	return toolv1.Tool{
		Name: "acme.send", Title: "Send", Description: "Sends." + Hostile, Transport: toolv1.MCP, MCPServer: "acme",
		InputSchema: json.RawMessage(`{"type":"object"}`), Effect: toolv1.Send, Grant: toolv1.Gate, Scope: "send:self",
		Limits: &toolv1.Limits{Calls: 3, TimeoutSec: 10},
	}
}

func routeTools(mux *http.ServeMux) {
	mux.HandleFunc("GET /v1/tools", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, []toolv1.Tool{acme()}, nil)
	})
	mux.HandleFunc("GET /v1/tools/{name}", func(w http.ResponseWriter, r *http.Request) {
		t, err := tool(r.PathValue("name"))
		answer(w, http.StatusOK, t, err)
	})
}

func tool(name string) (toolv1.Tool, error) {
	if name != acme().Name {
		return toolv1.Tool{}, fault.New(fault.NotFound, "no tool is called \""+name+"\"", "there are: acme.send; see vexa tool list")
	}
	return acme(), nil
}
