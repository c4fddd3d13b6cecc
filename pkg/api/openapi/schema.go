package openapi

import (
	"encoding/json"
	"fmt"
	"path"
	"reflect"
	"strings"
	"time"
)

// schemas describes Go types as encoding/json writes them.
type schemas struct {
	sources *Sources
	all     object                // components, by name
	closed  map[reflect.Type]bool // read from requests: a member that is not known is refused
}

// close notes that a type is read from requests, with all that is in it.
func (s *schemas) close(t reflect.Type) {
	switch t.Kind() { //nolint:exhaustive // others hold no other types
	case reflect.Pointer, reflect.Slice, reflect.Map:
		s.close(t.Elem())
	case reflect.Struct:
		if s.closed[t] || t == reflect.TypeFor[time.Time]() {
			return
		}
		s.closed[t] = true
		for f := range t.Fields() {
			s.close(f.Type)
		}
	}
}

// of is the schema of a type, a reference where it has a name.
func (s *schemas) of(t reflect.Type) (object, error) {
	if t.Name() != "" && t.PkgPath() != "" {
		if ref := s.sources.contract(t); ref != "" {
			return object{"$ref": ref}, nil
		}
	}
	switch {
	case t == reflect.TypeFor[time.Time]():
		return object{"type": "string", "format": "date-time"}, nil
	case t == reflect.TypeFor[json.RawMessage]():
		return object{}, nil
	case t == reflect.TypeFor[[]byte]():
		return object{"type": []any{"string", "null"}, "contentEncoding": "base64"}, nil
	case t.Kind() != reflect.Pointer && t.Implements(reflect.TypeFor[json.Marshaler]()):
		return nil, fmt.Errorf("%s says itself how it is written", t)
	}
	switch t.Kind() {
	case reflect.Bool:
		return object{"type": "boolean"}, nil
	case reflect.Int, reflect.Int32, reflect.Int64:
		return object{"type": "integer"}, nil
	case reflect.Float64:
		return object{"type": "number"}, nil
	case reflect.String:
		out := object{"type": "string"}
		if values := s.sources.values(t); len(values) > 0 {
			out["enum"] = values
		}
		return out, nil
	case reflect.Pointer:
		return s.orNull(t.Elem())
	case reflect.Slice:
		return s.inside("array", "items", t)
	case reflect.Map:
		return s.inside("object", "additionalProperties", t)
	case reflect.Struct:
		return s.named(t)
	default:
		return nil, fmt.Errorf("%s cannot be described", t)
	}
}

func (s *schemas) orNull(t reflect.Type) (object, error) {
	inner, err := s.of(t)
	if err != nil {
		return nil, err
	}
	return object{"anyOf": []any{inner, object{"type": "null"}}}, nil
}

func (s *schemas) inside(kind, member string, t reflect.Type) (object, error) {
	inner, err := s.of(t.Elem())
	if err != nil {
		return nil, err
	}
	return object{"type": kind, member: inner}, nil
}

// named puts a struct into the components.
func (s *schemas) named(t reflect.Type) (object, error) {
	if t.Name() == "" {
		return nil, fmt.Errorf("a struct without a name: %s", t)
	}
	name := t.Name()
	if path.Base(t.PkgPath()) != "api" {
		name = path.Base(t.PkgPath()) + "." + name
	}
	ref := object{"$ref": "#/components/schemas/" + name}
	if _, ok := s.all[name]; ok {
		return ref, nil
	}
	out, members := object{"type": "object"}, object{}
	s.all[name] = out // before its members, which may hold it
	if text := s.sources.comment(t, ""); text != "" {
		out["description"] = text
	}
	if s.closed[t] {
		out["additionalProperties"] = false
	}
	var required []any
	for f := range t.Fields() {
		name, may, ok := member(f)
		if !ok {
			return nil, fmt.Errorf("%s.%s has no name in JSON", t, f.Name)
		}
		schema, err := s.of(f.Type)
		if err != nil {
			return nil, err
		}
		text := s.sources.comment(t, f.Name)
		if schema["$ref"] != nil && f.Type.Kind() == reflect.String && strings.HasPrefix(text, "empty: ") {
			schema = object{"anyOf": []any{schema, object{"const": ""}}} // which the contract does not have
		}
		if text != "" {
			schema["description"] = text
		}
		members[name] = schema
		if !may {
			required = append(required, name)
		}
	}
	out["properties"] = members
	if required != nil {
		out["required"] = required
	}
	return ref, nil
}

// member is the name of a field in JSON, and whether it may be left out.
func member(f reflect.StructField) (name string, may, ok bool) {
	name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
	return name, strings.Contains(options, "omitempty") || strings.Contains(options, "omitzero"), name != "" && name != "-" && f.IsExported()
}

// needed reports whether a body of the type has a member that must be there.
func (s *schemas) needed(t reflect.Type) bool {
	for f := range t.Fields() {
		if _, may, _ := member(f); !may {
			return true
		}
	}
	return false
}
