package plain_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/vexa-ai/vexa/pkg/cli/plain"
)

func TestText(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ in, want string }{
		"plain text stays":              {"déjà vu\t漢字\nnext", "déjà vu\t漢字\nnext"},
		"colours":                       {"\x1b[1;31mred\x1b[0m", "red"},
		"cursor and erase":              {"a\x1b[2J\x1b[1;1Hb", "ab"},
		"clipboard by OSC 52, BEL":      {"x\x1b]52;c;ZXZpbA==\ay", "xy"},
		"title by OSC 0, ST":            {"x\x1b]0;title\x1b\\y", "xy"},
		"hyperlink keeps its text":      {"\x1b]8;;http://e\x1b\\link\x1b]8;;\x1b\\", "link"},
		"DCS":                           {"x\x1bP1$r0m\x1b\\y", "xy"},
		"C1 CSI":                        {"x\u009b31my", "xy"},
		"C1 OSC":                        {"x\u009d0;t\u009cy", "xy"},
		"charset switch":                {"x\x1b(0y", "xy"},
		"carriage return":               {"good\rbad\r\nline", "good\nbad\nline"},
		"a progress bar":                {"\r10%\r\x1b[K20%\r\r\r\n\rdone\r", "10%\n20%\ndone"},
		"a return within a sequence":    {"10%\x1b[\r20%\x1b\r30%", "10%\n20%\n30%"},
		"an accent after a return":      {"e\r\u0301\rx", "e\n\u0301\nx"},
		"a joiner after a return":       {"👩\r\u200d💻", "👩\n💻"},
		"backspace, bell, DEL, NUL":     {"a\bb\ac\x7fd\x00e", "abcde"},
		"bidi override":                 {"a\u202etxt.exe\u202c", "atxt.exe"},
		"bidi isolate and mark":         {"\u2066a\u2069\u200f\u061cb", "ab"},
		"line separator":                {"a\u2028b", "ab"},
		"tags":                          {"a\U000e0041b", "ab"},
		"letters that nobody sees":      {"pay\u200bpal\u2060 \u00ad\u3164\ufeffx", "paypal x"},
		"joiners between ASCII":         {"pass\u200dwo\u200crd", "password"},
		"joiners of a script stay":      {"می\u200cخواهم क्\u200dष", "می\u200cخواهم क्\u200dष"},
		"one joiner at a time":          {"👩\u200d\u200d💻", "👩\u200d💻"},
		"selectors stay":                {"❤\ufe0f #\ufe0f\u20e3 葛\U000e0100", "❤\ufe0f #\ufe0f\u20e3 葛\U000e0100"},
		"bytes in selectors":            {"a\ufe01\ufe02\U000e0101\U000e0102b", "a\ufe01b"},
		"a selector of nothing":         {"\ufe0fa \ufe0f", "a "},
		"accents":                       {"e\u0301 ệ בְּרֵאשִׁית", "e\u0301 ệ בְּרֵאשִׁית"},
		"a pile of accents":             {"e" + strings.Repeat("\u0301", 100) + "x", "e" + strings.Repeat("\u0301", 8) + "x"},
		"a pile around what is dropped": {"e" + strings.Repeat("\u0301", 8) + "\x7f\u0301", "e" + strings.Repeat("\u0301", 8)},
		"joined emoji stay":             {"👩\u200d💻", "👩\u200d💻"},
		"not UTF-8":                     {"a\xffb\x9bc", "a\ufffdb\ufffdc"},
		"a lone C1 byte is no CSI":      {"a\x9b31mb", "a\ufffd31mb"},
		"unfinished sequence":           {"a\x1b[3", "a"},
		"unfinished string ends at \\n": {"a\x1b]0;evil\nb", "a\nb"},
		"escape within a sequence":      {"a\x1b[3\x1b[1mb", "ab"},
		"escape within a string":        {"a\x1b]0;x\x1b[1mb", "ab"},
		"cut character":                 {"a\xe6\xbc", "a\ufffd"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := plain.Text(c.in); got != c.want {
				t.Errorf("Text(%q) = %q, want %q", c.in, got, c.want)
			}
		})
	}
}

