package contract

import (
	"errors"
	"testing"

	"github.com/vexa-ai/vexa/pkg/contract/ijson"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/schemas"
)

// TestBranchesDecideAsTheWholeDoes: a branch by itself settles every valid
// example of a choice, and nothing else.
func TestBranchesDecideAsTheWholeDoes(t *testing.T) {
	t.Parallel()
	parts, err := Open(schemas.FS)
	if err != nil {
		t.Fatal(err)
	}
	whole, err := Open(schemas.FS)
	if err != nil {
		t.Fatal(err)
	}
	whole.plain = true
	settled := map[string]int{}
	examples(t, func(name, _, file string, data []byte) {
		v, err := ijson.Parse(data)
		if err != nil {
			return
		}
		shapes, err := parts.Shapes(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, shape := range shapes {
			id := name + "#" + shape
			got := parts.settled(id, v)
			if b := parts.each[name].branches[shape]; b == nil || b.member == "" {
				if got {
					t.Errorf("%s: %s is no choice, and yet settled", file, id)
				}
				continue
			}
			if want := whole.Validate(id, data) == nil; got != want {
				t.Errorf("%s as %s: settled %v, want %v", file, id, got, want)
			}
			if got {
				settled[id]++
			}
		}
	})
	for _, id := range []string{"ws.v2#Frame", "ws.v2#AgentFrame", "ws.v2#Report", "ws.v2#Input"} {
		if settled[id] == 0 {
			t.Errorf("no example was settled by a branch of %s", id)
		}
	}
}

// TestAFrameCompilesItsBranchAlone: who reads one frame does not wait for the
// schemas of all the others.
func TestAFrameCompilesItsBranchAlone(t *testing.T) {
	t.Parallel()
	s, err := Open(schemas.FS)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Validate("ws.v2#Frame", []byte(frameText)); err != nil {
		t.Fatal(err)
	}
	if c := s.each["ws.v2"].compiled; len(c) != 1 || c["Frame"] != nil {
		t.Errorf("compiled %d definitions, the whole shape among them: %v", len(c), c["Frame"] != nil)
	}
	if err := s.Validate("ws.v2#messageDeltaFrame", []byte(frameText)); !fault.Is(err, fault.NotFound) {
		t.Errorf("a part of a shape: %v, want none of that name", err)
	}
	err = s.Validate("ws.v2#Frame", []byte(`{"type":"message-delta"}`))
	if broken, ok := errors.AsType[*Error](err); !ok || broken.Shape != "Frame" {
		t.Errorf("a broken frame: %v, want what is wrong with the Frame", err)
	}
}

// BenchmarkFirstFrame is what the first frame of a process costs, and of each
// type that it meets.
func BenchmarkFirstFrame(b *testing.B) {
	for b.Loop() {
		s, err := Open(schemas.FS)
		if err != nil {
			b.Fatal(err)
		}
		if err := s.Validate("ws.v2#Frame", []byte(frameText)); err != nil {
			b.Fatal(err)
		}
	}
}
