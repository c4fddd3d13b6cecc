package openapi

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
)

// Sources is what the source of packages says beyond their types: comments, and the
// constants of types that are strings. The contracts are sealed schemas, which are
// referred to rather than said again.
type Sources struct {
	comments map[string]string   // by package.Type and package.Type.Field
	constant map[string][]string // by package.Type
	shapes   map[string]string   // by package.Type, a reference to the sealed schema
}

// Contract is a package that holds the Go types of a contract.
type Contract struct {
	Package string            // its name
	Schema  string            // the file of its schema
	Ref     string            // how the document refers to that file
	Names   map[string]string // shapes whose name is not that of their type, by type
}

// Read reads the Go files in directories, and the contracts.
func Read(dirs []string, contracts []Contract) (*Sources, error) {
	s := &Sources{comments: map[string]string{}, constant: map[string][]string{}, shapes: map[string]string{}}
	for _, dir := range dirs {
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil || len(files) == 0 {
			return nil, fmt.Errorf("no source in %s: %w", dir, err)
		}
		for _, name := range files {
			f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
			if err != nil {
				return nil, err
			}
			s.file(f)
		}
	}
	for _, c := range contracts {
		if err := s.contractOf(c); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// contractOf notes which types of a package are shapes of its contract.
func (s *Sources) contractOf(c Contract) error {
	data, err := os.ReadFile(c.Schema)
	if err != nil {
		return err
	}
	var schema struct {
		Defs map[string]json.RawMessage `json:"$defs"`
	}
	if err := json.Unmarshal(data, &schema); err != nil {
		return err
	}
	for name := range schema.Defs {
		s.shapes[c.Package+"."+strings.ToUpper(name[:1])+name[1:]] = c.Ref + "#/$defs/" + name
	}
	for goName, name := range c.Names {
		if _, ok := schema.Defs[name]; !ok {
			return fmt.Errorf("%s has no %s", c.Schema, name)
		}
		s.shapes[c.Package+"."+goName] = c.Ref + "#/$defs/" + name
	}
	return nil
}

func (s *Sources) file(f *ast.File) {
	for _, d := range f.Decls {
		decl, ok := d.(*ast.GenDecl)
		if !ok {
			continue
		}
		for _, spec := range decl.Specs {
			switch spec := spec.(type) {
			case *ast.TypeSpec:
				s.typeOf(f.Name.Name+"."+spec.Name.Name, decl, spec)
			case *ast.ValueSpec:
				s.constants(f.Name.Name, spec)
			}
		}
	}
}

func (s *Sources) typeOf(name string, decl *ast.GenDecl, spec *ast.TypeSpec) {
	doc := decl.Doc
	if spec.Doc != nil {
		doc = spec.Doc
	}
	s.comments[name] = text(doc)
	fields, ok := spec.Type.(*ast.StructType)
	if !ok {
		return
	}
	for _, f := range fields.Fields.List {
		for _, n := range f.Names {
			s.comments[name+"."+n.Name] = strings.TrimSpace(text(f.Doc) + " " + text(f.Comment))
		}
	}
}

func (s *Sources) constants(pkg string, spec *ast.ValueSpec) {
	of, ok := spec.Type.(*ast.Ident)
	if !ok || !of.IsExported() {
		return
	}
	for _, v := range spec.Values {
		if lit, ok := v.(*ast.BasicLit); ok && lit.Kind == token.STRING {
			if value, err := strconv.Unquote(lit.Value); err == nil {
				s.constant[pkg+"."+of.Name] = append(s.constant[pkg+"."+of.Name], value)
			}
		}
	}
}

// text is a comment in one line a paragraph.
func text(doc *ast.CommentGroup) string {
	var out []string
	for p := range strings.SplitSeq(strings.TrimSpace(doc.Text()), "\n\n") {
		out = append(out, strings.Join(strings.Fields(p), " "))
	}
	return strings.Join(out, "\n\n")
}

func key(t reflect.Type) string { return path.Base(t.PkgPath()) + "." + t.Name() }

// contract is the reference to the sealed schema of a type; empty: it has none.
func (s *Sources) contract(t reflect.Type) string { return s.shapes[key(t)] }

func (s *Sources) comment(t reflect.Type, field string) string {
	if field == "" {
		return s.comments[key(t)]
	}
	return s.comments[key(t)+"."+field]
}

func (s *Sources) values(t reflect.Type) []any {
	var out []any
	for _, v := range s.constant[key(t)] {
		out = append(out, v)
	}
	return out
}
