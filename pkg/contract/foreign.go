package contract

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/vexa-ai/vexa/pkg/contract/ijson"
	"github.com/vexa-ai/vexa/pkg/fault"
)

// foreignPrefix is where a schema of somebody else's is taken to be; nothing is
// ever fetched from there.
const foreignPrefix = "https://vexa.ai/foreign/"

// Schema is a JSON Schema that is no contract of ours, such as the inputSchema
// of a tool. It is safe for concurrent use.
type Schema struct {
	name     string
	doc      map[string]any
	compiled *jsonschema.Schema
}

// CompileSchema reads a schema (JSON Schema 2020-12 unless it names another
// draft) that errors are to call by name. It refers to nothing but itself: a
// reference to anywhere else is refused. The error is fault.Invalid.
func CompileSchema(name string, schema json.RawMessage) (*Schema, error) {
	s, err := compileForeign(name, schema)
	if err != nil {
		return nil, fault.Newf(fault.Invalid, "the schema of %s: %w", name, err)
	}
	return s, nil
}

func compileForeign(name string, schema json.RawMessage) (*Schema, error) {
	v, err := ijson.Parse(schema)
	if err != nil {
		return nil, err
	}
	doc, ok := v.(map[string]any)
	if !ok {
		return nil, errors.New("it is not an object")
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.UseLoader(nothing{})
	if err := c.AddResource(foreignPrefix+name, doc); err != nil {
		return nil, err
	}
	compiled, err := c.Compile(foreignPrefix + name)
	if err != nil {
		return nil, err
	}
	return &Schema{name: name, doc: doc, compiled: compiled}, nil
}

// nothing loads nothing.
type nothing struct{}

func (nothing) Load(url string) (any, error) {
	return nil, fmt.Errorf("%s lies outside of it", url)
}

// Validate checks one JSON text, which is read as I-JSON. The error is
// fault.Invalid with an *Error in its chain, which quotes no value of the text.
func (s *Schema) Validate(data []byte) error {
	v, err := ijson.Parse(data)
	if err != nil {
		p := Problem{Rule: "json", Msg: err.Error()}
		if syntax, ok := errors.AsType[*ijson.SyntaxError](err); ok {
			p.Pointer = syntax.Pointer
		}
		return newError(s.name, "", []Problem{p})
	}
	if err := s.compiled.Validate(v); err != nil {
		verr, ok := errors.AsType[*jsonschema.ValidationError](err)
		if !ok {
			return err
		}
		return newError(explainer{s.lookup}.explain(s.name, s.name, verr))
	}
	return nil
}

// lookup returns the part of the schema at an absolute location.
func (s *Schema) lookup(url string) any {
	_, frag, _ := strings.Cut(url, "#")
	return part(s.doc, frag)
}
