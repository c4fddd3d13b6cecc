package dispatch_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/vexa-ai/vexa/pkg/dispatch"
)

// constants are the values of the string constants of a type in a file.
func constants(t *testing.T, file, typ string) map[string]string {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	must(t, err)
	found := map[string]string{}
	ast.Inspect(f, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || spec.Type == nil || len(spec.Values) != 1 {
			return true
		}
		if name := exprName(spec.Type); name != typ {
			return true
		}
		lit, ok := spec.Values[0].(*ast.BasicLit)
		if !ok {
			t.Fatalf("%s: %s is no literal", file, spec.Names[0].Name)
		}
		value, err := strconv.Unquote(lit.Value)
		must(t, err)
		found[spec.Names[0].Name] = value
		return true
	})
	if len(found) == 0 {
		t.Fatalf("%s has no constant of type %s", file, typ)
	}
	return found
}

func exprName(e ast.Expr) string {
	switch x := e.(type) {
	case *ast.Ident:
		return x.Name
	case *ast.SelectorExpr:
		return exprName(x.X) + "." + x.Sel.Name
	default:
		return ""
	}
}

// TestEveryStateHasAFailpoint: the states of a dispatch are the records that
// there are of it; each has a point, and each point is in the code, once.
func TestEveryStateHasAFailpoint(t *testing.T) {
	t.Parallel()
	states := slices.Sorted(maps.Values(constants(t, "record.go", "recordType")))
	points := dispatch.Failpoints()
	if have := slices.Sorted(maps.Keys(points)); !slices.Equal(have, states) {
		t.Errorf("there are failpoints in the states %v, and the states are %v", have, states)
	}
	var listed []string
	for state, list := range points {
		if len(list) == 0 {
			t.Errorf("state %s has no failpoint", state)
		}
		for _, p := range list {
			listed = append(listed, string(p))
		}
	}
	slices.Sort(listed)
	declared := constants(t, "failpoints.go", "failpoint.Point")
	if all := slices.Sorted(maps.Values(declared)); !slices.Equal(all, listed) {
		t.Errorf("the points %v are in states, and there are %v", listed, all)
	}
	sources, err := filepath.Glob("*.go")
	must(t, err)
	for name := range declared {
		passed := 0
		for _, source := range sources {
			if strings.HasSuffix(source, "_test.go") {
				continue
			}
			text, err := os.ReadFile(source)
			must(t, err)
			passed += strings.Count(string(text), ".at(ctx, "+name+")")
		}
		if passed != 1 {
			t.Errorf("%d places are %s, want 1", passed, name)
		}
	}
}
