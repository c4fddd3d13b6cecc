package contract_test

import (
	"testing"

	"github.com/vexa-ai/vexa/pkg/contract"
)

func TestSmoke(t *testing.T) {
	for _, n := range contract.Names() {
		t.Log(n, contract.Validate(n, []byte(`{}`)))
	}
	f := `{"seq":1,"ts":"2026-01-02T03:04:05Z","unit":"01JZZZZZZZZZZZZZZZZZZZZZZZ","source":"agent","agentSeq":3,"type":"message","text":"x"}`
	t.Log(contract.Validate("ws.v1", []byte(f)))
	t.Log(contract.Validate("ws.v1#Frame", []byte(`{"seq":1,"ts":"2026-01-02T03:04:05Z","unit":"01JZZZZZZZZZZZZZZZZZZZZZZZ","source":"agent","agentSeq":3,"type":"usage","text":"x"}`)))
	t.Log(contract.Validate("ws.v1#Frame", []byte(`{"seq":1,"ts":"2026-01-02T03:04:05Z","unit":"01JZZZZZZZZZZZZZZZZZZZZZZZ","source":"agent","agentSeq":3,"type":"message","text":"x","foo":1}`)))
	u := `{"id":"01JZZZZZZZZZZZZZZZZZZZZZZZ","identity":{"subject":"u_jane","launcher":"user:u_jane"},"runner":"vexa","workspaces":[{"id":"a","mode":"rx"}],"trigger":"message","start":{"entrypoint":{"inline":"hi"}}}`
	t.Log(contract.Validate("unit.v1", []byte(u)))
}

func BenchmarkFrame(b *testing.B) {
	f := []byte(`{"seq":1,"ts":"2026-01-02T03:04:05Z","unit":"01JZZZZZZZZZZZZZZZZZZZZZZZ","source":"agent","agentSeq":3,"type":"message","text":"x"}`)
	b.ReportAllocs()
	for b.Loop() {
		if err := contract.Validate("ws.v1#Frame", f); err != nil {
			b.Fatal(err)
		}
	}
}
