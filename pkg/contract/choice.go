package contract

import (
	"maps"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	"golang.org/x/text/message"
)

// A oneOf whose branches each require another constant of the same member
// ("type", say) is a choice: at most one branch can match, and the member says
// which. The validator would try every branch and report why each failed;
// tagChoices marks these places in a parsed schema, and the vocabulary below
// goes straight to the branch. What is valid stays the same.

// choiceKeyword replaces such a oneOf in memory; it occurs in no file.
const choiceKeyword = "x-vexa-choice"

// tagChoices rewrites every choice below node, a part of the schema doc.
func tagChoices(doc map[string]any, node any) {
	switch node := node.(type) {
	case []any:
		for _, v := range node {
			tagChoices(doc, v)
		}
	case map[string]any:
		for _, v := range node {
			tagChoices(doc, v)
		}
		branches, ok := node["oneOf"].([]any)
		if !ok {
			return
		}
		if member, refs := choiceOf(doc, branches); member != "" {
			delete(node, "oneOf")
			node[choiceKeyword] = map[string]any{"member": member, "refs": refs}
		}
	}
}

// choiceOf returns the member that tells the branches apart and the reference
// for each of its values; the member is empty where there is none.
func choiceOf(doc map[string]any, branches []any) (member string, refs map[string]any) {
	defs, _ := doc["$defs"].(map[string]any)
	byMember := map[string]map[string]any{}
	for i, b := range branches {
		m, _ := b.(map[string]any)
		ref, _ := m["$ref"].(string)
		def, local := strings.CutPrefix(ref, "#/$defs/")
		if len(m) != 1 || !local {
			return "", nil
		}
		schema, _ := defs[def].(map[string]any)
		for name, value := range constants(schema) {
			if i == 0 {
				byMember[name] = map[string]any{}
			}
			if byMember[name] != nil {
				byMember[name][value] = ref
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(byMember)) {
		if len(byMember[name]) == len(branches) {
			return name, byMember[name]
		}
	}
	return "", nil
}

// constants returns the members that an object schema requires and fixes to
// one string.
func constants(schema map[string]any) map[string]string {
	if schema["type"] != "object" {
		return nil
	}
	required, _ := schema["required"].([]any)
	properties, _ := schema["properties"].(map[string]any)
	found := map[string]string{}
	for _, r := range required {
		name, _ := r.(string)
		property, _ := properties[name].(map[string]any)
		if value, ok := property["const"].(string); ok {
			found[name] = value
		}
	}
	return found
}

// choice is the compiled form.
type choice struct {
	member   string
	values   []any
	branches map[string]*jsonschema.Schema
}

// Validate checks v against the branch that its member chooses.
func (c *choice) Validate(ctx *jsonschema.ValidatorContext, v any) {
	obj, ok := v.(map[string]any)
	if !ok {
		ctx.AddError(&kind.Type{Got: typeName(v), Want: []string{"object"}})
		return
	}
	value, ok := obj[c.member]
	if !ok {
		ctx.AddError(&kind.Required{Missing: []string{c.member}})
		return
	}
	text, _ := value.(string)
	branch, ok := c.branches[text]
	if !ok {
		ctx.AddError(&notChosen{member: c.member, values: c.values})
		return
	}
	if err := ctx.Validate(branch, v, nil); err != nil {
		ctx.AddErr(err)
	}
}

// notChosen says that the member has no value that chooses a branch.
type notChosen struct {
	member string
	values []any
}

// KeywordPath returns the keyword the choice was written with.
func (*notChosen) KeywordPath() []string { return []string{"oneOf"} }

// LocalizedString states the rule.
func (n *notChosen) LocalizedString(p *message.Printer) string {
	return p.Sprintf("%s must be one of %s", n.member, displayAll(n.values))
}

func typeName(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case bool:
		return "boolean"
	case string:
		return "string"
	case []any:
		return "array"
	default:
		return "number"
	}
}

// choiceVocabulary compiles what tagChoices left.
func choiceVocabulary() *jsonschema.Vocabulary {
	anything := true
	return &jsonschema.Vocabulary{
		URL:     idPrefix + choiceKeyword,
		Schema:  &jsonschema.Schema{Bool: &anything},
		Compile: compileChoice,
	}
}

func compileChoice(ctx *jsonschema.CompilerContext, obj map[string]any) (jsonschema.SchemaExt, error) {
	spec, ok := obj[choiceKeyword].(map[string]any)
	if !ok {
		return nil, nil
	}
	c := &choice{branches: map[string]*jsonschema.Schema{}}
	c.member, _ = spec["member"].(string)
	refs, _ := spec["refs"].(map[string]any)
	for _, value := range slices.Sorted(maps.Keys(refs)) {
		ref, _ := refs[value].(string)
		branch, err := ctx.EnqueueRef(ref)
		if err != nil {
			return nil, err
		}
		c.branches[value] = branch
		c.values = append(c.values, value)
	}
	return c, nil
}
