package ijson_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vexa-ai/vexa/pkg/contract/ijson"
)

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, in, pointer, msg string }{
		{"empty", ``, "", "ends too early"},
		{"cut short", `{"a":[1,`, "/a/1", "ends too early"},
		{"two values", `1 2`, "", "followed by more data"},
		{"member twice", `{"a":{"b":1,"b":2}}`, "/a/b", "given twice"},
		{"member twice by escape", `{"ab":1,"\u0061b":2}`, "/ab", "given twice"},
		{"pointer escaped", `{"x/y~":{"b":1,"b":2}}`, "/x~1y~0/b", "given twice"},
		{"not UTF-8", "\"\xff\"", "", "UTF-8"},
		{"high surrogate alone", `"\ud800"`, "", "surrogate"},
		{"low surrogate alone", `["\udc00"]`, "/0", "surrogate"},
		{"surrogates swapped", `"\udc00\ud800"`, "", "surrogate"},
		{"control character", "\"a\nb\"", "", "unexpected byte"},
		{"control character after escape", "\"\\n\x01\"", "", "unexpected byte"},
		{"unknown escape", `"\x41"`, "", "unexpected byte"},
		{"signed hex", `"\u+041"`, "", "unexpected byte"},
		{"leading zero", `[01]`, "", "unexpected byte"},
		{"bare point", `1.`, "", "ends too early"},
		{"plus", `+1`, "", "unexpected byte"},
		{"too large", `1e400`, "", "double cannot hold"},
		{"too small", `-1E-400`, "", "double cannot hold"},
		{"huge exponent", `1e999999999`, "", "double cannot hold"},
		{"integer rounded", `{"n":9007199254740993}`, "/n", "exactly"},
		{"long number", strings.Repeat("9", 500), "", "400 characters"},
		{"deep", strings.Repeat("[", 65) + strings.Repeat("]", 65), strings.Repeat("/0", 64), "nests deeper"},
		{"trailing comma", `[1,]`, "/1", "unexpected byte"},
		{"unquoted name", `{a:1}`, "", "unexpected byte"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := ijson.Parse([]byte(c.in))
			var syntax *ijson.SyntaxError
			if !errors.As(err, &syntax) {
				t.Fatalf("Parse(%.40q) = %v, want a SyntaxError", c.in, err)
			}
			if syntax.Pointer != c.pointer || !strings.Contains(syntax.Msg, c.msg) {
				t.Errorf("Parse(%.40q) = %q: %q, want %q: …%s…", c.in, syntax.Pointer, syntax.Msg, c.pointer, c.msg)
			}
			if err := ijson.Check([]byte(c.in), 0); err == nil || err.Error() != syntax.Msg {
				t.Errorf("Check(%.40q) = %v, want %s", c.in, err, syntax.Msg)
			}
		})
	}
}

func TestParseAccepts(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat("[", 64) + strings.Repeat("]", 64)
	for _, in := range []string{
		`null`, ` {"a" : [ true , false ] } `, `"\ud83d\ude00\u00e9\/\b"`, `-0`, `0e0`, `0.0e-999999`,
		`9007199254740992`, `-9007199254740994`, `1.7976931348623157e308`, deep,
	} {
		if _, err := ijson.Parse([]byte(in)); err != nil {
			t.Errorf("Parse(%.40q): %v", in, err)
		}
	}
}

// The numbers of RFC 8785, appendix B, by their IEEE 754 bits.
func TestCanonicalNumbers(t *testing.T) {
	t.Parallel()
	for bits, want := range map[uint64]string{
		0x0000000000000000: "0", 0x8000000000000000: "0",
		0x0000000000000001: "5e-324", 0x8000000000000001: "-5e-324",
		0x7fefffffffffffff: "1.7976931348623157e+308", 0xffefffffffffffff: "-1.7976931348623157e+308",
		0x4340000000000000: "9007199254740992", 0xc340000000000000: "-9007199254740992",
		0x4430000000000000: "295147905179352830000",
		0x44b52d02c7e14af5: "9.999999999999997e+22", 0x44b52d02c7e14af6: "1e+23", 0x44b52d02c7e14af7: "1.0000000000000001e+23",
		0x444b1ae4d6e2ef4e: "999999999999999700000", 0x444b1ae4d6e2ef4f: "999999999999999900000", 0x444b1ae4d6e2ef50: "1e+21",
		0x3eb0c6f7a0b5ed8c: "9.999999999999997e-7", 0x3eb0c6f7a0b5ed8d: "0.000001",
		0x41b3de4355555553: "333333333.3333332", 0x41b3de4355555557: "333333333.33333343",
		0xbecbf647612f3696: "-0.0000033333333333333333",
	} {
		f := math.Float64frombits(bits)
		got, err := ijson.Append(nil, json.Number(strconv.FormatFloat(f, 'g', -1, 64)))
		if err != nil || string(got) != want {
			t.Errorf("%#x: %s, %v; want %s", bits, got, err, want)
		}
	}
}

