package zootest

import (
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// names are what else a path can be called.
func names() []Animal {
	kept := func(name string, paths ...string) Animal {
		f := files{}
		for _, p := range paths {
			f[p] = "text of " + p + "\n"
		}
		return Animal{Name: name, Plant: f.planted, Kept: paths, Bite: Bite{Takes: paths}}
	}
	twins := func(name, why, first, second string) Animal {
		return Animal{
			Name: name, Plant: files{first: "1\n", second: "2\n"}.planted, Kept: []string{first},
			Refused: map[string]string{top(second): why}, Bite: Bite{Folds: []string{first, second}},
		}
	}
	long := strings.Repeat("n", 255)
	return []Animal{
		kept("line breaks", "line\nfeed", "carriage\rreturn", "tab\tstop"),
		kept("terminal escapes", "\x1b[2J\x1b]0;owned\x07", "bell\x07", "nine\u009bm"),
		kept("right to left", "invoice\u202efdp.exe"),
		kept("quotes", `"quoted"`, "it's", `back\slash`, "$(touch x)", "`touch y`", ";touch z", "a|b", "*", "?", "[a]", "%s%n"),
		misread("--stage", "100644", kept("options", "-rf", "--upload-pack=touch x", "--", "-", "-C", "--stage", "--exec=x")),
		misread(":(glob)**", "a..b", kept("pathspecs", ":(glob)**", ":!x", ":(exclude)*", "@", "HEAD", "refs", "a..b", "@{-1}", "^x")),
		kept("spaces", " ", " x", "x ", "."+"..", "~", "..x"),
		kept("Windows names", "aux", "con.txt", "nul", "com1", "trailing.", "trailing ", "stream:x", "LPT1"),
		kept("longest names", long, "d"+long[1:]+"/"+long, strings.Repeat("é", 127)),
		kept("environment", ".env", ".envrc", ".vscode/tasks.json", ".idea/x.xml", ".editorconfig", "Makefile"),
		kept("almost git", ".github/x", ".gitkeep", "gitx", "x.git/config", "..git", ".git2", "git~2", "a:.git"),
		{
			Name: "names that are not UTF-8", Plant: files{"bad\xff": "1\n", "\xc3\x28": "2\n", "\xed\xa0\x80": "3\n", "ok": "4\n"}.planted, Kept: []string{"ok"},
			Refused: map[string]string{"bad\xff": "UTF-8", "\xc3\x28": "UTF-8", "\xed\xa0\x80": "UTF-8"},
			Bite:    Bite{Takes: []string{"bad\xff", "\xc3\x28", "\xed\xa0\x80"}},
		},
		{
			Name: "directory that is not UTF-8", Plant: files{"d\xfe/x": "1\n", "ok": "4\n"}.planted, Kept: []string{"ok"},
			Refused: map[string]string{"d\xfe": "UTF-8"}, Bite: Bite{Takes: []string{"d\xfe/x"}},
		},
		twins("case twins", "only in case", "README", "readme"),
		twins("normalisation twins", "Unicode form", "cafe\u0301", "caf\u00e9"),
		twins("twins by folding", "only in case", "STRASSE", "stra\u00dfe"),
		twins("twins of compatibility", "only in case", "k", "\u212a"),
		twins("directory twins", "only in case", "Docs/a", "docs/b"),
		twins("link and directory that are twins", "only in case", "A/modules/x", "a"),
		deep("deeper than the cap", 200, "d"),
		deep("deeper than any path", 200, strings.Repeat("p", 60)),
		deep("deeper by far", 600, "d"),
	}
}

// top is the first name of a path.
func top(path string) string {
	name, _, _ := strings.Cut(path, "/")
	return name
}

// maxDepth and maxPath are the walker's caps.
const (
	maxDepth = 128
	maxPath  = 4000
)

// deep nests directories, with a file at the bottom that no path may reach.
func deep(name string, levels int, dir string) Animal {
	refused, why := strings.Repeat(dir+"/", maxDepth)+dir, strconv.Itoa(maxDepth)+" directories deep"
	if n := maxPath/(len(dir)+1) + 1; n <= maxDepth {
		refused, why = strings.TrimSuffix(strings.Repeat(dir+"/", n), "/"), "longer than"
	}
	return Animal{
		Name: name, Kept: []string{"ok"}, Refused: map[string]string{refused: why}, Where: Ending,
		Plant: func(p Pen) error {
			if err := (files{"ok": "ok\n"}).planted(p); err != nil {
				return err
			}
			at, err := unix.Open(p.Dir, unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
			if err != nil {
				return err
			}
			for range levels {
				if err := unix.Mkdirat(at, dir, 0o755); err != nil {
					return err
				}
				next, err := unix.Openat(at, dir, unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
				_ = unix.Close(at)
				if err != nil {
					return err
				}
				at = next
			}
			fd, err := unix.Openat(at, "bottom", unix.O_CREAT|unix.O_WRONLY|unix.O_CLOEXEC, 0o644)
			_ = unix.Close(at)
			if err != nil {
				return err
			}
			return unix.Close(fd)
		},
		Bite: Bite{Takes: nil, Vast: filepath.Join(dir)},
	}
}

// misread makes the bite of an animal that git, given one of its paths without
// care, takes that for something else.
func misread(path, shows string, a Animal) Animal {
	a.Bite = Bite{Steps: []string{"host add -A", "host ls-files " + path}, Shows: shows}
	return a
}
