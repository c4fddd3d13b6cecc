package agent

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// OpenForTest opens a session file of any content twice: what the first opening
// accepts and repairs, the second must read as the same conversation.
func OpenForTest(t *testing.T, state, id string) {
	t.Helper()
	first, err := openSession(state, id, true)
	if err != nil {
		return
	}
	first.close()
	second, err := openSession(state, id, true)
	if err != nil {
		data, _ := os.ReadFile(filepath.Join(state, "sessions", id+".jsonl"))
		t.Fatalf("a repaired session does not open: %v\n%s", err, data)
	}
	defer second.close()
	if diff := cmp.Diff(first.messages, second.messages); diff != "" {
		t.Fatalf("the conversation changed:\n%s", diff)
	}
	if n := len(second.messages); n > 0 && len(second.messages[n-1].Calls) > 0 {
		t.Fatal("calls are left without an answer")
	}
}
