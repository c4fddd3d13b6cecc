package archtest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestDomainImports: the domain imports the contracts, the standard library and
// small helpers that import neither adapter nor frontend. What a package has
// besides is listed here, and each entry is used.
func TestDomainImports(t *testing.T) {
	t.Parallel()
	everybody := []string{"pkg/contract", "pkg/fault", "pkg/failpoint", "pkg/internal"}
	domain := map[string][]string{
		"pkg/api":            nil,
		"pkg/audit":          {"pkg/journal", "pkg/retention"},
		"pkg/contract":       {"schemas", schema, "golang.org/x/text"},
		"pkg/dispatch":       {"pkg/api", "pkg/audit", "pkg/broker", "pkg/home", "pkg/journal", "pkg/quota", "pkg/retention", "pkg/runner", "pkg/stream", "pkg/transcript", "pkg/workspace", "golang.org/x/sys"},
		"pkg/failpoint":      nil,
		"pkg/fault":          nil,
		"pkg/home":           {"golang.org/x/sys"},
		"pkg/identity":       {jose},
		"pkg/journal":        {"golang.org/x/crypto", "golang.org/x/sys"},
		"pkg/keys":           {"pkg/seal", "pkg/signature"},
		"pkg/link":           nil,
		"pkg/quota":          nil,
		"pkg/retention":      nil,
		"pkg/runner":         {"pkg/runner/dialect"},
		"pkg/runner/dialect": nil,
		"pkg/runtime":        {"pkg/api", "pkg/steady", "golang.org/x/sys"},
		"pkg/seal":           {age, "pkg/seal/plugin", "golang.org/x/crypto"},
		"pkg/seal/plugin":    {age, "golang.org/x/sys"},
		"pkg/stream":         nil,
		"pkg/toolbox":        nil,
		"pkg/transcript":     {"pkg/retention", "pkg/stream"},
	}
	all := load(t)
	for _, p := range packages(t) {
		name := short(p.ImportPath)
		besides, ok := domain[name]
		if !ok {
			continue
		}
		delete(domain, name)
		used := map[string]bool{}
		for _, imp := range p.Imports {
			path := imp
			if d := all[imp]; d.Standard {
				continue
			} else if d.ours() {
				path = short(imp)
			}
			i := slices.IndexFunc(besides, func(b string) bool { return under(path, b) })
			switch {
			case i >= 0:
				used[besides[i]] = true
			case !underAny(path, everybody):
				t.Errorf("%s imports %s: the domain has contracts and the standard library; reach the rest through a port", name, path)
			}
		}
		for _, b := range besides {
			if !used[b] {
				t.Errorf("%s no longer imports %s: take it off the list", name, b)
			}
		}
	}
	for name := range domain {
		t.Errorf("there is no package %s", name)
	}
}

// TestEveryBoundaryRecords: a boundary that pkg/audit names is one that some
// package records at.
func TestEveryBoundaryRecords(t *testing.T) {
	t.Parallel()
	names := boundaries(t)
	if len(names) == 0 {
		t.Fatal("pkg/audit names no boundary")
	}
	for _, file := range files(t, ".go") {
		if strings.HasSuffix(file, "_test.go") || strings.HasPrefix(file, "pkg/audit/") {
			continue
		}
		text := read(t, file)
		names = slices.DeleteFunc(names, func(name string) bool { return strings.Contains(text, "audit."+name+",") })
	}
	if len(names) > 0 {
		t.Errorf("nothing is recorded at %q", names)
	}
}

// boundaries are the constants of type Boundary in pkg/audit.
func boundaries(t *testing.T) []string {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root(t), "pkg/audit/audit.go"), nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	ast.Inspect(f, func(n ast.Node) bool {
		if v, ok := n.(*ast.ValueSpec); ok {
			if typ, ok := v.Type.(*ast.Ident); ok && typ.Name == "Boundary" {
				names = append(names, v.Names[0].Name)
			}
		}
		return true
	})
	return names
}
