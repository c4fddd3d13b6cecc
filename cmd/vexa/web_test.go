package main

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/audit"
	"github.com/vexa-ai/vexa/pkg/dispatch"
	"github.com/vexa-ai/vexa/pkg/journal"
	"github.com/vexa-ai/vexa/pkg/web"
)

// What happens at the door of the pages is in the audit log: who came in on whose behalf,
// and who was refused.
func TestDoorTrail(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	j, err := journal.Open(journal.Options{Dir: filepath.Join(dir, "audit"), Checkpoint: filepath.Join(dir, "checkpoint"), Key: make([]byte, 32), Name: "audit"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() })
	log := audit.Open(j, time.Now)
	trail := doorTrail{log, dispatch.Caller{Subject: "u_ann", Launcher: "user:ann"}}
	for _, e := range []web.Event{{Action: "sign-in", Detail: map[string]string{"session": "0123"}}, {Action: "sign-in", Refused: "no such link"}} {
		if err := trail.Record(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	entries, err := log.Read(1, 10)
	if err != nil {
		t.Fatal(err)
	}
	got, err := json.Marshal(entries)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"subject":"u_ann","launcher":"user:ann","boundary":"web","action":"sign-in","effect":"allow","detail":{"session":"0123"}`,
		`"boundary":"web","action":"sign-in","effect":"deny","reason":"no such link"`,
	} {
		if !strings.Contains(string(got), want) {
			t.Errorf("%s is not in %s", want, got)
		}
	}
	if len(entries) != 2 || entries[1].Subject != "" {
		t.Errorf("there are %+v", entries)
	}
}
