package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/vexa-ai/vexa/pkg/fault"
)

// The last words are those of this start, and the error's own where it has any.
func TestLastWords(t *testing.T) {
	t.Parallel()
	const before = "vexa: error: of another start\nvexa: hint: of another start\n"
	exit := func(code string) error { return exec.CommandContext(t.Context(), "sh", "-c", "exit "+code).Run() }
	for name, c := range map[string]struct {
		exit      error
		said      string
		msg, hint string
		kind      fault.Kind
	}{
		"an error":       {exit("1"), "{\"msg\":\"daemon starts\"}\nvexa: error: no room\nvexa: hint: make some\n{\"msg\":\"last\"}\n", "no room", "make some", fault.Internal},
		"a crash":        {exit("2"), "{\"msg\":\"daemon starts\"}\nfatal error: all is lost\n\n", "fatal error: all is lost", "", fault.Internal},
		"nothing":        {exit("3"), "", "exit status 3", "", fault.Internal},
		"nothing and 0":  {nil, "", "it said nothing", "", fault.Internal},
		"another daemon": {exit("5"), "vexa: error: the socket is taken\n", "the socket is taken", "", fault.Conflict},
	} {
		log := filepath.Join(t.TempDir(), "log")
		must(t, os.WriteFile(log, []byte(before+c.said), 0o600))
		err := lastWords(c.exit, log, int64(len(before)))
		if err.Error() != c.msg || fault.HintOf(err) != c.hint || !fault.Is(err, c.kind) {
			t.Errorf("%s: %q with hint %q, kind %s", name, err, fault.HintOf(err), fault.KindOf(err))
		}
	}
	if err := lastWords(errors.New("exit status 1"), filepath.Join(t.TempDir(), "missing"), 0); err.Error() != "exit status 1" {
		t.Errorf("without a log: %v", err)
	}
}
