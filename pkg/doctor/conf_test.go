package doctor

import (
	"slices"
	"strings"
	"testing"
)

func TestSetKeys(t *testing.T) {
	t.Parallel()
	want := []setting{{section: "engine", key: "runtime", value: "runc"}, {section: "engine", key: "events_logger", value: "file"}}
	for name, c := range map[string]struct{ in, out string }{
		"empty":             {"", "[engine]\nevents_logger = \"file\"\nruntime = \"runc\"\n"},
		"other section":     {"[network]\nx = 1\n", "[network]\nx = 1\n\n[engine]\nevents_logger = \"file\"\nruntime = \"runc\"\n"},
		"replaced":          {"# mine\n[engine]\nruntime=\"crun\" # why\nevents_logger = 'file'\n[x]\n", "# mine\n[engine]\nruntime = \"runc\"\nevents_logger = 'file'\n[x]\n"},
		"commented out":     {"[engine]\n#runtime = \"crun\"\n", "[engine]\nevents_logger = \"file\"\nruntime = \"runc\"\n#runtime = \"crun\"\n"},
		"in another":        {"[x]\nruntime = \"a\"\n[engine]\n", "[x]\nruntime = \"a\"\n[engine]\nevents_logger = \"file\"\nruntime = \"runc\"\n"},
		"nothing to change": {"[engine]\nruntime = \"runc\"\n\n[y]\n[engine.z]\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			settings := want
			if c.out == "" {
				settings, c.out = want[:1], c.in
			}
			out, changes := setKeys(c.in, settings)
			if out != c.out {
				t.Errorf("got\n%s\nwant\n%s", out, c.out)
			}
			if (len(changes) == 0) != (out == c.in) {
				t.Errorf("changes %q", changes)
			}
			if again, changes := setKeys(out, settings); again != out || len(changes) != 0 {
				t.Errorf("the second time:\n%s\n%q", again, changes)
			}
		})
	}
}

func FuzzSetKeys(f *testing.F) {
	f.Add("[engine]\nruntime = \"crun\"\n")
	f.Add("# c\n\n[a]\nb = [\n  1,\n]\n")
	f.Fuzz(func(t *testing.T, in string) {
		s := []setting{{section: "engine", key: "runtime", value: "runc"}}
		out, _ := setKeys(in, s)
		if again, changes := setKeys(out, s); again != out || len(changes) > 0 {
			t.Fatalf("not idempotent:\n%q\n%q", out, again)
		}
		for line := range strings.Lines(strings.TrimRight(in, "\n")) {
			line = strings.TrimSuffix(line, "\n")
			if keyOf(line) != "runtime" && !slices.Contains(strings.Split(out, "\n"), line) {
				t.Fatalf("lost %q of %q in %q", line, in, out)
			}
		}
	})
}

func TestFreeSubIDs(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"":                                       "100000-165535",
		"a:100000:65536":                         "165536-231071",
		"a:100000:65536\nb:300000:65536":         "165536-231071",
		"a:100000:65536\nb:200000:65536":         "265536-331071",
		"b:200000:65536\na:100000:65536\n#c:x:y": "265536-331071",
		"a:90000:20000":                          "110000-175535",
	} {
		if got := rangeText(freeSubIDs(parseSubIDs(in))); got != want {
			t.Errorf("%q: %s, want %s", in, got, want)
		}
	}
}

func FuzzParseSubIDs(f *testing.F) {
	f.Add("a:100000:65536\nb:1:2\n")
	f.Fuzz(func(t *testing.T, in string) {
		ranges := parseSubIDs(in)
		first, last := freeSubIDs(ranges)
		mine := append(ranges, idRange{"me", first, last - first + 1})
		if other, found := overlaps(mine, person{name: "me", uid: -1}); found && !slices.ContainsFunc(ranges, func(r idRange) bool { return r.owner == "me" || r.owner == "-1" }) {
			t.Fatalf("%d-%d is %s's in %q", first, last, other, in)
		}
	})
}

func TestQuote(t *testing.T) {
	t.Parallel()
	if got, want := quote([]string{"sh", "-c", "it's $x", "", "plain-1"}), `sh -c 'it'\''s $x' '' plain-1`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
