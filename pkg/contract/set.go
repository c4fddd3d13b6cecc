package contract

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	neturl "net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/vexa-ai/vexa/pkg/contract/ijson"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/internal/textform"
)

// idPrefix begins the $id of every schema; nothing is ever fetched from there.
const idPrefix = "https://vexa.ai/schemas/"

var nameRE = textform.Regexp(`^[a-z][a-z-]*\.v[1-9][0-9]*$`)

// Set is a directory of contracts. It is safe for concurrent use.
type Set struct {
	fsys  fs.FS
	names []string
	each  map[string]*entry
	plain bool // leave schemas as they are written; for the test of choice.go and prune.go
}

// entry is one contract. Each of its shapes is compiled when it is first used,
// by itself: a worker that starts waits for the one shape it reads.
type entry struct {
	mu       sync.RWMutex
	compiled map[string]*jsonschema.Schema // by definition; "" is the root
	branches map[string]*branches          // by shape
}

// Open reads the directory of contracts fsys, such as schemas.FS. Schemas are
// compiled when they are first used.
func Open(fsys fs.FS) (*Set, error) {
	dirs, err := fs.ReadDir(fsys, ".")
	if err != nil {
		return nil, fmt.Errorf("read the contracts: %w", err)
	}
	s := &Set{fsys: fsys, each: map[string]*entry{}}
	for _, d := range dirs {
		if d.IsDir() && nameRE.MatchString(d.Name()) {
			s.names = append(s.names, d.Name())
			s.each[d.Name()] = &entry{compiled: map[string]*jsonschema.Schema{}, branches: map[string]*branches{}}
		}
	}
	slices.Sort(s.names)
	return s, nil
}

// Names returns the contracts in order.
func (s *Set) Names() []string { return slices.Clone(s.names) }

// Source returns the schema of a contract as it is written.
func (s *Set) Source(name string) ([]byte, error) {
	if _, ok := s.each[name]; !ok {
		return nil, s.unknown(name)
	}
	return fs.ReadFile(s.fsys, schemaPath(name))
}

// Shapes returns the shapes of a contract in order: the definitions whose name
// begins with a capital letter.
func (s *Set) Shapes(name string) ([]string, error) {
	doc, err := s.document(name)
	if err != nil {
		return nil, err
	}
	defs, _ := doc["$defs"].(map[string]any)
	shapes := slices.Sorted(maps.Keys(defs))
	return slices.DeleteFunc(shapes, func(def string) bool { return !isShape(def) }), nil
}

// isShape reports whether a definition is a shape, not a part of one.
func isShape(def string) bool { return def != "" && 'A' <= def[0] && def[0] <= 'Z' }

// rootShapes returns the shapes that a text may have where only the contract is
// named: the one the root refers to, or any of several. The other shapes are
// parts of these.
func (s *Set) rootShapes(name string) ([]string, error) {
	doc, err := s.document(name)
	if err != nil {
		return nil, err
	}
	branches, _ := doc["anyOf"].([]any)
	if branches == nil {
		branches = []any{doc}
	}
	var shapes []string
	for _, b := range branches {
		m, _ := b.(map[string]any)
		ref, _ := m["$ref"].(string)
		shape, ok := strings.CutPrefix(ref, "#/$defs/")
		if !ok {
			return nil, fmt.Errorf("the root of %s is neither a shape nor any of several", name)
		}
		shapes = append(shapes, shape)
	}
	return shapes, nil
}

func (s *Set) unknown(name string) error {
	return fault.New(fault.NotFound, fmt.Sprintf("there is no contract %q", name),
		"vexa contract list names them")
}

// schemaPath returns where the schema of a contract is, for example
// unit.v1/unit.schema.json: the file's name leaves the version out, so that
// the directory alone carries it.
func schemaPath(name string) string {
	stem, _, _ := strings.Cut(name, ".")
	return path.Join(name, stem+".schema.json")
}

