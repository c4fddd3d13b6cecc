package agent_test

import (
	"net/http/httptest"
	"path/filepath"
	"testing"

	"github.com/vexa-ai/vexa/pkg/agent"
	"github.com/vexa-ai/vexa/pkg/inference/rehearsal"
)

// The shipped rehearsal and the agent understand each other, in both protocols,
// over two processes.
func TestShippedRehearsal(t *testing.T) {
	t.Parallel()
	cassette := filepath.Join(t.TempDir(), "default.yaml")
	if _, err := rehearsal.Install(cassette); err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(rehearsal.New(cassette))
	t.Cleanup(srv.Close)
	for protocol, base := range map[string]string{"anthropic-messages": srv.URL, "openai-chat": srv.URL + "/v1"} {
		t.Run(protocol, func(t *testing.T) {
			t.Parallel()
			pl := newPlace(t, &provider{Server: srv})
			pl.protocol, pl.url = protocol, base
			o := pl.turn("Write a note that says blue door")
			if o.code != agent.ExitOK || o.result.Reply != "I wrote notes/blue-door.md. It says: blue door" {
				t.Fatalf("code %d, %+v, %s", o.code, o.result, o.stderr)
			}
			if got := pl.file("workspace/notes/blue-door.md"); got != "blue door\n" {
				t.Errorf("the note holds %q", got)
			}
			o = pl.turn("What did I ask before?", "--resume")
			if o.code != agent.ExitOK || o.result.Reply != "Your previous message was: “Write a note that says blue door”" {
				t.Errorf("code %d, %+v, %s", o.code, o.result, o.stderr)
			}
		})
	}
}
