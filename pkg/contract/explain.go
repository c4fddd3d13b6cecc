package contract

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"

	"github.com/vexa-ai/vexa/pkg/contract/ijson"
)

// The rules that say that a member should not be there. They come last: a
// member is often only there, or unknown, because another rule is broken.
const (
	ruleAdditional  = "additionalProperties"
	ruleUnevaluated = "unevaluatedProperties"
	ruleForbidden   = "forbidden"
)

// explainer turns the validator's tree of errors into problems in plain words.
type explainer struct {
	lookup func(url string) any // the schema at an absolute location, nil where there is none
}

// explain returns the arguments of newError for a failed validation.
func (x explainer) explain(name, shape string, err *jsonschema.ValidationError) (string, string, []Problem) {
	if shape == "" {
		shape = x.shapeOf(err)
	}
	problems := order(x.flatten(err))
	if len(problems) == 0 { // the validator says no without saying where
		problems = []Problem{{Rule: "schema", Msg: "does not match the schema"}}
	}
	return name, shape, problems
}

// flatten collects the leaves below err. Of a choice it keeps the branch that
// came closest, because the others are not what the author meant.
func (x explainer) flatten(err *jsonschema.ValidationError) []Problem {
	switch k := err.ErrorKind.(type) {
	case *kind.AnyOf:
		_, problems := x.closest(err.Causes)
		return problems
	case *kind.OneOf:
		if names := x.alternatives(err.SchemaURL); names != "" {
			msg := "must have exactly one of " + names
			return []Problem{{Pointer: pointer(err), Rule: "oneOf", Msg: msg}}
		}
		if len(k.Subschemas) > 0 {
			return []Problem{{Pointer: pointer(err), Rule: "oneOf", Msg: "matches more than one of the forms allowed here"}}
		}
		_, problems := x.closest(err.Causes)
		return problems
	}
	if len(err.Causes) == 0 {
		return x.leaf(err)
	}
	var problems []Problem
	for _, c := range err.Causes {
		problems = append(problems, x.flatten(c)...)
	}
	return problems
}

// closest returns the branch whose problems are the fewest, where a constant
// that differs weighs most: it is what tells the branches apart.
func (x explainer) closest(branches []*jsonschema.ValidationError) (*jsonschema.ValidationError, []Problem) {
	var (
		best     *jsonschema.ValidationError
		problems []Problem
		least    int
	)
	for _, b := range branches {
		ps := order(x.flatten(b))
		weight := len(ps)
		for _, p := range ps {
			if p.chooses || p.Rule == "type" && p.Pointer == pointer(b) {
				weight += 1000
			}
		}
		if best == nil || weight < least {
			best, problems, least = b, ps, weight
		}
	}
	return best, problems
}

// shapeOf returns the shape that the root of a contract was read as.
func (x explainer) shapeOf(err *jsonschema.ValidationError) string {
	for err != nil {
		switch k := err.ErrorKind.(type) {
		case *kind.Reference:
			_, shape, _ := strings.Cut(k.URL, "#/$defs/")
			return shape
		case *kind.Schema:
			if len(err.Causes) != 1 {
				return ""
			}
			err = err.Causes[0]
		case *kind.AnyOf:
			err, _ = x.closest(err.Causes)
		default:
			_, shape, _ := strings.Cut(err.SchemaURL, "#/$defs/")
			if strings.Contains(shape, "/") {
				return ""
			}
			return shape
		}
	}
	return ""
}

// alternatives returns the members of which a oneOf at url asks for exactly
// one, where that is all its branches ask.
func (x explainer) alternatives(url string) string {
	schema, _ := x.lookup(url).(map[string]any)
	branches, _ := schema["oneOf"].([]any)
	var names []string
	for _, b := range branches {
		m, _ := b.(map[string]any)
		req, _ := m["required"].([]any)
		if len(m) != 1 || len(req) != 1 {
			return ""
		}
		names = append(names, display(req[0]))
	}
	return strings.Join(names, ", ")
}

// title returns what the schema at url calls its values, for example "a ULID".
func (x explainer) title(url string) string {
	schema, _ := x.lookup(url).(map[string]any)
	t, _ := schema["title"].(string)
	return t
}

func (x explainer) leaf(err *jsonschema.ValidationError) []Problem {
	at := pointer(err)
	switch k := err.ErrorKind.(type) {
	case *kind.AdditionalProperties:
		var problems []Problem
		for _, name := range k.Properties {
			problems = append(problems, Problem{Pointer: at + "/" + ijson.Escape(name), Rule: ruleAdditional, Msg: "is not a member of the contract"})
		}
		return problems
	case *kind.Required:
		var problems []Problem
		for _, name := range k.Missing {
			problems = append(problems, Problem{Pointer: at, Rule: "required", Msg: "must have " + strconv.Quote(name)})
		}
		return problems
	case *notChosen:
		return []Problem{{Pointer: at + "/" + ijson.Escape(k.member), Rule: "enum", Msg: "must be one of " + displayAll(k.values), chooses: true}}
	case *kind.FalseSchema:
		if strings.HasSuffix(err.SchemaURL, "/"+ruleUnevaluated) {
			return []Problem{{Pointer: at, Rule: ruleUnevaluated, Msg: "is not a member of the contract"}}
		}
		return []Problem{{Pointer: at, Rule: ruleForbidden, Msg: "must not be here"}}
	case *kind.Pattern:
		if t := x.title(err.SchemaURL); t != "" {
			return []Problem{{Pointer: at, Rule: "pattern", Msg: "must be " + t}}
		}
		return []Problem{{Pointer: at, Rule: "pattern", Msg: "must match " + k.Want}}
	default:
		rule, msg := words(err.ErrorKind)
		return []Problem{{Pointer: at, Rule: rule, Msg: msg, chooses: rule == "const"}}
	}
}

