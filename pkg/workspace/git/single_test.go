package git_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestNobodyElseNamesGit: no other code of the program holds the word "git" by
// itself, or a path that ends in it, and so none can start it, directly or
// through a helper that takes a command line. The files below hold it for
// another reason.
func TestNobodyElseNamesGit(t *testing.T) {
	t.Parallel()
	allowed := []string{
		"cmd/vexa/factory.go",         // the name of a command
		"cmd/vexa/maintain.go",        // the same, for a program of our own
		"cmd/vexa/remote.go",          // the same, for a program of our own
		"pkg/cli/cli.go",              // the same
		"pkg/cli/gitcmd/git.go",       // the same
		"pkg/doctor/checks.go",        // the name of a check
		"pkg/doctor/check_machine.go", // the name of a package, and "git --version"

		"pkg/workspace/proposal/event.go", // the namespace of a signature
	}
	root, err := filepath.Abs("../../..")
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		if d.IsDir() && (rel == "evals" || rel == "pkg/workspace/git" || strings.HasPrefix(d.Name(), ".") && rel != ".") {
			return filepath.SkipDir // evals set scenes up as a person would
		}
		if !strings.HasSuffix(rel, ".go") || strings.HasSuffix(rel, "_test.go") || slices.Contains(allowed, rel) {
			return nil
		}
		seen++
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return nil //nolint:nilerr // the compiler says so better
		}
		ast.Inspect(f, func(n ast.Node) bool {
			lit, ok := n.(*ast.BasicLit)
			if !ok || lit.Kind != token.STRING {
				return true
			}
			if text, err := strconv.Unquote(lit.Value); err == nil && filepath.Base(strings.TrimSpace(text)) == "git" && !strings.HasPrefix(text, "github.com/") {
				t.Errorf("%s holds %s: only pkg/workspace/git starts git", rel, lit.Value)
			}
			return true
		})
		return nil
	})
	if err != nil || seen < 50 {
		t.Fatalf("%d files, %v", seen, err)
	}
}

// TestWhoLeavesTheMachine: of the code that is not a test only the adapter that
// keeps a bucket at a Git remote has git speak to one.
func TestWhoLeavesTheMachine(t *testing.T) {
	t.Parallel()
	root, err := filepath.Abs("../../..")
	if err != nil {
		t.Fatal(err)
	}
	used := false
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && path != root && strings.HasPrefix(d.Name(), ".") {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return nil //nolint:nilerr // the compiler says so better
		}
		rel, _ := filepath.Rel(root, filepath.Dir(path))
		ast.Inspect(f, func(n ast.Node) bool {
			sel, ok := n.(*ast.SelectorExpr)
			if !ok || sel.Sel.Name != "RemoteOptions" {
				return true
			}
			if pkg, ok := sel.X.(*ast.Ident); ok && pkg.Name == "git" {
				used = used || rel == "pkg/workspace/blob/gitref"
				if rel != "pkg/workspace/blob/gitref" {
					t.Errorf("%s has git speak to a remote", rel)
				}
			}
			return true
		})
		return nil
	})
	if err != nil || !used {
		t.Fatalf("used %v, %v", used, err)
	}
}
