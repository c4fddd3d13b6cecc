package contract

import (
	"maps"
	"strings"
	"sync"
)

// A shape that is nothing but a choice (see choice.go), such as ws.v2#Frame, is
// compiled one branch at a time: a command that reads a few frames pays for the
// types that it meets. Only what breaks the contract needs the whole shape, for
// the message.

// branches are those of one shape; the member is empty where it has none.
type branches struct {
	once   sync.Once
	member string
	refs   map[string]any
}

// settled reports whether v is valid by the one branch that can say so. Where
// it is not, the whole shape has to be asked.
func (s *Set) settled(name string, v any) bool {
	name, shape := split(name)
	e, ok := s.each[name]
	obj, isObject := v.(map[string]any)
	if !ok || !isObject || !isShape(shape) || s.plain {
		return false
	}
	e.mu.RLock()
	b, whole := e.branches[shape], e.compiled[shape] != nil
	e.mu.RUnlock()
	if whole {
		return false // it is as fast
	}
	if b == nil {
		e.mu.Lock()
		if b = e.branches[shape]; b == nil {
			b = &branches{}
			e.branches[shape] = b
		}
		e.mu.Unlock()
	}
	b.once.Do(func() { b.read(s, name, shape) })
	value, _ := obj[b.member].(string)
	ref, _ := b.refs[value].(string)
	def, ok := strings.CutPrefix(ref, localDef)
	if !ok {
		return false
	}
	sch, err := s.compiled(e, name, def)
	return err == nil && sch.Validate(v) == nil
}

// read finds the branches of a shape, if it is a choice and nothing else.
func (b *branches) read(s *Set, name, shape string) {
	doc, err := s.document(name)
	if err != nil {
		return
	}
	defs, _ := doc["$defs"].(map[string]any)
	def, _ := defs[shape].(map[string]any)
	def = maps.Clone(def)
	of, _ := def["oneOf"].([]any)
	maps.DeleteFunc(def, func(key string, _ any) bool {
		return key == "oneOf" || key == "title" || key == "description"
	})
	if len(def) == 0 && len(of) > 0 {
		b.member, b.refs = choiceOf(doc, of)
	}
}
