package wirejson_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/vexa-ai/vexa/pkg/internal/wirejson"
)

// every has what wire types are made of.
type every struct {
	Text     string            `json:"text"`
	Maybe    *string           `json:"maybe,omitempty"`
	Yes      bool              `json:"yes,omitempty"`
	Perhaps  *bool             `json:"perhaps"`
	N        int               `json:"n,omitempty"`
	Long     *int64            `json:"long"`
	Real     float64           `json:"real,omitempty"`
	Small    int8              `json:"small,omitempty"`
	Raw      json.RawMessage   `json:"raw,omitempty"`
	RawPtr   *json.RawMessage  `json:"rawPtr"`
	Kind     word              `json:"kind,omitempty"`
	Either   either            `json:"either"`
	EitherP  *either           `json:"eitherP,omitempty"`
	Other    other             `json:"other"`
	OtherP   *other            `json:"otherP,omitempty"`
	Self     *every            `json:"self,omitempty"`
	Each     []every           `json:"each,omitempty"`
	Words    []string          `json:"words"`
	Pointers []*string         `json:"pointers,omitempty"`
	Map      map[string]string `json:"map,omitempty"`
	Any      any               `json:"any,omitempty"`
	Bytes    []byte            `json:"bytes,omitempty"`
	Number   json.Number       `json:"number,omitempty"`
	Array    [2]int            `json:"array"`
	In       struct {
		A string `json:"a"`
	} `json:"in"`
	Embedding embedding `json:"embedding"`
	Quoted    quoted    `json:"quoted"`
	Plain     string
	Left      string `json:"-"`
}

type word string

// either is a string or a list.
type either struct {
	text string
	all  []every
}

func (e *either) UnmarshalJSON(raw []byte) error {
	if raw[0] == '"' {
		return wirejson.Unmarshal(raw, &e.text)
	}
	return wirejson.Unmarshal(raw, &e.all)
}

func (e either) MarshalJSON() ([]byte, error) { return e.AppendJSON(nil) }

func (e either) AppendJSON(dst []byte) ([]byte, error) {
	if e.all == nil {
		return wirejson.AppendString(dst, e.text), nil
	}
	return wirejson.Append(dst, e.all)
}

// other is a string or a list that is read in the same pass.
type other struct{ either }

func (e *other) EitherJSON() (text *string, isText *bool, list any) {
	return &e.text, new(bool), &e.all
}

// embedding and quoted are of forms that are left to encoding/json.
type embedding struct {
	inner
	B string `json:"b"`
}

type inner struct {
	C string `json:"c"`
}

type quoted struct {
	N int `json:"n,string"`
}

func seeds() []string {
	return []string{
		`{}`, `null`, `[]`, `"a"`, `1`, `{`, ``, ` { "text" : "a" } `,
		`{"text":"é \u2028 \ud83d \n","maybe":null,"yes":true,"perhaps":false,"n":-3,"long":9223372036854775807,"real":1e21}`,
		`{"long":9223372036854775808}`, `{"n":1.5}`, `{"n":1e2}`, `{"small":300}`, `{"text":1}`, `{"yes":"x"}`, `{"perhaps":null,"maybe":"x"}`,
		`{"TEXT":"a"}`, `{"text":"a","Text":"b"}`, `{"text":"a","text":"b"}`, `{"te\u0078t":"a"}`, `{"wordſ":["a"]}`, `{"plain":"a","Plain":"b"}`,
		`{"raw":{"a" : [1, 2 ]},"rawPtr":null}`, `{"raw":null,"rawPtr":{ }}`, `{"either":"a","eitherP":[{"text":"b"}]}`, `{"either":null,"eitherP":null}`, `{"either":5}`,
		`{"other":"a\n","otherP":[ {"text":"b"} , null ]}`, `{"other":[],"otherP":null}`, `{"other":null}`, `{"other":5}`, `{"other":{"text":"a"}}`, "{\"other\":\"\xff\"}",
		`{"self":{"self":{"each":[{"n":1},null,{"words":["a",null]}]}}}`, `{"each":[],"words":[],"pointers":["a",null]}`, `{"words":{}}`, `{"self":[]}`,
		`{"map":{"a":"b"},"any":[1,{"x":null}],"bytes":"YQ==","number":12,"array":[1],"in":{"a":"b"},"embedding":{"b":"x","c":"y"},"quoted":{"n":"4"}}`,
		`{"Left":"b","-":"c"}`, "{\"text\":\"\xff\"}", `{"text":"<a href=\"x\">&</a>"}`, `{"any":"<&>\u2029"}`,
		strings.Repeat(`{"self":`, 40) + `{"text":"deep"}` + strings.Repeat(`}`, 40),
		strings.Repeat(`{"other":[`, 40) + `{"text":"deep"}` + strings.Repeat(`]}`, 40),
		strings.Repeat(`{"each":[`, 40) + `{"text":"deep"}` + strings.Repeat(`]}`, 40),
	}
}

// FuzzRead: what is read is what encoding/json reads, no part of it is the text that it
// was read from, and what is written of it is what encoding/json writes.
func FuzzRead(f *testing.F) {
	for _, s := range seeds() {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var want, got every
		wantErr := json.Unmarshal(data, &want)
		text := bytes.Clone(data)
		gotErr := wirejson.Unmarshal(text, &got)
		for i := range text {
			text[i] = 'x'
		}
		if fmt.Sprint(wantErr) != fmt.Sprint(gotErr) || !reflect.DeepEqual(want, got) {
			t.Fatalf("%q is\n%+v (%v), not\n%+v (%v)", data, want, wantErr, got, gotErr)
		}
		if wantErr != nil {
			return
		}
		for _, v := range []any{got, &got, []every{got}, map[string]any{"a": got}, got.Any, got.Each} {
			compare(t, v)
		}
	})
}

