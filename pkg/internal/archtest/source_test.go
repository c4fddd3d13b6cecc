package archtest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
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

// TestWhoStartsPrograms: a hostile repository runs code through an unguarded
// git, and an agent that ran on the host would be one outside its container. So
// few packages start programs, each for one reason.
func TestWhoStartsPrograms(t *testing.T) {
	t.Parallel()
	reasons := map[string]string{
		"cmd/vexa":           "the daemon and the kernel, which are this program; the person's browser",
		"pkg/acp":            "the runner's agent, which it drives, inside the container",
		"pkg/agent/tool":     "the shell tool, inside the container",
		"pkg/cli/factory":    "the person's editor, on their terminal",
		"pkg/doctor":         "what was shown to the person before",
		"pkg/runtime/podman": "podman system service",
		"pkg/seal/plugin":    "an age plugin, by the absolute path that the person configured",
		"pkg/worker":         "the runner's agent, inside the container",
		"pkg/workspace/git":  "git, with its guards: the one invoker",
	}
	starters := map[string][]string{
		"exec":    {"Command", "CommandContext", "Cmd"},
		"syscall": {"Exec", "ForkExec", "StartProcess"},
		"unix":    {"Exec"},
		"os":      {"StartProcess"},
	}
	started := map[string]bool{}
	for _, file := range files(t, ".go") {
		if strings.HasSuffix(file, "_test.go") || strings.HasPrefix(file, "evals/") || strings.HasSuffix(filepath.Dir(file), "test") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root(t), file), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		dir := filepath.Dir(file)
		ast.Inspect(f, func(n ast.Node) bool {
			if !starts(n, starters) {
				return true
			}
			started[dir] = true
			if reasons[dir] == "" {
				t.Errorf("%s starts a program; git goes through pkg/workspace/git, and an agent is started in its container", file)
			}
			return true
		})
	}
	for dir, reason := range reasons {
		if !started[dir] {
			t.Errorf("%s starts no program any more (%s): drop it from the list", dir, reason)
		}
	}
}

// starts reports whether n calls what starts a program, or makes a command.
func starts(n ast.Node, starters map[string][]string) bool {
	var expr ast.Expr
	switch n := n.(type) {
	case *ast.CallExpr:
		expr = n.Fun
	case *ast.CompositeLit:
		expr = n.Type
	default:
		return false
	}
	sel, ok := expr.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	pkg, ok := sel.X.(*ast.Ident)
	return ok && slices.Contains(starters[pkg.Name], sel.Sel.Name)
}

// TestStartsCompileNothing: what a package compiles when it is initialised every
// start pays for, a worker's and that of git-remote-vexa, too.
func TestStartsCompileNothing(t *testing.T) {
	t.Parallel()
	compilers := map[string][]string{"regexp": {"MustCompile", "Compile"}, "template": {"Must"}}
	for _, file := range files(t, ".go") {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root(t), file), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range f.Decls {
			if fn, ok := decl.(*ast.FuncDecl); ok && fn.Name.Name != "init" {
				continue
			}
			ast.Inspect(decl, func(n ast.Node) bool {
				if _, later := n.(*ast.FuncLit); later {
					return false
				}
				if starts(n, compilers) {
					t.Errorf("%s compiles something when it is initialised: use pkg/internal/textform, or sync.OnceValue", file)
				}
				return true
			})
		}
	}
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