// compile compiles one shape of a contract, or with "" its root.
func (s *Set) compile(name, shape string) (*jsonschema.Schema, error) {
	doc, err := s.document(name)
	if err != nil {
		return nil, err
	}
	if id, _ := doc["$id"].(string); id != idPrefix+name {
		return nil, fmt.Errorf("its $id is %q, not %q", id, idPrefix+name)
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.AssertFormat()
	c.RegisterVocabulary(choiceVocabulary())
	c.AssertVocabs()
	c.UseLoader(loader{s, name, shape})
	if shape == "" {
		return c.Compile(idPrefix + name)
	}
	return c.Compile(idPrefix + name + "#/$defs/" + shape)
}

func (s *Set) document(name string) (map[string]any, error) {
	data, err := s.Source(name)
	if err != nil {
		return nil, err
	}
	// The same strictness as for inputs: a member named twice would be lost.
	v, err := ijson.Parse(data)
	if err != nil {
		return nil, err
	}
	doc, ok := v.(map[string]any)
	if !ok {
		return nil, errors.New("it is not an object")
	}
	return doc, nil
}

// loader resolves references between contracts of the set, and nothing else.
type loader struct {
	set         *Set
	name, shape string // what is compiled; of its contract only what the shape needs is given
}

func (l loader) Load(url string) (any, error) {
	name, ok := strings.CutPrefix(url, idPrefix)
	if !ok {
		return nil, fmt.Errorf("%s is not a contract of this set", url)
	}
	doc, err := l.set.document(name)
	if err != nil {
		return nil, err
	}
	if !l.set.plain {
		if name == l.name && l.shape != "" {
			prune(doc, l.shape)
		}
		tagChoices(doc, doc)
	}
	return doc, nil
}

// lookup returns the part of a schema at an absolute location such as
// https://vexa.ai/schemas/unit.v1#/$defs/ulid, and nil where there is none. It
// serves error messages only.
func (s *Set) lookup(url string) any {
	base, frag, _ := strings.Cut(url, "#")
	schema, err := s.document(strings.TrimPrefix(base, idPrefix))
	if err != nil {
		return nil
	}
	return part(schema, frag)
}

// part returns the part of a schema that the fragment of a URL points to.
func part(schema map[string]any, frag string) any {
	var doc any = schema
	for tok := range strings.SplitSeq(strings.TrimPrefix(frag, "/"), "/") {
		if tok == "" {
			continue
		}
		tok, err := unescape(tok)
		if err != nil {
			return nil
		}
		switch node := doc.(type) {
		case map[string]any:
			doc = node[tok]
		case []any:
			i, err := strconv.Atoi(tok)
			if err != nil || i < 0 || i >= len(node) {
				return nil
			}
			doc = node[i]
		default:
			return nil
		}
	}
	return doc
}

// unescape reads one reference token of a JSON Pointer in a URL fragment.
func unescape(tok string) (string, error) {
	tok, err := neturl.PathUnescape(tok)
	return strings.NewReplacer("~1", "/", "~0", "~").Replace(tok), err
}

// split divides "ws.v2#Frame" into contract and shape.
func split(name string) (contract, shape string) {
	contract, shape, _ = strings.Cut(name, "#")
	return contract, shape
}

// schema returns the compiled schema of "unit.v1" or "ws.v2#Frame".
func (s *Set) schema(name string) (*jsonschema.Schema, error) {
	name, shape := split(name)
	e, ok := s.each[name]
	if !ok {
		return nil, s.unknown(name)
	}
	if shape == "" || isShape(shape) {
		e.mu.RLock()
		sch := e.compiled[shape]
		e.mu.RUnlock()
		if sch != nil {
			return sch, nil
		}
	}
	shapes, err := s.Shapes(name)
	if err != nil {
		return nil, fmt.Errorf("read the schema of %s: %w", name, err)
	}
	if shape != "" && !slices.Contains(shapes, shape) {
		return nil, fault.New(fault.NotFound, fmt.Sprintf("contract %s has no shape %q", name, shape),
			"vexa contract show "+name+" shows them")
	}
	return s.compiled(e, name, shape)
}

// compiled returns the compiled schema of a definition.
func (s *Set) compiled(e *entry, name, def string) (*jsonschema.Schema, error) {
	e.mu.RLock()
	sch := e.compiled[def]
	e.mu.RUnlock()
	if sch != nil {
		return sch, nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.compiled[def] == nil {
		sch, err := s.compile(name, def)
		if err != nil {
			return nil, fmt.Errorf("compile the schema of %s: %w", name, err)
		}
		e.compiled[def] = sch
	}
	return e.compiled[def], nil
}

// Validate checks one JSON text against "unit.v1" (any of its shapes) or
// "ws.v2#Frame" (that shape). What breaks the contract is a fault of kind
// Invalid with an *Error in its chain; a name that is not known is NotFound.
func (s *Set) Validate(name string, data []byte) error {
	_, err := s.validate(name, data)
	return err
}

func (s *Set) validate(name string, data []byte) (any, error) {
	v, err := ijson.Parse(data)
	if err == nil && s.settled(name, v) {
		return v, nil
	}
	sch, unknown := s.schema(name)
	if unknown != nil {
		return nil, unknown
	}
	contract, shape := split(name)
	if err != nil {
		p := Problem{Rule: "json", Msg: err.Error()}
		if syntax, ok := errors.AsType[*ijson.SyntaxError](err); ok {
			p.Pointer = syntax.Pointer
		}
		return nil, newError(contract, shape, []Problem{p})
	}
	if err := sch.Validate(v); err != nil {
		var verr *jsonschema.ValidationError
		if !errors.As(err, &verr) {
			return nil, err
		}
		if shape == "" {
			if shape, verr, err = s.meant(contract, v, verr); err != nil {
				return nil, err
			}
		}
		return nil, newError(explainer{s.lookup}.explain(contract, shape, verr))
	}
	return v, nil
}

// decode validates data and reads it into v.
func (s *Set) decode(name string, data []byte, v any) error {
	tree, err := s.validate(name, data)
	if err != nil {
		return err
	}
	err = unmarshal(data, v)
	if err == nil {
		return nil
	}
	// JSON Schema holds 1.0 and 1e2 for integers, encoding/json does not; the
	// canonical form writes them as such.
	if canonical, cerr := ijson.Append(nil, tree); cerr == nil {
		err = unmarshal(canonical, v)
	}
	if err == nil {
		return nil
	}
	contract, shape := split(name)
	return newError(contract, shape, []Problem{decodeProblem(err)})
}

func unmarshal(data []byte, v any) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	return dec.Decode(v)
}

func decodeProblem(err error) Problem {
	p := Problem{Rule: "type", Msg: "cannot be read: " + err.Error()}
	if typ, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		p.Pointer = "/" + strings.ReplaceAll(typ.Field, ".", "/")
		p.Msg = "a JSON " + typ.Value + " does not fit here"
	}
	return p
}
