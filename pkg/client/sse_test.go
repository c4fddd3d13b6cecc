package client

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func readAll(r io.Reader) (events []event, err error) {
	er := newEventReader(r)
	for {
		ev, err := er.next()
		if err != nil {
			return events, err
		}
		events = append(events, ev)
	}
}

func TestEventReader(t *testing.T) {
	t.Parallel()
	in := ": comment\n\nid: 1\ndata: a\n\ndata:b\r\ndata: c\r\n\r\nevent: x\nretry: 5\n\nid\ndata: d\n\nid: 9\ndata: unfinished"
	events, err := readAll(iotest.OneByteReader(strings.NewReader(in)))
	if !errors.Is(err, io.EOF) {
		t.Errorf("error %v", err)
	}
	want := []event{{"1", []byte("a")}, {"1", []byte("b\nc")}, {"", []byte("d")}}
	if len(events) != len(want) {
		t.Fatalf("%d events: %q", len(events), events)
	}
	for i := range want {
		if events[i].id != want[i].id || string(events[i].data) != string(want[i].data) {
			t.Errorf("event %d is %q, want %q", i, events[i], want[i])
		}
	}
}

func FuzzEventReader(f *testing.F) {
	for _, s := range []string{"", "data: x\n\n", "id: 1\ndata: {}\n\n", ":\n\n\n", "data\r\n\r\n", "id: \x00\ndata: a\n\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, errA := readAll(strings.NewReader(s))
		b, errB := readAll(iotest.HalfReader(strings.NewReader(s)))
		if len(a) != len(b) || (errA == nil) != (errB == nil) {
			t.Fatalf("%d events or %d, by how %q arrives", len(a), len(b), s)
		}
		for i := range a {
			if strings.ContainsAny(a[i].id, "\n\x00") || string(a[i].data) != string(b[i].data) {
				t.Fatalf("event %q, %q", a[i], b[i])
			}
		}
	})
}