// words states the rule of a leaf. It never quotes the value that broke it.
func words(k jsonschema.ErrorKind) (rule, msg string) {
	switch k := k.(type) {
	case *kind.Type:
		return "type", "must be " + types(k.Want) + ", not " + article(k.Got)
	case *kind.Enum:
		return "enum", "must be one of " + displayAll(k.Want)
	case *kind.Const:
		return "const", "must be " + display(k.Want)
	case *kind.Format:
		return "format", "must be " + formatName(k.Want)
	case *kind.MinLength:
		return "minLength", "must have at least " + count(k.Want, "character")
	case *kind.MaxLength:
		return "maxLength", "must have at most " + count(k.Want, "character")
	case *kind.MinItems:
		return "minItems", "must have at least " + count(k.Want, "item")
	case *kind.MaxItems:
		return "maxItems", "must have at most " + count(k.Want, "item")
	case *kind.UniqueItems:
		return "uniqueItems", fmt.Sprintf("items %d and %d must differ", k.Duplicates[0], k.Duplicates[1])
	case *kind.MinProperties:
		return "minProperties", "must have at least " + count(k.Want, "member")
	case *kind.MaxProperties:
		return "maxProperties", "must have at most " + count(k.Want, "member")
	case *kind.Minimum:
		return "minimum", "must be at least " + k.Want.RatString()
	case *kind.Maximum:
		return "maximum", "must be at most " + k.Want.RatString()
	case *kind.ExclusiveMinimum:
		return "exclusiveMinimum", "must be more than " + k.Want.RatString()
	case *kind.DependentRequired:
		return "dependentRequired", fmt.Sprintf("must have %s because it has %q", displayStrings(k.Missing), k.Prop)
	default:
		return strings.Join(k.KeywordPath(), "/"), "does not match the schema"
	}
}

func count(n int, of string) string {
	if n != 1 {
		of += "s"
	}
	return strconv.Itoa(n) + " " + of
}

func formatName(format string) string {
	switch format {
	case "date-time":
		return "a date and time as in RFC 3339, for example 2026-06-18T10:00:00Z"
	case "uri":
		return "an absolute URI"
	case "email":
		return "a mail address"
	default:
		return "a valid " + format
	}
}

func pointer(err *jsonschema.ValidationError) string {
	var b strings.Builder
	for _, tok := range err.InstanceLocation {
		b.WriteByte('/')
		b.WriteString(ijson.Escape(tok))
	}
	return b.String()
}

func article(t string) string {
	switch t {
	case "null":
		return t
	case "array", "object", "integer":
		return "an " + t
	default:
		return "a " + t
	}
}

func types(want []string) string {
	words := make([]string, len(want))
	for i, t := range want {
		words[i] = article(t)
	}
	return strings.Join(words, " or ")
}

func display(v any) string {
	out, err := ijson.Append(nil, v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(out)
}

func displayAll(vs []any) string {
	words := make([]string, len(vs))
	for i, v := range vs {
		words[i] = display(v)
	}
	return strings.Join(words, ", ")
}

func displayStrings(vs []string) string {
	words := make([]string, len(vs))
	for i, v := range vs {
		words[i] = strconv.Quote(v)
	}
	return strings.Join(words, ", ")
}

// order puts the telling problems first, drops repetitions, and drops what
// only follows from another: a part of a schema that failed marks none of its
// object's members as known.
func order(problems []Problem) []Problem {
	rank := func(p Problem) int {
		switch p.Rule {
		case "const", "enum": // what says which form an object has
			return 0
		case ruleAdditional, ruleUnevaluated, ruleForbidden:
			return 2
		default:
			return 1
		}
	}
	slices.SortStableFunc(problems, func(a, b Problem) int {
		return cmp.Or(
			cmp.Compare(rank(a), rank(b)),
			cmp.Compare(strings.Count(a.Pointer, "/"), strings.Count(b.Pointer, "/")),
			cmp.Compare(a.Pointer, b.Pointer),
			cmp.Compare(a.Rule, b.Rule),
			cmp.Compare(a.Msg, b.Msg),
		)
	})
	problems = slices.Compact(problems)
	return slices.DeleteFunc(slices.Clone(problems), func(p Problem) bool {
		if p.Rule != ruleUnevaluated {
			return false
		}
		object := p.Pointer[:strings.LastIndexByte(p.Pointer, '/')]
		return slices.ContainsFunc(problems, func(q Problem) bool {
			return q.Rule != ruleUnevaluated && (q.Pointer == object || strings.HasPrefix(q.Pointer, object+"/"))
		})
	})
}
