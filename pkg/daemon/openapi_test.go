package daemon_test

import (
	"flag"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/api/openapi"
	"github.com/vexa-ai/vexa/pkg/daemon"
)

var update = flag.Bool("update", false, "write docs/api")

const description = "../../docs/api/openapi.json"

// The description of the HTTP API is made from the routes, the types and their
// comments, and is OpenAPI.
func TestTheDescriptionIsUpToDate(t *testing.T) {
	t.Parallel()
	made := describe(t)
	if _, err := openapi.Check(description, made, contractFiles(t)); err != nil {
		t.Fatalf("it is not OpenAPI 3.1: %v", err)
	}
	if *update {
		must(t, os.WriteFile(description, made, 0o644))
	}
	kept, err := os.ReadFile(description)
	must(t, err)
	if diff := cmp.Diff(string(made), string(kept)); diff != "" {
		t.Errorf("docs/api is out of date; go test ./pkg/daemon -update writes it\n%s", diff)
	}
}

func describe(t *testing.T) []byte {
	t.Helper()
	var contracts []openapi.Contract
	dirs := []string{"../api"}
	files := contractFiles(t)
	for pkg, name := range map[string]string{"unitv1": "unit.v1", "runtimev1": "runtime.v1", "runnerv2": "agent-runner.v2", "toolv1": "tool.v1"} {
		file := files["https://vexa.ai/schemas/"+name]
		c := openapi.Contract{Package: pkg, Schema: file, Ref: file}
		if pkg == "runtimev1" {
			c.Names = map[string]string{"State": "RuntimeState"}
		}
		contracts = append(contracts, c)
		dirs = append(dirs, "../contract/"+pkg)
	}
	sources, err := openapi.Read(dirs, contracts)
	must(t, err)
	a := openapi.API{
		Title: "Vexa's daemon", Version: "1." + strconv.Itoa(api.Level), Sources: sources, Error: api.Error{},
		Description: "What the commands of vexa speak with the daemon, and your own programs may. JSON is camelCase; lists are arrays, never null; a member of a request that is not known is refused. " +
			"Each answer has the headers " + api.HeaderVersion + " and " + api.HeaderAPI + ". While the installation is locked, what needs its key answers 423.",
		Server:            "http://vexa",
		ServerDescription: "Over the Unix socket daemon.sock, which vexa daemon status names: curl --unix-socket SOCKET http://vexa/v1/status. It answers its own user alone, and no web page.",
		Paths: map[string]string{
			"dispatches.id": "the unit of the dispatch", "sessions.id": "the id of the conversation", "models.name": "the name of the provider", "runners.name": "the name of the runner",
			"tools.name": "the name of the tool", "workspaces.name": "the name of the workspace, or its id", "proposals.name": "the name of the workspace, or its id",
			"proposals.id": "the id of the proposal, or its beginning",
		},
	}
	operations := daemon.Operations()
	for _, pattern := range slices.Sorted(maps.Keys(operations)) {
		o := operations[pattern]
		a.Routes = append(a.Routes, openapi.Route{Pattern: pattern, Summary: o.Summary, Query: o.Query, Body: o.Body, Answer: o.Answer, Status: o.Status, Media: o.Media, Also: o.Also})
	}
	made, err := openapi.Document(a)
	must(t, err)
	return made
}

// contractFiles are the sealed schemas by their ids.
func contractFiles(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob("../../schemas/*/*.schema.json")
	must(t, err)
	out := map[string]string{}
	for _, file := range files {
		out["https://vexa.ai/schemas/"+filepath.Base(filepath.Dir(file))] = file
	}
	return out
}
