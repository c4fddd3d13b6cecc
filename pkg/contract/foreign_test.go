package contract_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/vexa-ai/vexa/pkg/contract"
	"github.com/vexa-ai/vexa/pkg/fault"
)

// A schema of somebody else's is held to as ours are, and reaches nothing.
func TestForeignSchema(t *testing.T) {
	t.Parallel()
	s, err := contract.CompileSchema("arguments", json.RawMessage(`{
		"type":"object","required":["to"],"additionalProperties":false,
		"properties":{"to":{"$ref":"#/$defs/name"},"how":{"oneOf":[{"const":"a"},{"type":"integer"}]}},
		"$defs":{"name":{"type":"string","pattern":"^[a-z]+$"}}}`))
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		`{"to":"jane"}`:           "",
		`{"to":"jane","how":7}`:   "",
		`{}`:                      "required",
		`{"to":"s3cret!"}`:        "pattern",
		`{"to":1}`:                "type",
		`{"to":"a","more":1}`:     "additionalProperties",
		`{"to":"a","to":"b"}`:     "json",
		`{"to":"a"`:               "json",
		`{"to":"jane","how":"b"}`: "const",
	} {
		err := s.Validate([]byte(text))
		var broken *contract.Error
		switch {
		case want == "" && err != nil:
			t.Errorf("%s: %v", text, err)
		case want != "" && (!fault.Is(err, fault.Invalid) || !errors.As(err, &broken) || broken.Contract != "arguments" || strings.Contains(err.Error(), "s3cret")):
			t.Errorf("%s: %v", text, err)
		case want != "" && want != "const" && broken.Rule != want:
			t.Errorf("%s: rule %s, want %s", text, broken.Rule, want)
		}
	}
	for name, schema := range map[string]string{
		"no JSON": `{`, "no object": `[]`, "a broken one": `{"type":1}`, "elsewhere": `{"$ref":"https://example.com/s"}`,
		"a file": `{"$ref":"file:///etc/passwd"}`, "ours": `{"$ref":"https://vexa.ai/schemas/unit.v1"}`, "of no draft": `{"$schema":"https://example.com/s"}`,
		"twice": `{"type":"object","type":"string"}`,
	} {
		if _, err := contract.CompileSchema("arguments", json.RawMessage(schema)); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
