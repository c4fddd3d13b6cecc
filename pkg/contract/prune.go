package contract

import (
	"maps"
	"strings"
)

// localDef begins a reference to a definition of the same contract.
const localDef = "#/$defs/"

// prune leaves of a contract what one of its shapes needs. Most of the time
// that a schema takes to compile goes by its size, and a process that starts,
// such as a worker, needs one shape of many.
func prune(doc map[string]any, shape string) {
	defs, _ := doc["$defs"].(map[string]any)
	needed := map[string]any{}
	for todo := []string{shape}; len(todo) > 0; {
		name := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if _, seen := needed[name]; seen {
			continue
		}
		def, ok := defs[name]
		if !ok {
			return // the compiler says what is wrong
		}
		needed[name] = def
		refs, ok := localRefs(def, nil)
		if !ok {
			return
		}
		todo = append(todo, refs...)
	}
	maps.DeleteFunc(doc, func(key string, _ any) bool { return !strings.HasPrefix(key, "$") || key == "$ref" })
	doc["$defs"] = needed
}

// localRefs appends the definitions that a part of a schema refers to. It
// reports false where a reference has a form that prune does not follow.
func localRefs(v any, refs []string) (_ []string, ok bool) {
	switch v := v.(type) {
	case map[string]any:
		for key, member := range v {
			if moves(key) {
				return nil, false
			}
			ref, isText := member.(string)
			if key == "$ref" && isText && strings.HasPrefix(ref, "#") {
				refs, ok = follow(ref, refs)
			} else {
				refs, ok = localRefs(member, refs)
			}
			if !ok {
				return nil, false
			}
		}
	case []any:
		for _, item := range v {
			if refs, ok = localRefs(item, refs); !ok {
				return nil, false
			}
		}
	}
	return refs, true
}

// moves reports whether a keyword changes what references mean.
func moves(key string) bool {
	return key == "$dynamicRef" || key == "$anchor" || key == "$dynamicAnchor" || key == "$id"
}

// follow appends the definition that a reference leads to, or into.
func follow(ref string, refs []string) ([]string, bool) {
	rest, ok := strings.CutPrefix(ref, localDef)
	name, _, _ := strings.Cut(rest, "/")
	return append(refs, name), ok && !strings.ContainsAny(name, "%~")
}
