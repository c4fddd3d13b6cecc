package translate

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/vexa-ai/vexa/pkg/inference"
)

var update = flag.Bool("update", false, "rewrite the goldens")

// protocols are those that are translated.
func protocols() []inference.Protocol {
	return []inference.Protocol{ownMessages, ownResponses, ownChat, ownGemini}
}

// options make a translation that is the same at every run.
func options() Options { return Options{Model: "m", ID: "ID", Created: 1_700_000_000} }

// input is a file NAME.PROTOCOL.EXT of testdata.
type input struct {
	name     string
	protocol inference.Protocol
	data     []byte
}

func inputs(tb testing.TB, dir, ext string) []input {
	tb.Helper()
	var out []input
	for _, p := range protocols() {
		files, err := filepath.Glob(filepath.Join("testdata", dir, "*."+string(p)+ext))
		if err != nil || len(files) == 0 {
			tb.Fatal("no inputs", err)
		}
		for _, f := range files {
			data, err := os.ReadFile(f)
			if err != nil {
				tb.Fatal(err)
			}
			name, _, _ := strings.Cut(filepath.Base(f), ".")
			out = append(out, input{name, p, data})
		}
	}
	return out
}

// golden compares with testdata/DIR/NAME.FROM.to.TO.
func (in input) golden(t *testing.T, dir string, to inference.Protocol, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", dir, in.name+"."+string(in.protocol)+".to."+string(to)+".golden")
	if *update {
		if err := os.WriteFile(file, got, 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(want, got) {
		t.Errorf("%s is otherwise:\n%s", file, got)
	}
}

// A request in one protocol, as a provider of each other gets it, and what of it
// was left out.
func TestRequests(t *testing.T) {
	t.Parallel()
	for _, in := range inputs(t, "requests", ".json") {
		for _, to := range protocols() {
			if to == in.protocol {
				continue
			}
			tr, err := New(in.protocol, to, in.data, options())
			if err != nil {
				in.golden(t, "requests", to, []byte("refused: "+err.Error()+"\n"))
				continue
			}
			var out bytes.Buffer
			if err := json.Indent(&out, tr.Body(), "", "  "); err != nil {
				t.Fatal(err)
			}
			lost, err := json.Marshal(tr.Lost())
			if err != nil {
				t.Fatal(err)
			}
			in.golden(t, "requests", to, append(append(out.Bytes(), "\nleft out: "...), append(lost, '\n')...))
		}
	}
}

// asked is the request of a client of each protocol, with tools of every kind.
func asked(tb testing.TB, client inference.Protocol) []byte {
	tb.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "requests", "agent."+string(client)+".json"))
	if err != nil {
		tb.Fatal(err)
	}
	return data
}

func translation(tb testing.TB, client, provider inference.Protocol) *Translation {
	tb.Helper()
	body := asked(tb, client)
	tr, err := New(client, provider, body, options())
	if err != nil {
		tb.Fatal(err)
	}
	return tr
}

// answered translates a stream that comes in pieces of a size.
func answered(tr *Translation, data []byte, size int) []byte {
	var out []byte
	s := tr.Stream()
	for piece := range slices.Chunk(data, size) {
		got, err := s.Write(piece)
		out = append(out, got...)
		if err != nil {
			return append(out, s.Fail(err.Error())...)
		}
	}
	got, err := s.Close()
	out = append(out, got...)
	if err != nil {
		out = append(out, s.Fail(err.Error())...)
	}
	return out
}

// A provider's stream, as a client of each other protocol gets it, wherever it is
// cut on its way.
func TestStreams(t *testing.T) {
	t.Parallel()
	for _, in := range inputs(t, "streams", ".sse") {
		for _, to := range protocols() {
			if to == in.protocol {
				continue
			}
			want := answered(translation(t, to, in.protocol), in.data, len(in.data))
			in.golden(t, "streams", to, want)
			for size := 1; size < 32; size++ {
				if got := answered(translation(t, to, in.protocol), in.data, size); !bytes.Equal(got, want) {
					t.Fatalf("%s to %s in pieces of %d:\n%s", in.name, to, size, got)
				}
			}
		}
	}
}

// Events of nothing, by which servers keep a connection alive, change nothing.
func TestEmptyEvents(t *testing.T) {
	t.Parallel()
	for _, in := range inputs(t, "streams", ".sse") {
		kept := bytes.ReplaceAll(in.data, []byte("\n\n"), []byte("\n\ndata:\n\ndata: \ndata:\n\n"))
		for _, to := range protocols() {
			if to == in.protocol {
				continue
			}
			want := answered(translation(t, to, in.protocol), in.data, len(in.data))
			if got := answered(translation(t, to, in.protocol), kept, len(kept)); !bytes.Equal(got, want) {
				t.Errorf("%s to %s:\n%s", in.name, to, got)
			}
		}
	}
}

// An answer as a whole says what the same answer says as a stream.
func TestWholes(t *testing.T) {
	t.Parallel()
	for _, in := range inputs(t, "streams", ".sse") {
		if in.name != "turn" {
			continue
		}
		a := collected(t, in.protocol, in.data)
		body, err := codecOf(in.protocol).encodeAnswer(a, head{id: "ID", created: 1})
		if err != nil {
			t.Fatal(err)
		}
		for _, to := range protocols() {
			if to == in.protocol {
				continue
			}
			tr := translation(t, to, in.protocol)
			tr.stream = false
			got, err := tr.Answer(body)
			if err != nil {
				t.Fatal(err)
			}
			var out bytes.Buffer
			if err := json.Indent(&out, got, "", "  "); err != nil {
				t.Fatal(err)
			}
			in.name = "whole"
			in.golden(t, "streams", to, append(out.Bytes(), '\n'))
			in.name = "turn"
		}
	}
}

// collected reads a stream to its end.
func collected(tb testing.TB, p inference.Protocol, data []byte) *Answer {
	tb.Helper()
	var c collector
	var s sse
	r := codecOf(p).reader("ID")
	take := func(data []byte) error {
		events, err := r.read(data)
		for _, e := range events {
			c.add(e)
		}
		return err
	}
	if err := s.feed(data, take); err != nil {
		tb.Fatal(err)
	}
	for _, e := range r.end() {
		c.add(e)
	}
	return &c.answer
}
