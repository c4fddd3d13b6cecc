package translate

import (
	"strings"
	"testing"

	"github.com/vexa-ai/vexa/pkg/inference"
)

// said is what an answer says, item by item.
func said(a Answer) string {
	var b strings.Builder
	for _, item := range a.Items {
		b.WriteString(string(item.Kind) + ":" + item.Text + item.Call.Name + item.Call.Arguments + "\n")
	}
	return b.String()
}

// What is read of a stream is what its translation is made of, and what is read
// of its beginning is the beginning of that.
func TestRead(t *testing.T) {
	t.Parallel()
	for _, in := range inputs(t, "streams", ".sse") {
		t.Run(in.name+" "+string(in.protocol), func(t *testing.T) {
			t.Parallel()
			var c collector
			broken := false
			opts := options()
			opts.Observe = func(e *Event) { c.add(*e); broken = broken || e.Kind == Failure }
			client := protocols()[0]
			if client == in.protocol {
				client = protocols()[1]
			}
			tr, err := New(client, in.protocol, []byte(`{"model":"m","stream":true,"max_tokens":1,"messages":[{"role":"user","content":"x"}],"input":"x"}`), opts)
			if err != nil {
				t.Fatal(err)
			}
			s := tr.Stream()
			_, werr := s.Write(in.data)
			_, cerr := s.Close()
			got, err := Read(in.protocol, in.data)
			if werr == nil && cerr == nil && !broken {
				if want := said(c.answer); err != nil || said(got) != want {
					t.Errorf("read\n%s(%v), want\n%s", said(got), err, want)
				}
			}
			for n := 0; n < len(in.data); n += 97 {
				part, _ := Read(in.protocol, in.data[:n]) // it is cut in the middle of an event
				if len(part.Items) > len(got.Items) {
					t.Errorf("%d bytes say more than all of it", n)
				}
			}
		})
	}
}

func TestReadWhole(t *testing.T) {
	t.Parallel()
	a, err := Read(inference.OpenAIChat, []byte(` {"choices":[{"message":{"role":"assistant","content":"hello"},"finish_reason":"stop"}]}`))
	if err != nil || said(a) != "text:hello\n" {
		t.Errorf("%q, %v", said(a), err)
	}
	for _, body := range []string{"{", `{"choices":[]`} {
		if _, err := Read(inference.OpenAIChat, []byte(body)); err == nil {
			t.Errorf("%q was read", body)
		}
	}
	if _, err := Read(inference.Gemini, []byte(`{}`)); err == nil {
		t.Error("gemini was read")
	}
}
