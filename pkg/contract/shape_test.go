package contract

import (
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/vexa-ai/vexa/schemas"
)

// walkSchema calls fn with every object below node and where it is.
func walkSchema(at string, node any, fn func(at string, obj map[string]any)) {
	switch node := node.(type) {
	case []any:
		for _, v := range node {
			walkSchema(at+"[]", v, fn)
		}
	case map[string]any:
		fn(at, node)
		for name, v := range node {
			walkSchema(at+"/"+name, v, fn)
		}
	}
}

func documents(t *testing.T) map[string]map[string]any {
	t.Helper()
	set, err := Embedded()
	if err != nil {
		t.Fatal(err)
	}
	docs := map[string]map[string]any{}
	for _, name := range Names() {
		if docs[name], err = set.document(name); err != nil {
			t.Fatal(err)
		}
	}
	return docs
}

// TestClosed: at every level of what we produce an unknown member is refused.
func TestClosed(t *testing.T) {
	t.Parallel()
	open := []string{
		"proactive-card.v1/$defs/call/properties/arguments", // a tool's own
		"tool.v1/$defs/Call/properties/arguments",           // likewise
		"tool.v1/$defs/Tool/properties/inputSchema",         // a schema of the tool's
		"ws.v2/$defs/toolCallBody/properties/arguments",     // a tool's own
		"ws.v1/$defs/toolCallBody/properties/arguments",     // likewise
		"ws.v2/$defs/opaqueBody/properties/json",            // a runner's own
		"identity.v1/$defs/toolDetail/properties/arguments", // a schema that bounds them
		"schedule.v1/$defs/ScheduleJob/properties/metadata", // the caller's own
	}
	for name, doc := range documents(t) {
		walkSchema(name, doc, func(at string, obj map[string]any) {
			if obj["type"] != "object" || slices.Contains(open, at) {
				return
			}
			switch more := obj["additionalProperties"].(type) {
			case bool:
				if !more {
					return
				}
			case map[string]any:
				if obj["properties"] == nil {
					return // a map
				}
			}
			t.Errorf("%s takes members it does not name", at)
		})
	}
}

// TestWorkspaceSaysNothingOfContent: a workspace is any Git repository.
func TestWorkspaceSaysNothingOfContent(t *testing.T) {
	t.Parallel()
	docs := documents(t)
	members := func(def string) []string {
		defs, _ := docs["workspace.v1"]["$defs"].(map[string]any)
		shape, _ := defs[def].(map[string]any)
		props, _ := shape["properties"].(map[string]any)
		return slices.Sorted(maps.Keys(props))
	}
	if got := members("Workspace"); !slices.Equal(got, []string{"bucket", "encryption", "id", "mode"}) {
		t.Errorf("workspace.v1 has members %q", got)
	}
	if got := members("encryption"); !slices.Equal(got, []string{"keyGeneration", "recipients", "scheme"}) {
		t.Errorf("workspace.v1 encryption has members %q", got)
	}
	content := regexp.MustCompile(`(?i)frontmatter|^entity|wiki|layout`)
	for name, doc := range docs {
		defs, _ := doc["$defs"].(map[string]any)
		for def := range defs {
			if content.MatchString(def) {
				t.Errorf("%s has a definition %s: what a workspace holds has no schema", name, def)
			}
		}
	}
}

// TestRetired: an event is an integration that fires the scheduler, and tasks
// are files; their contracts are gone with their schemas and Go types.
func TestRetired(t *testing.T) {
	t.Parallel()
	for _, stem := range []string{"event", "task"} {
		if _, err := Source(stem + ".v1"); err == nil {
			t.Errorf("there is a contract %q", stem)
		}
	}
	retired := regexp.MustCompile(`(^|/)(event|task)(\.?v[0-9]+|\.schema\.json)(/|$)`)
	for _, top := range []string{source, "."} {
		err := filepath.WalkDir(top, func(path string, _ fs.DirEntry, err error) error {
			if retired.MatchString(filepath.ToSlash(path)) {
				t.Errorf("%s belongs to a retired contract", path)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for id := range goTypes() {
		if strings.HasPrefix(id, "event.") || strings.HasPrefix(id, "task.") {
			t.Errorf("there is a Go type for %s", id)
		}
	}
}

// TestEveryShapeHasAGoType: what crosses a seam is not a map.
func TestEveryShapeHasAGoType(t *testing.T) {
	t.Parallel()
	set, err := Embedded()
	if err != nil {
		t.Fatal(err)
	}
	types := goTypes()
	for _, name := range Names() {
		shapes, err := set.Shapes(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, shape := range shapes {
			if types[name+"#"+shape] == nil {
				t.Errorf("%s#%s has no Go type", name, shape)
			}
			delete(types, name+"#"+shape)
		}
	}
	for id := range types {
		t.Errorf("the Go type of %s has no shape", id)
	}
}

// TestReadmeNamesEveryMember keeps the READMEs whole.
func TestReadmeNamesEveryMember(t *testing.T) {
	t.Parallel()
	for name, doc := range documents(t) {
		data, err := schemas.FS.ReadFile(name + "/README.md")
		if err != nil {
			t.Fatal(err)
		}
		readme := string(data)
		for _, word := range []string{"**Purpose**: ", "**Owner**: ", "**Consumers**: "} {
			if !strings.Contains(readme, word) {
				t.Errorf("%s/README.md does not say its %s", name, strings.Trim(word, "*: "))
			}
		}
		walkSchema(name, doc, func(at string, obj map[string]any) {
			if strings.Contains(at, "/if") || strings.Contains(at, "/then") || strings.Contains(at, "/else") {
				return
			}
			props, _ := obj["properties"].(map[string]any)
			for member := range props {
				if !strings.Contains(readme, "`"+member+"`") && !strings.Contains(readme, "."+member+"`") {
					t.Errorf("%s/README.md does not name %s/properties/%s", name, at, member)
				}
			}
			enum, _ := obj["enum"].([]any)
			for _, value := range enum {
				if text, ok := value.(string); ok && !strings.Contains(readme, "`"+text+"`") {
					t.Errorf("%s/README.md does not name the value %q of %s", name, text, at)
				}
			}
		})
	}
}

// notContracts are names that only look like a contract's.
var notContracts = []string{
	"yaml.v3",                                                                            // gopkg.in/yaml.v3
	"config.v1", "index.v1", "layer.v1", "list.v2", "manifest.v1", "nondistributable.v1", // ends of media types of OCI and Docker
}

// TestNamesAreSealed: whatever code, help and documents call a contract is one,
// and is sealed.
func TestNamesAreSealed(t *testing.T) {
	t.Parallel()
	set, err := Embedded()
	if err != nil {
		t.Fatal(err)
	}
	seal, err := set.Sealed()
	if err != nil {
		t.Fatal(err)
	}
	name := regexp.MustCompile(`\b[a-z][a-z-]*\.v[0-9]+\b`)
	root := filepath.Join("..", "..")
	seen := 0
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if skip := d.Name(); path != root && (strings.HasPrefix(skip, ".") || skip == "node_modules" || skip == "out") {
				return fs.SkipDir
			}
			return nil
		}
		switch filepath.Ext(path) {
		case ".go", ".md":
		default:
			return nil
		}
		data, err := os.ReadFile(path)
		for _, found := range name.FindAllString(string(data), -1) {
			if _, ok := seal[found]; !ok && !slices.Contains(notContracts, found) {
				t.Errorf("%s names %s, which is not in the seal", path, found)
			}
			seen++
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if seen < 50 {
		t.Errorf("only %d names found", seen)
	}
}