func TestCanonicalObject(t *testing.T) {
	t.Parallel()
	// RFC 8785, 3.2.3: sorted by UTF-16 code unit, so U+1F600 is before U+FB33.
	in := `{"\u20ac":"Euro Sign","\r":"Carriage Return","\ufb33":"Hebrew Letter Dalet With Dagesh","1":"One",
		"\ud83d\ude00":"Emoji: Grinning Face","\u0080":"Control","\u00f6":"Latin Small Letter O With Diaeresis"}`
	want := `{"\r":"Carriage Return","1":"One","` + "\u0080" + `":"Control","ö":"Latin Small Letter O With Diaeresis",` +
		`"€":"Euro Sign","😀":"Emoji: Grinning Face","` + "\ufb33" + `":"Hebrew Letter Dalet With Dagesh"}`
	got, err := ijson.Canonical([]byte(in))
	if err != nil || string(got) != want {
		t.Errorf("Canonical = %s, %v\nwant %s", got, err, want)
	}
	got, err = ijson.Canonical([]byte(`{"b":[56.0,{"d":true,"c":null}],"a":"\u20ac$\u000f\nA'\u0042\u0022\u005c\\\"\/"}`))
	if want := `{"a":"€$\u000f\nA'B\"\\\\\"/","b":[56,{"c":null,"d":true}]}`; err != nil || string(got) != want {
		t.Errorf("Canonical = %s, %v\nwant %s", got, err, want)
	}
}

func TestDigestIgnoresSpelling(t *testing.T) {
	t.Parallel()
	a, errA := ijson.Digest([]byte(`{"x":1.0,"y":"é"}`))
	b, errB := ijson.Digest([]byte(` { "y" : "\u00e9", "x" : 1 } `))
	if errA != nil || errB != nil || a != b {
		t.Errorf("digests %s (%v) and %s (%v) differ", a, errA, b, errB)
	}
}

// FuzzParse holds Parse against encoding/json: it accepts less, and what it
// accepts it reads the same; the canonical form reads the same and is stable.
func FuzzParse(f *testing.F) {
	for _, s := range []string{`{"a":[1,-2.5e3,"\u00e9\n",null,true]}`, `"\ud83d\ude00"`, `[[[]]]`, `{"a":1,"a":2}`, "\x00", `1e-7`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := ijson.Parse(data)
		if checked := ijson.Check(data, 0); (checked == nil) != (err == nil) {
			t.Fatalf("Parse says %v and Check %v of %q", err, checked, data)
		}
		if err != nil {
			return
		}
		dec := json.NewDecoder(bytes.NewReader(data))
		dec.UseNumber()
		var want any
		if err := dec.Decode(&want); err != nil {
			t.Fatalf("Parse accepts %q, encoding/json says %v", data, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("%q reads differently: %s", data, diff)
		}
		canonical, err := ijson.Append(nil, got)
		if err != nil {
			t.Fatal(err)
		}
		again, err := ijson.Canonical(canonical)
		if err != nil || !bytes.Equal(canonical, again) {
			t.Fatalf("canonical %q becomes %q, %v", canonical, again, err)
		}
	})
}

func BenchmarkParse(b *testing.B) {
	data := []byte(`{"seq":12,"ts":"2026-01-02T03:04:05.123Z","unit":"01JZZZZZZZZZZZZZZZZZZZZZZZ","source":"agent","agentSeq":3,"type":"message-delta","turn":"01JZZZZZZZZZZZZZZZZZZZZZZY","text":"a few words of an answer"}`)
	b.Run("ijson", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := ijson.Parse(data); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("encoding-json", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var v any
			if err := json.Unmarshal(data, &v); err != nil {
				b.Fatal(err)
			}
		}
	})
}
