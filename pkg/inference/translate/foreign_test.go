package translate

import (
	"testing"

	"github.com/vexa-ai/vexa/pkg/inference"
)

func TestNative(t *testing.T) {
	t.Parallel()
	from := func(origin, to inference.Protocol) string {
		return string(marshal(Opaque{Origin: origin, Data: "c2ln"}.carry(to)))
	}
	theirs := from(ownResponses, ownMessages)
	signed := string(marshal(geminiSignature(Opaque{Origin: ownMessages, Data: "c2ln"})))
	for _, c := range []struct {
		protocol   inference.Protocol
		list, want string
		dropped    int
	}{
		{ownMessages, `[ {"role":"user","content":"say \"vexa:"} ]`, `[{"role":"user","content":"say \"vexa:"}]`, 0},
		{
			ownMessages,
			`[{"role":"assistant","content":[{"type":"thinking","thinking":"a","signature":` + theirs + `},{"type":"text","text":"b"}],"x":1},{"role":"assistant","content":[{"type":"redacted_thinking","data":` + theirs + `}]}]`,
			`[{"role":"assistant","content":[{"type":"text","text":"b"}],"x":1}]`, 2,
		},
		{
			ownMessages,
			`[{"role":"assistant","content":[{"type":"thinking","thinking":"a","signature":"own"},{"type":"text","text":"\"vexa:"}]}]`,
			`[{"role":"assistant","content":[{"type":"thinking","thinking":"a","signature":"own"},{"type":"text","text":"\"vexa:"}]}]`, 0,
		},
		{
			ownResponses,
			`[{"type":"reasoning","encrypted_content":` + from(ownMessages, ownResponses) + `},{"type":"reasoning","encrypted_content":"own"},{"type":"message","content":"\"vexa:"}]`,
			`[{"type":"reasoning","encrypted_content":"own"},{"type":"message","content":"\"vexa:"}]`, 1,
		},
		{ownResponses, `"just \"vexa:"`, `"just \"vexa:"`, 0},
		{
			ownGemini,
			`[{"role":"model","parts":[{"text":"a","thoughtSignature":` + signed + `},{"functionCall":{"name":"t"},"thoughtSignature":` + signed + `},{"text":"b","thoughtSignature":"b3du"},"x"]},{"role":"user"},"x"]`,
			`[{"role":"model","parts":[{"text":"a"},{"functionCall":{"name":"t"},"thoughtSignature":"skip_thought_signature_validator"},{"text":"b","thoughtSignature":"b3du"},"x"]},{"role":"user"},"x"]`, 2,
		},
		{ownGemini, `[ {"parts":[{"text":"dmV4YT"}]} ]`, `[{"parts":[{"text":"dmV4YT"}]}]`, 0},
		{ownChat, `[{"role":"user","content":"\"vexa:"}]`, `[{"role":"user","content":"\"vexa:"}]`, 0},
	} {
		got, dropped := Native(c.protocol, "gemini-3-pro", []byte(c.list))
		if string(got) != c.want || dropped != c.dropped {
			t.Errorf("%s became %s, without %d; want %s, without %d", c.list, got, dropped, c.want, c.dropped)
		}
	}
}
