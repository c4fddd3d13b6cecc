package jsoncut_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/vexa-ai/vexa/pkg/internal/jsoncut"
)

func validSeeds() []string {
	var long []string // what ends or breaks a string, at each place of a word of eight bytes
	for i := range 20 {
		for _, c := range []string{"\x00", "\x1f", " ", "!", `"`, "#", "[", `\`, `\n`, "]", "\x7f", "\x80", "\xa2", "\xdc", "\xff", "é"} {
			long = append(long, `"`+strings.Repeat("a", i)+c+strings.Repeat("b", 19-i)+`"`)
		}
	}
	nested := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	return append(long,
		``, ` `, `{}`, ` [ ] `, `{"a":1}`, `{"a":1,}`, `{"a":}`, `{"a"}`, `{a:1}`, `{"a":1 "b":2}`, `{,}`, `[,]`, `[1,]`, `[1 2]`, `[1,[2,{"x":[]}]]`, `]`, `}`, `[}`, `{]`, `[`, `{`, `{"a":1`,
		`"`, `"a`, `"a"`, `"\`, `"\"`, `"\n\u00e9\\"`, `"\x"`, `"\u12g4"`, `"\u123"`, "\"\n\"", "\"\x00\"", "\"\x7f\xff\"", `"a" "b"`, `1 2`, `null`, `nul`, `nulll`, `true`, `fals`, `NaN`,
		`0`, `-0`, `-`, `01`, `1.`, `.5`, `1.5e`, `1e5`, `1E+05`, `1e-`, `-1.25e-7`, `+1`, `1 `, `{"a":{"b":[{"c":"}"}]}}`, nested(10_000), nested(10_001), "\ufeff{}", "{}\x00", `{"a":1}}`,
	)
}

// TestValid: what is JSON to one is to the other.
func TestValid(t *testing.T) {
	t.Parallel()
	for _, s := range validSeeds() {
		if got, want := jsoncut.Valid([]byte(s)), json.Valid([]byte(s)); got != want {
			t.Errorf("%.60q: %t, want %t", s, got, want)
		}
	}
}

func FuzzValid(f *testing.F) {
	for _, s := range validSeeds() {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if got, want := jsoncut.Valid(data), json.Valid(data); got != want {
			t.Fatalf("%q: %t, want %t", data, got, want)
		}
	})
}

// BenchmarkValid compares with encoding/json's, over text as requests have it.
func BenchmarkValid(b *testing.B) {
	text := []byte(`{"messages":[` + strings.Repeat(`{"role":"user","content":"`+strings.Repeat("some words of a prompt, ", 40)+`\n"},`, 80) + `null]}`)
	for name, valid := range map[string]func([]byte) bool{"jsoncut": jsoncut.Valid, "encoding-json": json.Valid} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				if !valid(text) {
					b.Fatal("it is valid")
				}
			}
		})
	}
}
