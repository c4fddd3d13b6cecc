package openapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/vexa-ai/vexa/pkg/internal/textform"
)

// Route is one route of an API.
type Route struct {
	Pattern string // as http.ServeMux takes it: "GET /v1/things/{id}"
	Summary string
	Query   []string // "name: what it is"
	Body    any      // a value of the type that is read; nil: none
	Answer  any      // likewise of what is written
	Status  int      // of a success
	Media   string   // of what is written where it is not one JSON document
	Also    bool     // the JSON document is written, too, to who accepts no Media
}

// API is what is described.
type API struct {
	Title, Description, Version string
	Server                      string            // URL that the paths are below
	ServerDescription           string            // how to reach it
	Paths                       map[string]string // parameters of paths, and what each is
	Error                       any               // a value of the type that is written where a request failed
	Routes                      []Route
	Sources                     *Sources
}

type object = map[string]any

// Document writes the description, the same for the same API. It fails where a type
// cannot be described.
func Document(api API) ([]byte, error) {
	s := &schemas{sources: api.Sources, all: object{}, closed: map[reflect.Type]bool{}}
	for _, r := range api.Routes {
		if r.Body != nil {
			s.close(reflect.TypeOf(r.Body))
		}
	}
	paths := object{}
	for _, r := range api.Routes {
		method, path, ok := strings.Cut(r.Pattern, " ")
		if !ok {
			return nil, fmt.Errorf("the pattern %q has no method", r.Pattern)
		}
		operation, err := api.operation(s, r, path)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", r.Pattern, err)
		}
		item, ok := paths[path].(object)
		if !ok {
			item = object{}
			paths[path] = item
		}
		item[strings.ToLower(method)] = operation
	}
	failure, err := s.of(reflect.TypeOf(api.Error))
	if err != nil {
		return nil, err
	}
	doc := object{
		"openapi": "3.1.1",
		"info":    object{"title": api.Title, "description": api.Description, "version": api.Version, "license": object{"name": "Apache-2.0", "identifier": "Apache-2.0"}},
		"servers": []any{object{"url": api.Server, "description": api.ServerDescription}},
		"tags":    tags(api.Routes),
		"paths":   paths,
		"components": object{
			"schemas":   s.all,
			"responses": object{"Failed": object{"description": "It failed: what, and what to do about it.", "content": content("application/json", failure)}},
		},
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	err = enc.Encode(doc)
	return out.Bytes(), err
}

var parameter = textform.Regexp(`\{(\w+)\}`)

func (api API) operation(s *schemas, r Route, path string) (object, error) {
	o := object{"operationId": id(r.Pattern), "summary": r.Summary, "tags": []any{tag(path)}}
	var parameters []any
	for _, m := range parameter.FindAllStringSubmatch(path, -1) {
		text, ok := api.Paths[tag(path)+"."+m[1]]
		if !ok {
			return nil, fmt.Errorf("nothing says what {%s} is", m[1])
		}
		parameters = append(parameters, object{"name": m[1], "in": "path", "required": true, "description": text, "schema": object{"type": "string"}})
	}
	for _, q := range r.Query {
		name, text, ok := strings.Cut(q, ": ")
		if !ok {
			return nil, fmt.Errorf("nothing says what the parameter %q is", q)
		}
		parameters = append(parameters, object{"name": name, "in": "query", "description": text, "schema": object{"type": "string"}})
	}
	if parameters != nil {
		o["parameters"] = parameters
	}
	if r.Body != nil {
		schema, err := s.of(reflect.TypeOf(r.Body))
		if err != nil {
			return nil, err
		}
		o["requestBody"] = object{"required": s.needed(reflect.TypeOf(r.Body)), "content": content("application/json", schema)}
	}
	answer, err := s.answer(r)
	if err != nil {
		return nil, err
	}
	o["responses"] = object{strconv.Itoa(r.Status): answer, "default": object{"$ref": "#/components/responses/Failed"}}
	return o, nil
}

// answer describes what a route writes.
func (s *schemas) answer(r Route) (object, error) {
	out := object{"description": "Done."}
	var schema object
	if r.Answer != nil {
		var err error
		if schema, err = s.of(reflect.TypeOf(r.Answer)); err != nil {
			return nil, err
		}
	}
	switch {
	case r.Media != "":
		of := object{"type": "string"}
		if strings.HasSuffix(r.Media, "octet-stream") {
			of = object{} // bytes
		} else if schema != nil {
			of["contentMediaType"], of["contentSchema"] = "application/json", schema
		}
		media := content(r.Media, of)
		if r.Also {
			media["application/json"] = object{"schema": schema}
		}
		out["content"] = media
	case schema != nil:
		out["content"] = content("application/json", schema)
	}
	return out, nil
}

func content(media string, schema object) object { return object{media: object{"schema": schema}} }

// id names an operation: "post-workspaces-name-members-remove".
func id(pattern string) string {
	words := strings.FieldsFunc(strings.ToLower(pattern), func(r rune) bool { return strings.ContainsRune(" /{}", r) })
	return strings.Join(slices.DeleteFunc(words, func(w string) bool { return w == "v1" }), "-")
}

// tag is the thing that a path is about: its first part behind the version.
func tag(path string) string {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	if len(parts) < 2 {
		return "daemon"
	}
	if len(parts) > 3 && parts[3] == "proposals" {
		return parts[3]
	}
	return parts[1]
}

func tags(routes []Route) []any {
	seen := map[string]bool{}
	for _, r := range routes {
		_, path, _ := strings.Cut(r.Pattern, " ")
		seen[tag(path)] = true
	}
	var out []any
	for _, name := range slices.Sorted(maps.Keys(seen)) {
		out = append(out, object{"name": name})
	}
	return out
}