func compare(t *testing.T, v any) {
	t.Helper()
	var want bytes.Buffer
	enc := json.NewEncoder(&want)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		t.Fatal(err)
	}
	got, err := wirejson.Append([]byte("before"), v)
	if err != nil || string(got)+"\n" != "before"+want.String() {
		t.Fatalf("%q is written as\n%s (%v), not\n%s", v, got, err, want.String())
	}
}

// FuzzString: a text is written as encoding/json writes it.
func FuzzString(f *testing.F) {
	for _, s := range []string{"", "a", "<>&", "\u2028\u2029\ufffd", "\xff", "é\xc3", "\x00\x1f\x7f\"\\/\b\f\n\r\t", strings.Repeat("a", 30) + "\n" + strings.Repeat("é", 9)} {
		f.Add(s)
	}
	for c := range 256 { // each byte at each place of a word
		for i := range 9 {
			f.Add(strings.Repeat("a", i) + string([]byte{byte(c)}) + strings.Repeat("b", 9-i))
		}
	}
	f.Fuzz(compareText)
}

func compareText(t *testing.T, s string) { compare(t, s) }

// TestObjects: an object of anything is written as encoding/json writes it.
func TestObjects(t *testing.T) {
	t.Parallel()
	many := map[string]any{}
	for i := range 40 {
		many[fmt.Sprint(i)] = i
	}
	for _, v := range []any{
		map[string]any(nil),
		map[string]any{},
		many,
		map[string]any{"b": "<\n", "a\"\xff": nil, "é": []any{1, "x", map[string]any{"z": 1.5, "y": true}}, "": map[string]any(nil)},
		map[string]any{"in": &every{Text: "a"}, "list": []every{{N: 1}}, "raw": json.RawMessage(`{ "a" : 1 }`), "maps": []map[string]any{{"b": 1, "a": 2}}},
	} {
		compare(t, v)
	}
	if _, err := wirejson.Append(nil, map[string]any{"f": func() {}}); err == nil {
		t.Error("a function was written")
	}
}

// TestMembers: members are left where they stand, and what cannot be read as it is is
// not read at all.
func TestMembers(t *testing.T) {
	t.Parallel()
	var v every
	apart, ok := wirejson.Members([]byte(`{"text":"a","raw":{"b": 1},"strange":[1],"n":2}`), &v, []string{"raw", "maybe"})
	if !ok || v.Text != "a" || v.N != 2 || v.Raw != nil || string(apart[0]) != `{"b": 1}` || apart[1] != nil {
		t.Errorf("%+v %q %t", v, apart, ok)
	}
	for _, s := range []string{`{"text":"a","n":"b"}`, `{"text":"a","N":1}`, `{"text":"a","text":"a"}`, `[]`, `null`, ``} {
		v = every{}
		if apart, ok := wirejson.Members([]byte(s), &v, nil); ok || apart != nil || !reflect.DeepEqual(v, every{}) {
			t.Errorf("%s was read: %+v", s, v)
		}
	}
}

// TestBadRaw: what is no JSON is not written.
func TestBadRaw(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"", "{", "a\nb", "1 2"} {
		if got, err := wirejson.Append(nil, every{Raw: json.RawMessage(s), Words: []string{}, Number: "0"}); s != "" && err == nil {
			t.Errorf("%q is written: %s", s, got)
		}
	}
}

// TestAtOnce: types are studied by many at once, and what one reads never has anything
// of another's.
func TestAtOnce(t *testing.T) {
	t.Parallel()
	type fresh struct {
		Text  string   `json:"text"`
		Other *fresh   `json:"other"`
		Words []string `json:"words"`
	}
	var all sync.WaitGroup
	for i := range 16 {
		all.Go(func() {
			canary := fmt.Sprintf("canary-%d", i)
			data := fmt.Appendf(nil, `{"text":%q,"other":{"text":%q,"words":[%q]}}`, canary, canary, canary)
			for range 200 {
				var v fresh
				if err := wirejson.Unmarshal(data, &v); err != nil {
					t.Error(err)
					return
				}
				out, err := wirejson.Append(nil, v)
				if want := fmt.Sprintf(`{"text":%q,"other":{"text":%q,"other":null,"words":[%q]},"words":null}`, canary, canary, canary); err != nil || string(out) != want {
					t.Errorf("%s (%v), not %s", out, err, want)
					return
				}
			}
		})
	}
	all.Wait()
}

// BenchmarkRead compares with encoding/json's, over an event of a stream.
func BenchmarkRead(b *testing.B) {
	data := []byte(`{"text":"some words","n":3,"in":{"a":"b"},"each":[{"n":1,"text":"x\ny"}],"strange":{"a":[1,2]}}`)
	b.Run("wirejson", func(b *testing.B) {
		for b.Loop() {
			var v every
			if err := wirejson.Unmarshal(data, &v); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("encoding-json", func(b *testing.B) {
		for b.Loop() {
			var v every
			if err := json.Unmarshal(data, &v); err != nil {
				b.Fatal(err)
			}
		}
	})
}
