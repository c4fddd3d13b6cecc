package wsv2_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/contract"
	"github.com/vexa-ai/vexa/pkg/contract/wsv2"
)

// FuzzReport: whatever line a worker sends, it is refused, or a frame comes out
// of it that may stand on a topic as the agent's.
func FuzzReport(f *testing.F) {
	files, err := filepath.Glob("../../../schemas/ws.v2/golden/*.json")
	if err != nil || len(files) == 0 {
		f.Fatalf("no examples: %v", err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
		f.Add([]byte(`{"type":"frame","agentSeq":1,"turn":"01JDQ8Z5T6K3M9W2R4X7Y1A0BC","frame":` + string(data) + `}`))
	}
	for _, frame := range []string{
		`{"type":"message-delta","text":"a"}`, `{"type":"message","text":"\u0000\ud800"}`, `{"type":"commit","source":"host"}`,
		`{"type":"error","code":"x","message":"y","seq":1,"unit":"z"}`, `{"type":"tool-call","name":"n","id":"i","type":"commit"}`,
	} {
		f.Add([]byte(`{"type":"frame","agentSeq":1,"turn":"01JDQ8Z5T6K3M9W2R4X7Y1A0BC","frame":` + frame + `}`))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		r, err := contract.Decode[wsv2.Report]("ws.v2#Report", line)
		if err != nil || r.Type != wsv2.ReportFrame {
			return
		}
		body, err := wsv2.UnmarshalBody(r.Frame)
		if err != nil {
			t.Fatalf("the schema takes %s and the type does not: %v", r.Frame, err)
		}
		out, err := json.Marshal(wsv2.Frame{
			Seq: 1, TS: time.Unix(1_700_000_000, 0).UTC(), Unit: "01JDQ8Z5T6K3M9W2R4X7Y1A0BC", Source: wsv2.Agent,
			Turn: r.Turn, AgentSeq: r.AgentSeq, Body: body,
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := contract.Validate("ws.v2#Frame", out); err != nil {
			t.Errorf("%s becomes %s: %v", line, out, err)
		}
		switch body.FrameType() {
		case wsv2.TypeMessageDelta, wsv2.TypeMessage, wsv2.TypeReasoning, wsv2.TypeToolCall, wsv2.TypeToolResult, wsv2.TypePlan, wsv2.TypeOpaque, wsv2.TypeError:
		default:
			t.Errorf("an agent may report a frame of the type %s", body.FrameType())
		}
	})
}
