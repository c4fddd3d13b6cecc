package guides

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/vexa-ai/vexa/pkg/inference/rehearsal"
	"github.com/vexa-ai/vexa/pkg/runner/image/imagetest"
)

// server is the server of models that a guide takes for granted: what a rehearsal
// plays, over Chat and Responses as most local servers have them.
func server(t *testing.T, dir string) (replace map[string]string, env map[string][]string) {
	t.Helper()
	cassette := filepath.Join(t.TempDir(), "turns.yaml")
	if err := os.WriteFile(cassette, []byte(turns), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "turns.yaml"), []byte(turns), 0o600); err != nil {
		t.Fatal(err)
	}
	play := rehearsal.New(cassette)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/v1/models":
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(map[string]any{"object": "list", "data": []any{map[string]any{"id": "qwen3", "object": "model", "max_model_len": 32768}}})
		case strings.HasPrefix(r.URL.Path, "/v1/chat/") || strings.HasPrefix(r.URL.Path, "/v1/responses"):
			play.ServeHTTP(w, r)
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(srv.Close)
	return map[string]string{"https://inference.example.com": srv.URL, "http://127.0.0.1:8000": srv.URL, "http://inference.lan:8000": srv.URL}, nil
}

// browser is the browser that a guide takes for granted: it notes what it is shown, in
// the file opened.
func browser(t *testing.T, dir string) (replace map[string]string, env map[string][]string) {
	t.Helper()
	program := filepath.Join(t.TempDir(), "browser")
	if err := os.WriteFile(program, []byte("#!/bin/sh\necho \"$1\" >>'"+filepath.Join(dir, "opened")+"'\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return nil, map[string][]string{"": {"BROWSER=" + program}}
}

// turns are what a model says that can use tools.
const turns = `version: 1
name: qwen3
turns:
  - match: {user: 'first\.txt and second\.txt'}
    reply:
      - tool: {name: read_file, arguments: {path: first.txt}}
      - tool: {name: read_file, arguments: {path: second.txt}}
  - match: {user: 'Read the file (\S+)'}
    reply:
      - tool: {name: read_file, arguments: {path: '{{1}}'}}
  - match: {user: 'Read the file', toolResult: ''}
    reply:
      - text: 'The file holds {{toolResult}}'
  - match: {user: 'Write a note that says (.+)'}
    reply:
      - tool: {name: write, arguments: {path: 'notes/{{slug 1}}.md', content: "{{1}}\n"}}
  - match: {user: '.', toolResult: ''}
    reply:
      - text: 'Done.'
  - match: {user: '^Hello'}
    reply:
      - text: 'Hello. What can I do for you?'
  - match: always
    reply:
      - text: 'one two '
      - delay: 20ms
      - text: 'three four five'
`

// registry has the packages that the image of an agent of one's own is made of. Who is
// inside has no way there.
func registry(t *testing.T, dir string) (replace map[string]string, env map[string][]string) {
	t.Helper()
	busybox, err := os.ReadFile("/bin/busybox")
	if err != nil {
		t.Fatalf("the runtime needs it, too: %v", err)
	}
	w := imagetest.NewWorld(t, runtime.GOARCH, busybox)
	w.Lock.Program.Links = map[string]string{"usr/bin/sh": "/opt/tool/bin/tool"}
	w.Lock.System.Busybox, w.Lock.System.Links = "", nil
	if err := os.WriteFile(filepath.Join(dir, "my-agent", "image.json"), w.LockJSON(t), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = exec.Command("podman", "rmi", "-f", "localhost/my-agent:1").Run() }) // where it was made
	mirrors := "VEXA_DEBIAN_MIRROR=" + strings.Join(w.Sources().Debian, " ")
	replace, _ = server(t, dir)
	return replace, map[string][]string{
		"online": {mirrors, "VEXA_NPM_REGISTRY=" + w.Sources().NPM},
		"inside": {"VEXA_DEBIAN_MIRROR=http://127.0.0.1:9/debian", "VEXA_NPM_REGISTRY=http://127.0.0.1:9"},
	}
}
