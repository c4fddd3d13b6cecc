package archtest

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestTopLevel: a stranger finds everything from the first listing.
func TestTopLevel(t *testing.T) {
	t.Parallel()
	allowed := []string{
		"cmd", "pkg", "schemas", "runners", "workspaces-example", "evals", "docs",
		"go.mod", "go.sum", "goreleaser.yaml", "README.md", "LICENSE", "Makefile",
		".ci", ".gitattributes", ".gitignore", ".golangci.yml",
	}
	entries, err := os.ReadDir(root(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !slices.Contains(allowed, e.Name()) && !ignoredTop(t, e.Name()) {
			t.Errorf("%s is not one of the entries that the top level holds", e.Name())
		}
	}
	for _, name := range allowed {
		if _, err := os.Stat(filepath.Join(root(t), name)); err != nil {
			t.Errorf("the top level misses %s", name)
		}
	}
}

// ignoredTop reports whether Git ignores a name of the top level.
func ignoredTop(t *testing.T, name string) bool {
	t.Helper()
	if name == ".git" {
		return true
	}
	for line := range strings.Lines(read(t, ".gitignore")) {
		pattern := strings.Trim(strings.TrimSpace(line), "/")
		if ok, err := filepath.Match(pattern, name); err != nil {
			t.Fatal(err)
		} else if ok {
			return true
		}
	}
	return false
}

// TestIgnoredAtTheTop: what a build or a profile leaves there is no entry of the
// tree, and an entry of the tree is not ignored.
func TestIgnoredAtTheTop(t *testing.T) {
	t.Parallel()
	for _, name := range []string{".git", "bin", "dist", "completions", "man", "vexa", "cpu.prof", "runtime.test"} {
		if !ignoredTop(t, name) {
			t.Errorf("%s is not ignored", name)
		}
	}
	for _, name := range []string{"cmd", "out", "evals", "main.go", ".ci"} {
		if ignoredTop(t, name) {
			t.Errorf("%s is ignored", name)
		}
	}
}

// TestDecisionRecords: numbers are unique and without gap, each record has the
// four parts, and the index names each.
func TestDecisionRecords(t *testing.T) {
	t.Parallel()
	const dir = "docs/adr"
	entries, err := os.ReadDir(filepath.Join(root(t), dir))
	if err != nil {
		t.Fatal(err)
	}
	name := regexp.MustCompile(`^(\d{4})-[a-z0-9-]+\.md$`)
	index := read(t, dir+"/README.md")
	seen := map[string]string{}
	for _, e := range entries {
		if e.Name() == "README.md" {
			continue
		}
		m := name.FindStringSubmatch(e.Name())
		if m == nil {
			t.Errorf("%s/%s is not named NNNN-slug.md", dir, e.Name())
			continue
		}
		if other, ok := seen[m[1]]; ok {
			t.Errorf("%s and %s have one number", other, e.Name())
		}
		seen[m[1]] = e.Name()
		text := read(t, dir+"/"+e.Name())
		for _, part := range []string{"## Status", "## Context", "## Decision", "## Consequences"} {
			if !strings.Contains(text, "\n"+part+"\n") {
				t.Errorf("%s has no %q", e.Name(), part)
			}
		}
		if !strings.Contains(index, "("+e.Name()+")") {
			t.Errorf("%s/README.md does not name %s", dir, e.Name())
		}
	}
	if len(seen) == 0 {
		t.Errorf("%s holds no record", dir)
	}
}

// TestArchitectureNamesThePackages: the map and the territory agree.
func TestArchitectureNamesThePackages(t *testing.T) {
	t.Parallel()
	text := read(t, "docs/architecture.md")
	for _, name := range regexp.MustCompile("`((?:pkg|cmd|evals|schemas|runners)/[a-z0-9/-]+)`").FindAllStringSubmatch(text, -1) {
		if info, err := os.Stat(filepath.Join(root(t), name[1])); err != nil || !info.IsDir() {
			t.Errorf("docs/architecture.md names %s, which does not exist", name[1])
		}
	}
	entries, err := os.ReadDir(filepath.Join(root(t), "pkg"))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if name := "pkg/" + e.Name(); e.Name() != "internal" && !strings.Contains(text, "`"+name+"`") {
			t.Errorf("docs/architecture.md does not name %s", name)
		}
	}
}

// TestEveryDependencyHasAReason: docs/dependencies.md names what go.mod
// requires directly, and nothing else.
func TestEveryDependencyHasAReason(t *testing.T) {
	t.Parallel()
	direct := map[string]bool{}
	for line := range strings.Lines(read(t, "go.mod")) {
		fields := strings.Fields(strings.TrimPrefix(strings.TrimSpace(line), "require "))
		if len(fields) >= 2 && strings.HasPrefix(fields[1], "v") && !strings.Contains(line, "// indirect") {
			direct[fields[0]] = true
		}
	}
	if len(direct) == 0 {
		t.Fatal("go.mod requires nothing")
	}
	named := map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\|").FindAllStringSubmatch(read(t, "docs/dependencies.md"), -1) {
		named[m[1]] = true
	}
	for mod := range direct {
		if !named[mod] {
			t.Errorf("docs/dependencies.md does not say why %s is needed", mod)
		}
	}
	for mod := range named {
		if !direct[mod] {
			t.Errorf("docs/dependencies.md names %s, which go.mod does not require directly", mod)
		}
	}
}

// TestSecurityNamesRealProofs: each proof that docs/security.md names exists.
func TestSecurityNamesRealProofs(t *testing.T) {
	t.Parallel()
	text := read(t, "docs/security.md")
	for _, m := range regexp.MustCompile("`(evals/[a-z0-9/-]+\\.txtar)`").FindAllStringSubmatch(text, -1) {
		if _, err := os.Stat(filepath.Join(root(t), m[1])); err != nil {
			t.Errorf("docs/security.md names %s, which does not exist", m[1])
		}
	}
	proof := regexp.MustCompile("`(pkg/[a-z0-9/]+) ((?:Test|Fuzz)[A-Za-z0-9_]+)`")
	for _, m := range proof.FindAllStringSubmatch(text, -1) {
		if !hasTest(t, m[1], m[2]) {
			t.Errorf("docs/security.md names %s in %s, which does not exist", m[2], m[1])
		}
	}
}

func hasTest(t *testing.T, dir, name string) bool {
	t.Helper()
	matches, err := filepath.Glob(filepath.Join(root(t), dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	return slices.ContainsFunc(matches, func(file string) bool {
		data, err := os.ReadFile(file)
		return err == nil && strings.Contains(string(data), "\nfunc "+name+"(")
	})
}

// TestLinksResolve: a relative link in a document leads to a file.
func TestLinksResolve(t *testing.T) {
	t.Parallel()
	link := regexp.MustCompile(`\]\(([^)#:\s]+)(#[^)]*)?\)`)
	for _, file := range files(t, ".md") {
		if strings.HasPrefix(file, "workspaces-example/") {
			continue // its links are a workspace's own; its test follows them
		}
		for _, m := range link.FindAllStringSubmatch(read(t, file), -1) {
			if _, err := os.Stat(filepath.Join(root(t), filepath.Dir(file), m[1])); err != nil {
				t.Errorf("%s links to %s, which does not exist", file, m[1])
			}
		}
	}
}
