package tree

import (
	"path"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzNames: a name that some file system takes for ".git" is not written by a
// checkout either, whatever is done to its case and its end.
func FuzzNames(f *testing.F) {
	for _, seed := range []string{
		".git", "GIT~1", ".git . ", ".git::$INDEX_ALLOCATION", ".g\u200cit", `a\.git`, ".gitmodules", "gitmod~1", ".gitattributes", "gi7d29~1",
		"caf\u00e9", "cafe\u0301", "stra\u00dfe", "\u212a", "bad\xff", "-rf", "line\nfeed", "\u202egnp.exe", "", ".", "..",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if IsGitDir(name) && ValidName(name) {
			t.Errorf("%q is a Git directory, and is checked out", name)
		}
		if IsGitDir(name) && utf8.ValidString(name) {
			for _, other := range []string{name + ".", name + " ", name + ":x", `x\` + name} {
				if !IsGitDir(other) && strings.EqualFold(ntfsBase(name), ".git") {
					t.Errorf("%q is a Git directory, %q is none", name, other)
				}
			}
		}
		if checkName(name) == "" && !utf8.ValidString(name) {
			t.Errorf("%q is committed", name)
		}
		if fold(name) != fold(strings.ToUpper(name)) && isASCII(name) {
			t.Errorf("%q and its upper case are no twins", name)
		}
	})
}

func isASCII(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r >= utf8.RuneSelf })
}

// FuzzLinks: a link that is taken leads, by name, to no place above the root and
// into no Git directory.
func FuzzLinks(f *testing.F) {
	for _, seed := range []string{"../../x", "/etc/passwd", "a/../../x", ".git/config", "./a//b/.", "x/git~1", "\xff", "", "..", "../.."} {
		f.Add(seed, uint8(1))
	}
	f.Fuzz(func(t *testing.T, target string, depth uint8) {
		if checkLink(target, int(depth)) != "" {
			return
		}
		at := strings.Repeat("d/", int(depth))
		if end := path.Clean(at + target); path.IsAbs(target) || end == ".." || strings.HasPrefix(end, "../") {
			t.Errorf("at depth %d %q leads to %q", depth, target, end)
		}
		for part := range strings.SplitSeq(target, "/") {
			if IsGitDir(part) {
				t.Errorf("%q leads into a Git directory", target)
			}
		}
	})
}

// FuzzRules: no .gitignore makes the walk fail, and none hides the name that it
// re-includes last.
func FuzzRules(f *testing.F) {
	for _, seed := range []string{
		"*.o\nnode_modules/\n", "!keep\n#x\n\\#y\n", "\ufeffa\r\nb \\ \n", "**/a/**\n/b/*/c\n", "[\n[!\n\\\n[[:alpha:]-z]\n",
		strings.Repeat("*a", 40) + "b\n", strings.Repeat("[", 900), strings.Repeat("**/", 300) + "x\n",
	} {
		f.Add(seed, "dir/aaaaaaaaaaaaaaaaaaaaaaaa.o")
	}
	f.Fuzz(func(t *testing.T, text, name string) {
		if len(text) > 1<<12 || len(name) > 1<<10 {
			return
		}
		parseRules(text).match(name, false)
		if ignored, found := parseRules(text+"\n!*\n").match("x", false); !found || ignored {
			t.Errorf("%q hides what is re-included", text)
		}
		checkAttributes([]byte(text))
	})
}
