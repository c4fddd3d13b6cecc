package daemon_test

import (
	"bytes"
	"cmp"
	"go/ast"
	"go/constant"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/vexa-ai/vexa/pkg/daemon"
)

// A description says what the handler reads and writes: its body, its answer, the
// status of that and the parameters of the query are found in the handler's source.
func TestOperationsAreWhatHandlersDo(t *testing.T) {
	t.Parallel()
	src := readSource(t)
	operations := daemon.Operations()
	routes := src.routes(t)
	for pattern, handler := range routes {
		said, ok := operations[pattern]
		if !ok {
			t.Errorf("%s is not described", pattern)
			continue
		}
		does := src.does(t, handler)
		if got := nameOf(said.Body); got != does.body {
			t.Errorf("%s reads %q, and is said to read %q", pattern, does.body, got)
		}
		if got := nameOf(said.Answer); got != does.answer && said.Media != "application/x-ndjson" {
			t.Errorf("%s answers with %q, and is said to answer with %q", pattern, does.answer, got)
		}
		if said.Status != cmp.Or(does.status, 200) {
			t.Errorf("%s answers with status %d, and is said to with %d", pattern, does.status, said.Status)
		}
		var query []string
		for _, q := range said.Query {
			name, _, _ := strings.Cut(q, ":")
			query = append(query, name)
		}
		slices.Sort(query)
		if got := slices.Sorted(maps.Keys(does.query)); !slices.Equal(got, query) {
			t.Errorf("%s reads the parameters %q, and is said to read %q", pattern, got, query)
		}
		if does.media != said.Media {
			t.Errorf("%s answers in %q, and is said to in %q", pattern, does.media, said.Media)
		}
	}
	for pattern := range operations {
		if _, ok := routes[pattern]; !ok {
			t.Errorf("%s is described, and is no route", pattern)
		}
	}
	if len(routes) < 60 {
		t.Errorf("%d routes were found", len(routes))
	}
}

// nameOf writes the type of a value as go/types does.
func nameOf(v any) string {
	if v == nil {
		return ""
	}
	t := reflect.TypeOf(v)
	list := ""
	if t.Kind() == reflect.Slice {
		list, t = "[]", t.Elem()
	}
	return list + t.PkgPath() + "." + t.Name()
}

// done is what a handler does.
type done struct {
	body, answer, media string
	status              int
	query               map[string]bool
}

// source is the package, with types.
type source struct {
	info  *types.Info
	funcs map[string]*ast.FuncDecl // by name
	files []*ast.File
}

// routes finds what is registered, and the function behind each pattern.
func (s source) routes(t *testing.T) map[string]ast.Expr {
	t.Helper()
	out := map[string]ast.Expr{}
	for _, f := range s.files {
		ast.Inspect(f, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || len(call.Args) != 2 {
				return true
			}
			if fun, ok := call.Fun.(*ast.Ident); !ok || fun.Name != "handle" {
				return true
			}
			if v := s.info.Types[call.Args[0]].Value; v != nil && constant.StringVal(v) != "/" {
				out[constant.StringVal(v)] = call.Args[1]
			}
			return true
		})
	}
	return out
}

// does reads a handler, and the functions of this package that it is made of.
func (s source) does(t *testing.T, handler ast.Expr) done {
	t.Helper()
	d := done{query: map[string]bool{}}
	seen := map[string]bool{}
	var look func(n ast.Node) bool
	follow := func(name string) {
		f := s.funcs[name]
		if f == nil || seen[name] || !s.aboutRequests(f) {
			return
		}
		seen[name] = true
		ast.Inspect(f.Body, look)
	}
	look = func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.SelectorExpr:
			if _, ok := s.info.Uses[n.Sel].(*types.Func); ok {
				follow(n.Sel.Name)
			}
		case *ast.Ident:
			follow(n.Name)
		case *ast.CallExpr:
			s.call(t, n, &d)
		}
		return true
	}
	ast.Inspect(handler, look)
	return d
}

// aboutRequests reports whether a function is given a request or what answers one.
func (s source) aboutRequests(f *ast.FuncDecl) bool {
	sig, ok := s.info.Defs[f.Name].Type().(*types.Signature)
	if !ok {
		return false
	}
	text := types.TypeString(sig, nil)
	return strings.Contains(text, "*net/http.Request") || strings.Contains(text, "net/http.ResponseWriter")
}

// call reads one call of a handler.
func (s source) call(t *testing.T, c *ast.CallExpr, d *done) {
	t.Helper()
	name := ""
	switch fun := c.Fun.(type) {
	case *ast.Ident:
		name = fun.Name
	case *ast.SelectorExpr:
		name = fun.Sel.Name
	}
	text := func(i int) string {
		if v := s.info.Types[c.Args[i]].Value; v != nil && v.Kind() == constant.String {
			return constant.StringVal(v)
		}
		return ""
	}
	status := func(i int) {
		if v, ok := constant.Int64Val(s.info.Types[c.Args[i]].Value); ok {
			d.status = int(v)
		}
	}
	switch {
	case name == "Accept":
		d.status = 101 // it is a WebSocket from then on
	case name == "decode" && len(c.Args) == 2:
		of := s.info.TypeOf(c.Args[1]).(*types.Pointer).Elem()
		d.body = typeName(of)
	case name == "WriteJSON":
		d.answer = typeName(s.info.TypeOf(c.Args[2]))
		status(1)
	case name == "WriteHeader" && d.answer == "":
		status(0)
	case name == "number":
		d.query[text(1)] = true
	case name == "Get" && len(c.Args) == 1 && types.TypeString(s.info.TypeOf(c.Fun.(*ast.SelectorExpr).X), nil) == "net/url.Values":
		if text(0) != "" {
			d.query[text(0)] = true
		}
	case name == "Set" && len(c.Args) == 2 && text(0) == "Content-Type":
		d.media = text(1)
	}
}

// typeName names a type; a struct without a name stands for the one that has the
// same member, and tells an absent one from its zero value.
func typeName(t types.Type) string {
	if _, ok := t.(*types.Struct); ok && strings.Contains(t.String(), `json:\"inference\"`) {
		return "github.com/vexa-ai/vexa/pkg/api.Recording"
	}
	return types.TypeString(t, nil)
}

// readSource checks the package's types, with those of what it imports as the
// compiler has them.
func readSource(t *testing.T) source {
	t.Helper()
	list := exec.CommandContext(t.Context(), "go", "list", "-export", "-deps", "-f", "{{if .Export}}{{.ImportPath}} {{.Export}}{{end}}", ".")
	out, err := list.Output()
	must(t, err)
	exports := map[string]string{}
	for line := range bytes.Lines(out) {
		path, file, _ := strings.Cut(strings.TrimSpace(string(line)), " ")
		exports[path] = file
	}
	fset := token.NewFileSet()
	s := source{
		info:  &types.Info{Types: map[ast.Expr]types.TypeAndValue{}, Uses: map[*ast.Ident]types.Object{}, Defs: map[*ast.Ident]types.Object{}},
		funcs: map[string]*ast.FuncDecl{},
	}
	names, err := filepath.Glob("*.go")
	must(t, err)
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(fset, name, nil, 0)
		must(t, err)
		s.files = append(s.files, f)
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok {
				s.funcs[fn.Name.Name] = fn
			}
		}
	}
	compiled := importer.ForCompiler(fset, "gc", func(path string) (io.ReadCloser, error) { return os.Open(exports[path]) })
	_, err = (&types.Config{Importer: compiled}).Check("daemon", fset, s.files, s.info)
	must(t, err)
	return s
}
