package wirejson_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/vexa-ai/vexa/pkg/internal/wirejson"
)

// FuzzAgain: however values follow each other, each is what encoding/json reads.
func FuzzAgain(f *testing.F) {
	event := func(text, more string) string {
		return `{"id":"x","seq":12,"self":{"each":[{"n":3,"text":` + text + `}],"text":"b"},"other":"` + more + `","raw":{"a":1},"strange":"` + more + `"}`
	}
	for _, c := range [][3]string{
		{event(`"a"`, "p"), event(`"b c"`, "q"), event(`"\n\u00e9 é\\"`, "r")},
		{event(`"a"`, "p"), event(`"b"`, "p"), event(`5`, "p")},
		{event(`"a"`, "p"), event(`""`, "p"), event("\"\xff\"", "p")},
		{`{"n":1,"text":"a"}`, `{"n":2,"text":"a"}`, `{"n":30,"text":"a"}`},
		{`{"strange":1,"text":"a"}`, `{"strange":20,"text":"a"}`, `{"strange":-3.5e1,"text":"a"}`},
		{`{"strange":1}`, `{"strange":2}`, `{"strange":01}`},
		{`{"strange":0}`, `{"strange":1}`, `{"strange":-}`},
		{`{"text":"a","text":"b"}`, `{"text":"b","text":"c"}`, `{"text":"c","text":"d"}`},
		{`{"n":1,"n":2}`, `{"n":2,"n":2}`, `{"n":1.5,"n":2}`},
		{`{"text":"a","Text":"b"}`, `{"text":"b","Text":"b"}`, `{"text":"c","Text":"b"}`},
		{`{"text":"0"}`, `{"text":"00"}`, `{"text":"000"}`},
		{`{"text":"a","words":["a","b"]}`, `{"text":"b","words":["b","b"]}`, `{"text":"b","words":["b","c"]}`},
		{`{"a":"x"}`, `{"b":"x"}`, `{"text":"x"}`},
		{`{"number":1}`, `{"number":2}`, `{"number":"3"}`},
		{`{"either":"a"}`, `{"either":"b"}`, `{"either":"c"}`},
		{`{"maybe":"a","raw":"x"}`, `{"maybe":"b","raw":"y"}`, `{"maybe":"c","raw":"z"}`},
		{`{"any":"a","map":{"x":"a"}}`, `{"any":"b","map":{"x":"b"}}`, `{"any":"c","map":{"x":"c"}}`},
		{`{"bytes":"YQ=="}`, `{"bytes":"Yg=="}`, `{"bytes":"-"}`},
		{`{"quoted":{"n":"1"}}`, `{"quoted":{"n":"2"}}`, `{"quoted":{"n":"x"}}`},
		{`"a"`, `"b"`, `"c"`},
		{``, `{`, `1`},
		{`{"text":"` + strings.Repeat("a", 5000) + `"}`, `{"text":"b"}`, `{"text":"c"}`},
	} {
		f.Add([]byte(c[0]), []byte(c[1]), []byte(c[2]))
	}
	f.Fuzz(func(t *testing.T, a, b, c []byte) {
		var again wirejson.Again[every]
		for _, data := range [][]byte{a, b, a, b, a, c, b, a, c, c, b, c, b} {
			var want every
			wantErr := json.Unmarshal(data, &want)
			text := append([]byte(nil), data...)
			got, err := again.Read(text)
			for i := range text {
				text[i] = 'x'
			}
			if fmt.Sprint(err) != fmt.Sprint(wantErr) || !reflect.DeepEqual(*got, want) {
				t.Fatalf("%q, after %q and %q, is\n%+v (%v), not\n%+v (%v)", data, a, b, want, wantErr, *got, err)
			}
		}
	})
}

// TestAgain: of a value that is like those before nothing is made but its text.
func TestAgain(t *testing.T) {
	var again wirejson.Again[every]
	data := func(n int) []byte {
		return fmt.Appendf(nil, `{"text":"words %d","n":3,"in":{"a":"b"},"strange":[%d,"x%d"],"each":[{"text":"a"}]}`, n, n, n)
	}
	for n := range 8 {
		if v, err := again.Read(data(n)); err != nil || v.Text != fmt.Sprint("words ", n) || v.Each[0].Text != "a" {
			t.Fatalf("%s: %+v, %v", data(n), v, err)
		}
	}
	another := data(9)
	like := testing.AllocsPerRun(100, func() { _, _ = again.Read(another) })
	anew := testing.AllocsPerRun(100, func() { _ = wirejson.Unmarshal(another, new(every)) })
	if like > 1 || anew < 4 {
		t.Errorf("it takes %v allocations, and %v to read it anew", like, anew)
	}
}

// BenchmarkAgain compares reading an event that is like the one before with reading it anew.
func BenchmarkAgain(b *testing.B) {
	var events [][]byte
	for i := range 64 {
		events = append(events, fmt.Appendf(nil, `{"text":"some words %d","n":3,"in":{"a":"b"},"each":[{"n":1,"text":"x\ny"}],"strange":{"a":[%d,2]}}`, i, i))
	}
	b.Run("again", func(b *testing.B) {
		var again wirejson.Again[every]
		for i := 0; b.Loop(); i++ {
			if v, err := again.Read(events[i%len(events)]); err != nil || v.Text == "" {
				b.Fatal(err)
			}
		}
	})
	b.Run("anew", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			var v every
			if err := wirejson.Unmarshal(events[i%len(events)], &v); err != nil || v.Text == "" {
				b.Fatal(err)
			}
		}
	})
}