// A line of a patch stays one, whatever it holds: its beginning says what it is.
func TestPatch(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"+a\r-b\n":              "+a␍-b\n",
		"+a\r@@ -1 +1 @@\r\n b": "+a␍@@ -1 +1 @@\n b",
		"+a\x1b[\r-b\r":         "+a-b␍",
		"+\x1b[31ma\n":          "+a\n",
		"+a\r\r\n":              "+a␍\n",
	} {
		if got := plain.Patch(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestLineAndShort(t *testing.T) {
	t.Parallel()
	if got := plain.Line("a\nb\tc\x1b[0m"); got != "a b c" {
		t.Errorf("Line = %q", got)
	}
	for n, want := range map[int]string{20: "one two three", 10: "one two...", 3: "one", 0: ""} {
		if got := plain.Short("one\ntwo three", n); got != want {
			t.Errorf("Short(%d) = %q, want %q", n, got, want)
		}
	}
}

func TestJSONKeepsTheValue(t *testing.T) {
	t.Parallel()
	in := map[string]any{"a": "x\u009b1m\u202ey\u2028\x7f\U000e0041", "b": []any{"ok", 1.5}, "c": "x\u200d\u200by\u0301"}
	data, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	out := plain.JSON(data)
	if plain.Text(string(out)) != string(out) {
		t.Errorf("unsafe characters remain in %q", out)
	}
	var back map[string]any
	if err := json.Unmarshal(out, &back); err != nil || !reflect.DeepEqual(back, in) {
		t.Errorf("value changed to %q (%v)", back, err)
	}
}

func TestWriterSeesSplitSequences(t *testing.T) {
	t.Parallel()
	in := "a\x1b]52;c;ZXZ\x1b\\b\u202e漢\x1b[31mc\r\u009b1md\r\n"
	want := plain.Text(in)
	for size := 1; size < len(in); size++ {
		var buf bytes.Buffer
		w := plain.NewWriter(&buf)
		for rest := in; rest != ""; {
			n := min(size, len(rest))
			if _, err := w.Write([]byte(rest[:n])); err != nil {
				t.Fatal(err)
			}
			rest = rest[n:]
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if buf.String() != want {
			t.Errorf("pieces of %d: %q, want %q", size, buf.String(), want)
		}
	}
}

func FuzzText(f *testing.F) {
	for _, s := range []string{"", "plain", "\x1b[31m", "\x1b]52;c;x\a", "\u009b1m", "\u202e", "a\xff\xe6\xbc", "\x1b\x1bP\x1b\\", "👩\u200d💻\ufe0f", "a\u200d\u0301\u200b\U000e0101", strings.Repeat("\u0301", 20), "10%\r20%\r\n\r\x1b[K\r"} {
		f.Add(s, uint8(1))
	}
	f.Fuzz(func(t *testing.T, s string, cut uint8) {
		out := plain.Text(s)
		if !utf8.ValidString(out) {
			t.Fatalf("Text(%q) is not UTF-8: %q", s, out)
		}
		if i := strings.IndexFunc(out, func(r rune) bool {
			return r != '\n' && r != '\t' && (r < ' ' || r >= 0x7f && r <= 0x9f || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069)
		}); i >= 0 {
			t.Fatalf("Text(%q) keeps %q", s, out[i:])
		}
		if again := plain.Text(out); again != out {
			t.Fatalf("not idempotent: %q, then %q", out, again)
		}
		quoted, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		shown := plain.JSON(quoted)
		if plain.Text(string(shown)) != string(shown) {
			t.Fatalf("JSON(%q) is not safe: %q", quoted, shown)
		}
		var value, want string
		if json.Unmarshal(shown, &value) != nil || json.Unmarshal(quoted, &want) != nil || value != want {
			t.Fatalf("JSON(%q) has another value: %q", quoted, shown)
		}
		if got := plain.Patch(s); strings.Count(got, "\n") != strings.Count(s, "\n") || plain.Text(got) != got {
			t.Fatalf("Patch(%q) = %q", s, got)
		}
		var filter plain.Filter
		n := min(int(cut), len(s))
		split := filter.Append(filter.Append(nil, []byte(s[:n])), []byte(s[n:]))
		if split = filter.Flush(split); string(split) != out {
			t.Fatalf("cut at %d: %q, want %q", n, split, out)
		}
	})
}

func BenchmarkTextClean(b *testing.B) {
	s := strings.Repeat("an ordinary line of a reply, with ünïcödé\n", 100)
	b.SetBytes(int64(len(s)))
	for b.Loop() {
		_ = plain.Text(s)
	}
}
