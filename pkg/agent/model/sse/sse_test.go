package sse_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vexa-ai/vexa/pkg/agent/model/sse"
)

type event struct{ Type, Data string }

func read(tb testing.TB, in string) []event {
	tb.Helper()
	var out []event
	if err := sse.Read(strings.NewReader(in), func(e sse.Event) (bool, error) {
		out = append(out, event{e.Type, string(e.Data)})
		return true, nil
	}); err != nil {
		tb.Fatal(err)
	}
	return out
}

func TestRead(t *testing.T) {
	t.Parallel()
	in := ": comment\nevent: a\ndata: one\ndata:two\nid: 7\n\n" +
		"data: crlf\r\n\r\n" + "event: no data\n\n" + "data\n\n" + "data:  two spaces\n\n" + "data: unfinished"
	want := []event{{"a", "one\ntwo"}, {"", "crlf"}, {"", ""}, {"", " two spaces"}}
	if diff := cmp.Diff(want, read(t, in)); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	long := strings.Repeat("x", 1<<20)
	if got := read(t, "data: "+long+"\n\n"); len(got) != 1 || got[0].Data != long {
		t.Error("a long event does not arrive whole")
	}
}

func TestEndlessLineIsRefused(t *testing.T) {
	t.Parallel()
	err := sse.Read(endless{}, func(sse.Event) (bool, error) { return true, nil })
	if err == nil || !strings.Contains(err.Error(), "over") {
		t.Errorf("got %v", err)
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}

func TestParse(t *testing.T) {
	t.Parallel()
	for body, want := range map[string][2]string{
		`{"type":"error","error":{"type":"invalid_request_error","message":"m"}}`: {"invalid_request_error", "m"},
		`{"error":{"message":"m","type":"t","code":"c"}}`:                         {"c", "m"},
		`{"error":{"message":"m","type":"t","code":500}}`:                         {"t", "m"},
		`{"error":"m"}`:   {"", "m"},
		`{"message":"m"}`: {"", "m"},
		"plain\n":         {"", "plain"},
		"":                {"", ""},
	} {
		e := sse.Parse([]byte(body))
		if got := [2]string{e.Code, e.Msg}; got != want {
			t.Errorf("%s gives %q, want %q", body, got, want)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add("event: a\ndata: x\n\n")
	f.Add("data\r\n\r\n:")
	f.Fuzz(func(t *testing.T, in string) {
		for _, e := range read(t, in) {
			if strings.ContainsAny(e.Type, "\n") {
				t.Fatalf("type %q", e.Type)
			}
		}
		_ = sse.Parse([]byte(in))
	})
}
