package openapi

import (
	"bytes"
	_ "embed" // the schema of OpenAPI
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// metaSchema is the schema of OpenAPI 3.1 as its authors publish it, Apache-2.0:
// https://spec.openapis.org/oas/3.1/schema/2022-10-07
//
//go:embed testdata/openapi-3.1.schema.json
var metaSchema []byte

// Checker holds JSON documents to a description.
type Checker struct {
	compiler *jsonschema.Compiler
	location string
	doc      object
}

// Check holds a description to the schema of OpenAPI 3.1, and each schema in it to
// JSON Schema; what it refers to has to be there. file is where it is, or is to be,
// and contracts are files by the ids that they have.
func Check(file string, document []byte, contracts map[string]string) (*Checker, error) {
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	c.AssertContent()
	c.UseLoader(files(contracts))
	meta, err := jsonschema.UnmarshalJSON(bytes.NewReader(metaSchema))
	if err != nil {
		return nil, err
	}
	const at = "https://spec.openapis.org/oas/3.1/schema/2022-10-07"
	if err := c.AddResource(at, meta); err != nil {
		return nil, err
	}
	schema, err := c.Compile(at)
	if err != nil {
		return nil, err
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(document))
	if err != nil {
		return nil, err
	}
	if err := schema.Validate(doc); err != nil {
		return nil, err
	}
	file, err = filepath.Abs(file)
	if err != nil {
		return nil, err
	}
	out := &Checker{compiler: c, location: "file://" + file, doc: doc.(object)} //nolint:forcetypeassert // it is valid
	if err := c.AddResource(out.location, doc); err != nil {
		return nil, err
	}
	return out, out.each("", doc)
}

// each compiles every schema in the document.
func (c *Checker) each(pointer string, v any) error {
	switch v := v.(type) {
	case object:
		for name, inner := range v {
			at := pointer + "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
			if name == "schema" || strings.HasSuffix(pointer, "/components/schemas") {
				if _, err := c.compiler.Compile(c.location + "#" + escape(at)); err != nil {
					return err
				}
				continue
			}
			if err := c.each(at, inner); err != nil {
				return err
			}
		}
	case []any:
		for i, inner := range v {
			if err := c.each(fmt.Sprintf("%s/%d", pointer, i), inner); err != nil {
				return err
			}
		}
	}
	return nil
}

// escape writes a pointer as the fragment of a URL.
func escape(pointer string) string {
	return strings.NewReplacer("%", "%25", "{", "%7B", "}", "%7D").Replace(pointer)
}

// Answer holds what a route answered to what is said of it. It is an error where
// nothing is said of the route, the status or the type.
func (c *Checker) Answer(pattern string, status int, media string, body []byte) error {
	method, path, _ := strings.Cut(pattern, " ")
	step := strings.NewReplacer("~", "~0", "/", "~1")
	at := "/paths/" + step.Replace(path) + "/" + strings.ToLower(method) + "/responses/" + fmt.Sprint(status)
	if status >= 400 {
		at = "/components/responses/Failed"
	}
	found, err := c.find(at)
	if err != nil {
		return fmt.Errorf("%s does not say that it answers with %d", pattern, status)
	}
	kinds, _ := found["content"].(object)
	if len(body) == 0 && len(kinds) == 0 {
		return nil
	}
	if _, ok := kinds[media]; !ok {
		return fmt.Errorf("%s does not say that it answers in %s", pattern, media)
	}
	at += "/content/" + step.Replace(media) + "/schema"
	switch media {
	case "application/json":
		return c.valid(at, body)
	case "application/x-ndjson":
		for line := range bytes.Lines(body) {
			if err := c.valid(at+"/contentSchema", line); err != nil {
				return err
			}
		}
	}
	return nil
}

// valid holds a JSON text to the schema at a pointer.
func (c *Checker) valid(at string, text []byte) error {
	schema, err := c.compiler.Compile(c.location + "#" + escape(at))
	if err != nil {
		return err
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return err
	}
	return schema.Validate(v)
}

// Pattern is the route that a path belongs to, as http.ServeMux would choose it; empty:
// there is none.
func (c *Checker) Pattern(method, path string) string {
	best, paths := "", c.doc["paths"].(object) //nolint:forcetypeassert // it is valid
	for candidate := range paths {
		if matches(candidate, path) && (best == "" || strings.Count(candidate, "{") < strings.Count(best, "{")) {
			if item, ok := paths[candidate].(object); ok && item[strings.ToLower(method)] != nil {
				best = candidate
			}
		}
	}
	if best == "" {
		return ""
	}
	return method + " " + best
}

// matches reports whether a path is one of a pattern.
func matches(pattern, path string) bool {
	want, got := strings.Split(pattern, "/"), strings.Split(path, "/")
	for i, w := range want {
		if i >= len(got) || w != got[i] && !strings.HasPrefix(w, "{") {
			return false
		}
	}
	return len(want) == len(got)
}

func (c *Checker) find(pointer string) (object, error) {
	at := c.doc
	for step := range strings.SplitSeq(strings.TrimPrefix(pointer, "/"), "/") {
		next, ok := at[strings.NewReplacer("~1", "/", "~0", "~").Replace(step)].(object)
		if !ok {
			return nil, fs.ErrNotExist
		}
		at = next
	}
	return at, nil
}

// files loads what is referred to from files alone, some of which have an id.
type files map[string]string

// Load reads a file by its URL or id.
func (f files) Load(url string) (any, error) {
	path, ok := f[url]
	if !ok {
		path, ok = strings.CutPrefix(url, "file://")
	}
	if !ok {
		return nil, fmt.Errorf("%s is no file", url)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return jsonschema.UnmarshalJSON(bytes.NewReader(data))
}
