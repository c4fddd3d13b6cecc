package translate

import (
	"encoding/json"
	"strconv"
	"strings"
)

const (
	maxSchema      = 64      // how deep a schema lies in a schema
	maxSchemaBytes = 1 << 20 // of one schema, which becomes many times that
)

// either is a schema that is JSON Schema or, where that is not said, in the form of OpenAPI.
func either(plain, openAPI json.RawMessage, what string) (json.RawMessage, error) {
	if !empty(plain) || empty(openAPI) {
		return plain, nil
	}
	return fromOpenAPI(openAPI, what)
}

// fromOpenAPI makes JSON Schema of a schema in the form of OpenAPI 3.0 that gemini has:
// types are in capitals, numbers can be strings, and what may be null says so by a member.
// Source: https://ai.google.dev/api/caching#Schema.
func fromOpenAPI(raw json.RawMessage, what string) (json.RawMessage, error) {
	var s object
	if len(raw) > maxSchemaBytes || json.Unmarshal(raw, &s) != nil || !plainSchema(s, 0) {
		return nil, malformed(what)
	}
	return encode(s)
}

func plainSchema(s object, depth int) bool {
	if depth > maxSchema {
		return false
	}
	plainType(s)
	delete(s, "propertyOrdering")
	for _, name := range []string{"minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties"} {
		if text, ok := s[name].(string); ok {
			n, err := strconv.ParseUint(text, 10, 32)
			if err != nil {
				return false
			}
			s[name] = n
		}
	}
	for _, one := range schemasIn(s) {
		switch sub := one.(type) {
		case object:
			if !plainSchema(sub, depth+1) {
				return false
			}
		case bool, nil: // any, none, or not said
		default:
			return false
		}
	}
	return true
}

// schemasIn are the schemas that a schema has in it.
func schemasIn(s object) []any {
	within := []any{s["items"], s["additionalProperties"], s["not"]}
	for _, name := range []string{"anyOf", "oneOf", "allOf", "prefixItems"} {
		if list, ok := s[name].([]any); ok {
			within = append(within, list...)
		}
	}
	for _, name := range []string{"properties", "$defs", "defs"} {
		if named, ok := s[name].(object); ok {
			for _, p := range named {
				within = append(within, p)
			}
		}
	}
	return within
}

// plainType writes the type of a schema as JSON Schema has it, null where it may be.
func plainType(s object) {
	t, _ := s["type"].(string) // "": it has none
	t = strings.ToLower(t)
	switch t {
	case "":
	case "type_unspecified":
		delete(s, "type")
		t = ""
	default:
		s["type"] = t
	}
	nullable := s["nullable"] == true
	delete(s, "nullable")
	if !nullable {
		return
	}
	if t != "" {
		s["type"] = []string{t, "null"}
	}
	if list, ok := s["anyOf"].([]any); ok {
		s["anyOf"] = append(list, object{"type": "null"})
	}
	if list, ok := s["enum"].([]any); ok {
		s["enum"] = append(list, nil)
	}
}
