package translate

import (
	"encoding/json"
	"strconv"
	"strings"
)

// fromOpenAPI makes JSON Schema of a schema in the form of OpenAPI 3.0 that gemini has:
// types are in capitals, numbers can be strings, and what may be null says so by a member.
// Source: https://ai.google.dev/api/caching#Schema.
func fromOpenAPI(raw json.RawMessage, what string) (json.RawMessage, error) {
	var v any
	if json.Unmarshal(raw, &v) != nil {
		return nil, malformed(what)
	}
	s, ok := v.(object)
	if !ok || !plainSchema(s, 0) {
		return nil, malformed(what)
	}
	return encode(s)
}

// maxSchema is how deep a schema lies in a schema.
const maxSchema = 64

func plainSchema(s object, depth int) bool {
	if depth > maxSchema {
		return false
	}
	if t, ok := s["type"].(string); ok {
		s["type"] = strings.ToLower(t)
		if s["nullable"] == true {
			s["type"] = []string{strings.ToLower(t), "null"}
		}
	}
	delete(s, "nullable")
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
	var within []any
	if list, ok := s["anyOf"].([]any); ok {
		within = list
	}
	if properties, ok := s["properties"].(object); ok {
		for _, p := range properties {
			within = append(within, p)
		}
	}
	if items, ok := s["items"]; ok {
		within = append(within, items)
	}
	for _, one := range within {
		sub, ok := one.(object)
		if !ok || !plainSchema(sub, depth+1) {
			return false
		}
	}
	return true
}
