package contract

import (
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// Where only a contract is named that has several shapes, the validator fails
// with what is wrong with each. What the author meant is the shape that the
// members of the value fit best; only its errors are told.

// form is what an object of some shape has: one of the branches where there is
// a choice.
type form struct {
	required []string
	members  map[string][]any // the texts that a member may be; nil: anything
}

// What speaks against a form: a member that it needs and that is not there, one
// whose fixed text is another, one that it does not know.
const (
	costMissing = 4
	costOther   = 3
	costUnknown = 2
)

// meant returns the shape that v was probably meant to be and what is wrong with
// it as such; where nothing tells, what is wrong with it as any.
func (s *Set) meant(name string, v any, all *jsonschema.ValidationError) (shape string, _ *jsonschema.ValidationError, _ error) {
	shape = s.guess(name, v)
	if shape == "" {
		return "", all, nil
	}
	sch, err := s.schema(name + "#" + shape)
	if err != nil {
		return "", nil, err
	}
	if one, ok := errors.AsType[*jsonschema.ValidationError](sch.Validate(v)); ok {
		return shape, one, nil
	}
	return "", all, nil
}

// guess returns the shape of a contract that v was probably meant to be, of
// those that its root allows, and "" where nothing tells.
func (s *Set) guess(name string, v any) string {
	value, ok := v.(map[string]any)
	if !ok {
		return ""
	}
	shapes, err := s.rootShapes(name)
	if err != nil {
		return ""
	}
	g := guesser{s, map[string]map[string]any{}}
	best, least := "", 0
	for _, shape := range shapes {
		for _, f := range g.referred(name, localDef+shape) {
			if cost := f.cost(value); best == "" || cost < least {
				best, least = shape, cost
			}
		}
	}
	return best
}

func (f form) cost(value map[string]any) int {
	cost := 0
	for _, name := range f.required {
		if _, ok := value[name]; !ok {
			cost += costMissing
		}
	}
	for name, v := range value {
		texts, known := f.members[name]
		switch {
		case !known:
			cost += costUnknown
		case texts != nil && !slices.Contains(texts, v):
			cost += costOther
		}
	}
	return cost
}

// guesser reads each schema once.
type guesser struct {
	set  *Set
	docs map[string]map[string]any
}

// at returns what a reference in the schema of a contract leads to, and the
// contract that it is in.
func (g guesser) at(name, ref string) (string, any) {
	base, frag, _ := strings.Cut(ref, "#")
	if base != "" {
		name = strings.TrimPrefix(base, idPrefix)
	}
	if g.docs[name] == nil {
		doc, err := g.set.document(name)
		if err != nil {
			return name, nil
		}
		g.docs[name] = doc
	}
	return name, part(g.docs[name], frag)
}

// forms returns the forms that a part of the schema of a contract allows.
func (g guesser) forms(name string, node any) []form {
	schema, _ := node.(map[string]any)
	own := form{members: map[string][]any{}}
	for _, r := range list(schema["required"]) {
		if text, ok := r.(string); ok {
			own.required = append(own.required, text)
		}
	}
	properties, _ := schema["properties"].(map[string]any)
	for member, p := range properties {
		own.members[member] = g.texts(name, p)
	}
	forms := []form{own}
	if ref, ok := schema["$ref"].(string); ok {
		forms = cross(forms, g.referred(name, ref))
	}
	for _, part := range list(schema["allOf"]) {
		forms = cross(forms, g.forms(name, part))
	}
	for _, key := range []string{"oneOf", "anyOf"} {
		var branches []form
		for _, b := range list(schema[key]) {
			branches = append(branches, g.forms(name, b)...)
		}
		if branches != nil {
			forms = cross(forms, branches)
		}
	}
	return forms
}

// referred returns the forms of a reference in the schema of a contract.
func (g guesser) referred(name, ref string) []form {
	name, node := g.at(name, ref)
	return g.forms(name, node)
}

// texts returns what a member may be where the schema p lists that.
func (g guesser) texts(name string, p any) []any {
	schema, _ := p.(map[string]any)
	if ref, ok := schema["$ref"].(string); ok {
		_, node := g.at(name, ref)
		schema, _ = node.(map[string]any)
	}
	if c, ok := schema["const"]; ok {
		return texts([]any{c})
	}
	return texts(list(schema["enum"]))
}

// texts returns values where all of them are texts, which can be compared.
func texts(values []any) []any {
	for _, v := range values {
		if _, ok := v.(string); !ok {
			return nil
		}
	}
	return values
}

func list(v any) []any {
	l, _ := v.([]any)
	return l
}

// cross returns the forms that have the members of one of a and of one of b.
func cross(a, b []form) []form {
	var out []form
	for _, x := range a {
		for _, y := range b {
			f := form{required: slices.Concat(x.required, y.required), members: maps.Clone(x.members)}
			for member, texts := range y.members {
				if f.members[member] == nil {
					f.members[member] = texts
				}
			}
			out = append(out, f)
		}
	}
	return out
}
