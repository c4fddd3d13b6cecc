package tree

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestIsGitDir(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		".git", ".GIT", ".gIt", "git~1", "GIT~1", ".git ", ".git.", ".git . .", ".git:x", ".git::$INDEX_ALLOCATION",
		".g\u200cit", "\ufeff.git", ".git\u200d", ".\u202eGIT", `a\.git`, `.git\config`, `x\git~1`,
	} {
		if !IsGitDir(name) {
			t.Errorf("%q passes", name)
		}
	}
	for _, name := range []string{"git", ".gitignore", ".gitattributes", "x.git", ".git2", "git~2", "..git", ".gi", "", ".github", "a:.git"} {
		if IsGitDir(name) {
			t.Errorf("%q is refused", name)
		}
	}
}

func TestIsGitmodules(t *testing.T) {
	t.Parallel()
	for _, name := range []string{".gitmodules", ".GitModules", ".gitmodules ", "gitmod~1", "GITMOD~4", "gi7eba~1", ".gitmodu\u200cles", ".gitmodules:x"} {
		if !isGitmodules(name) {
			t.Errorf("%q passes", name)
		}
	}
	for _, name := range []string{"gitmodules", ".gitmodule", "gitmod~x", "gitmod~12", "x.gitmodules"} {
		if isGitmodules(name) {
			t.Errorf("%q is refused", name)
		}
	}
}

func TestFold(t *testing.T) {
	t.Parallel()
	for _, pair := range [][2]string{{"README", "readme"}, {"\u00e9", "e\u0301"}, {"STRASSE", "straße"}, {"Σ", "ς"}, {"\u212b", "å"}, {"É", "e\u0301"}} {
		if fold(pair[0]) != fold(pair[1]) {
			t.Errorf("%q and %q stay apart", pair[0], pair[1])
		}
	}
	for _, pair := range [][2]string{{"a", "b"}, {"é", "e"}, {"a_", "a-"}} {
		if fold(pair[0]) == fold(pair[1]) {
			t.Errorf("%q and %q are taken for each other", pair[0], pair[1])
		}
	}
}

func TestCheckLink(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		target string
		depth  int
		ok     bool
	}{
		{"a", 0, true},
		{"./a//b/.", 0, true},
		{"..", 1, true},
		{"../../a", 2, true},
		{".", 0, true},
		{"../x/y", 1, true},
		{"..", 0, false},
		{"../../a", 1, false},
		{"/a", 0, false},
		{"a/..", 0, false},
		{"a/../b", 3, false},
		{"", 0, false},
		{".git/config", 0, false},
		{"../.GIT", 1, false},
		{"x/git~1", 0, false},
		{"\xff", 0, false},
		{"./../a", 0, false},
	} {
		if got := checkLink(c.target, c.depth); (got == "") != c.ok {
			t.Errorf("%q at depth %d: %q", c.target, c.depth, got)
		}
	}
}

func FuzzEscape(f *testing.F) {
	f.Add("a\nb\x1b[31m\xff\u202e")
	f.Fuzz(func(t *testing.T, s string) {
		e := Escape(s)
		if !utf8.ValidString(e) || strings.ContainsAny(e, "\n\r\x1b\x00\u202e") {
			t.Errorf("%q became %q", s, e)
		}
	})
}

func TestTwins(t *testing.T) {
	t.Parallel()
	all := []string{"a/x", "A/y", "b/z", "README", "readme", "c/é"}
	got := strings.Join(Twins([]string{"A/y", "b/z", "readme", "c/é"}, all), " ")
	if got != "A/y readme" {
		t.Errorf("twins %q", got)
	}
}
