package archtest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// maxLines is the length at which a file holds more than one idea.
const maxLines = 400

// TestFileLength holds the budget of every file that is not a test.
func TestFileLength(t *testing.T) {
	t.Parallel()
	for _, file := range files(t, ".go") {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		if n := strings.Count(read(t, file), "\n"); n > maxLines {
			t.Errorf("%s has %d lines; %d is the budget: split it by idea", file, n, maxLines)
		}
	}
}

// TestOnePackageDoc: a package says in one place what it is for.
func TestOnePackageDoc(t *testing.T) {
	t.Parallel()
	for _, p := range packages(t) {
		var docs []string
		for _, name := range p.GoFiles {
			f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, name), nil, parser.PackageClauseOnly|parser.ParseComments)
			if err != nil {
				t.Fatal(err)
			}
			if f.Doc != nil {
				docs = append(docs, name)
				text := f.Doc.Text()
				if want := "Package " + f.Name.Name + " "; f.Name.Name != "main" && !strings.HasPrefix(text, want) {
					t.Errorf("%s/%s: the package comment begins %q, not %q", short(p.ImportPath), name, firstWords(text), want)
				}
			}
		}
		if len(docs) != 1 {
			t.Errorf("%s has %d package comments %q, not one", short(p.ImportPath), len(docs), docs)
		}
	}
}

func firstWords(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}

// TestOneGitInvoker: a hostile repository runs code through an unguarded git,
// so that there is one guarded invoker and nothing else starts git.
func TestOneGitInvoker(t *testing.T) {
	t.Parallel()
	starters := map[string][]string{
		"exec":    {"Command", "CommandContext"},
		"syscall": {"Exec", "ForkExec", "StartProcess"},
		"unix":    {"Exec"},
		"os":      {"StartProcess"},
	}
	found := false
	for _, file := range files(t, ".go") {
		if strings.HasSuffix(file, "_test.go") || strings.HasPrefix(file, "evals/") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root(t), file), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || !calls(call, starters) || !slices.ContainsFunc(call.Args, isGit) {
				return true
			}
			if under(filepath.Dir(file), "pkg/workspace/git") {
				found = true
				return true
			}
			t.Errorf("%s starts git: only pkg/workspace/git does, with its guards", file)
			return true
		})
	}
	_ = found
}

func calls(call *ast.CallExpr, starters map[string][]string) bool {
	sel, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	pkg, ok := sel.X.(*ast.Ident)
	return ok && slices.Contains(starters[pkg.Name], sel.Sel.Name)
}

func isGit(arg ast.Expr) bool {
	lit, ok := arg.(*ast.BasicLit)
	if !ok || lit.Kind != token.STRING {
		return false
	}
	s, err := strconv.Unquote(lit.Value)
	return err == nil && filepath.Base(s) == "git"
}

// TestNoBuildTags: plain go build, go vet and gopls see the whole program.
func TestNoBuildTags(t *testing.T) {
	t.Parallel()
	tag := regexp.MustCompile(`(?m)^//\s*\+build|^//go:build`)
	suffix := regexp.MustCompile(`_(windows|darwin|freebsd|openbsd|netbsd|js|wasip1|plan9|solaris|aix|amd64|arm64|386|arm|riscv64|ppc64le|s390x)(_test)?\.go$`)
	for _, file := range files(t, ".go") {
		if tag.MatchString(read(t, file)) {
			t.Errorf("%s has a build constraint", file)
		}
		if suffix.MatchString(file) {
			t.Errorf("%s is built on some platforms only; _linux is the one suffix in use", file)
		}
	}
}

// TestNothingIsLeftForLater: an open end belongs in the issue tracker.
func TestNothingIsLeftForLater(t *testing.T) {
	t.Parallel()
	words := regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME|XX` + `X)\b|not (yet )?impl` + `emented|place` + `holder`)
	for _, file := range files(t, ".go", ".md", ".yaml", ".txtar", ".sh", "Makefile", "Containerfile") {
		for i, line := range strings.Split(read(t, file), "\n") {
			if m := words.FindString(line); m != "" {
				t.Errorf("%s:%d says %q", file, i+1, m)
			}
		}
	}
}
