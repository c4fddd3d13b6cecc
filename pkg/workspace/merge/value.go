package merge

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// The tags that mean the same to every reader of YAML.
const (
	tagNull  = "!!null"
	tagStr   = "!!str"
	tagMerge = "!!merge"
)

// value is what a piece of YAML means: two texts with the same value differ in
// comments and style alone. A scalar is its tag and its text as written, so that
// 1.10 is not 1.1.
type value struct {
	kind   yaml.Kind // scalar, sequence or mapping
	tag    string    // of a scalar
	text   string    // of a scalar; "" for every null
	items  []*value  // of a sequence
	fields []field   // of a mapping, in order
	index  map[string]int
	node   *yaml.Node // where it is written; nil where it is a result
}

type field struct {
	key string
	val *value
	at  *yaml.Node // the key
}

// get returns the value of a key of a mapping; nil where there is none.
func (v *value) get(key string) *value {
	if v == nil {
		return nil
	}
	if i, ok := v.index[key]; ok {
		return v.fields[i].val
	}
	return nil
}

func (v *value) add(f field) {
	v.index[f.key] = len(v.fields)
	v.fields = append(v.fields, f)
}

func mapping(node *yaml.Node) *value {
	return &value{kind: yaml.MappingNode, node: node, index: make(map[string]int)}
}

// parse reads a text without its fences as a mapping, which is empty where the
// text has nothing but comments. Where it is anything that is not interpreted,
// it says what.
func parse(text string) (root *value, why string) {
	// The parser is known to panic at damaged texts.
	defer func() {
		if recover() != nil {
			root, why = nil, "is not YAML"
		}
	}()
	dec := yaml.NewDecoder(strings.NewReader(text))
	var doc, more yaml.Node
	err := dec.Decode(&doc)
	if errors.Is(err, io.EOF) {
		return mapping(nil), ""
	}
	if err != nil {
		return nil, "is not YAML"
	}
	if !errors.Is(dec.Decode(&more), io.EOF) {
		return nil, "has several documents"
	}
	top := doc.Content[0]
	if top.Kind == yaml.ScalarNode && top.Tag == tagNull && top.Value == "" && top.Style == 0 && top.Anchor == "" {
		return mapping(nil), ""
	}
	if top.Kind != yaml.MappingNode {
		return nil, "is not a mapping"
	}
	return convert(top, 0)
}

// convert refuses whatever means more than it says.
func convert(n *yaml.Node, depth int) (*value, string) {
	switch {
	case n.Kind == yaml.AliasNode || n.Anchor != "":
		return nil, "has an anchor or an alias"
	case n.Tag == tagMerge:
		return nil, "has a merge key"
	case n.Style&yaml.TaggedStyle != 0 && !slices.Contains([]string{tagNull, tagStr, "!!bool", "!!int", "!!float", "!!seq", "!!map"}, n.Tag):
		return nil, "has the tag " + strconv.QuoteToASCII(n.Tag)
	case depth > maxDepth:
		return nil, fmt.Sprintf("is nested more than %d deep", maxDepth)
	}
	switch n.Kind {
	case yaml.MappingNode:
		return convertMapping(n, depth)
	case yaml.SequenceNode:
		v := &value{kind: n.Kind, node: n}
		for _, c := range n.Content {
			item, why := convert(c, depth+1)
			if why != "" {
				return nil, why
			}
			v.items = append(v.items, item)
		}
		return v, ""
	default:
		v := &value{kind: n.Kind, tag: n.Tag, text: n.Value, node: n}
		if v.tag == tagNull {
			v.text = ""
		}
		return v, ""
	}
}

func convertMapping(n *yaml.Node, depth int) (*value, string) {
	v := mapping(n)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, why := convert(n.Content[i], depth+1)
		if why != "" {
			return nil, why
		}
		if key.kind != yaml.ScalarNode || key.tag != tagStr {
			return nil, "has a key that is not a string"
		}
		if _, twice := v.index[key.text]; twice {
			return nil, "has the key " + strconv.Quote(key.text) + " twice"
		}
		val, why := convert(n.Content[i+1], depth+1)
		if why != "" {
			return nil, why
		}
		v.add(field{key.text, val, n.Content[i]})
	}
	return v, ""
}

// equal compares two values, either of which may be nil for one that is not
// there. The order of keys does not count, that of items does.
func equal(a, b *value) bool {
	if a == nil || b == nil {
		return a == b
	}
	if a.kind != b.kind || a.tag != b.tag || a.text != b.text || len(a.fields) != len(b.fields) {
		return false
	}
	for _, f := range a.fields {
		if other := b.get(f.key); other == nil || !equal(f.val, other) {
			return false
		}
	}
	return slices.EqualFunc(a.items, b.items, equal)
}

// merge returns the value that three versions make; nil where it is removed.
func (m *merger) merge(path string, b, o, t *value) *value {
	switch {
	case equal(o, t), equal(b, t):
		return o
	case equal(b, o):
		return t
	case o == nil || t == nil:
		m.conflict(path, "one side removed it, the other changed it")
	case o.kind == yaml.MappingNode && t.kind == o.kind && (b == nil || b.kind == o.kind):
		return m.mergeMapping(path, b, o, t)
	case areSets(b, o, t) && keepsOrder(b, o) && keepsOrder(b, t):
		return mergeSets(b, o, t)
	case b == nil:
		m.conflict(path, "both sides added it with different values")
	default:
		m.conflict(path, "both sides changed it")
	}
	return nil
}

func (m *merger) mergeMapping(path string, b, o, t *value) *value {
	out := mapping(nil)
	for _, f := range o.fields {
		if v := m.merge(join(path, f.key), b.get(f.key), f.val, t.get(f.key)); v != nil {
			out.add(field{key: f.key, val: v})
		}
	}
	for _, f := range t.fields {
		if o.get(f.key) != nil {
			continue
		}
		if v := m.merge(join(path, f.key), b.get(f.key), nil, f.val); v != nil {
			out.add(field{key: f.key, val: v})
		}
	}
	return out
}

// join appends a key to a path. One that would not be told from a path, or that
// a terminal would obey, is quoted.
func join(path, key string) string {
	if quoted := strconv.Quote(key); key == "" || strings.Contains(key, ".") || quoted != `"`+key+`"` {
		key = quoted
	}
	if path == "" {
		return key
	}
	return path + "." + key
}

// id tells a scalar from others.
func (v *value) id() string { return v.tag + " " + v.text }

// areSets reports whether the versions are sequences of scalars that have no
// item twice.
func areSets(versions ...*value) bool {
	for _, v := range versions {
		if v == nil || v.kind != yaml.SequenceNode {
			return false
		}
		for _, item := range v.items {
			if item.kind != yaml.ScalarNode {
				return false
			}
		}
		if len(ids(v)) != len(v.items) {
			return false
		}
	}
	return true
}

// keepsOrder reports whether a side has what it kept of the base in the base's
// order: where it moved something, the sequence is more than a set.
func keepsOrder(base, side *value) bool {
	at := make(map[string]int, len(base.items))
	for i, item := range base.items {
		at[item.id()] = i
	}
	last := -1
	for _, item := range side.items {
		i, kept := at[item.id()]
		if kept && i < last {
			return false
		}
		if kept {
			last = i
		}
	}
	return true
}

// ids are the items of a sequence of scalars.
func ids(v *value) map[string]*value {
	out := make(map[string]*value, len(v.items))
	for _, item := range v.items {
		out[item.id()] = item
	}
	return out
}

// mergeSets keeps what neither side removed, in the order of the base, then what
// ours added, then what theirs added besides.
func mergeSets(b, o, t *value) *value {
	out := &value{kind: yaml.SequenceNode}
	base, ours, theirs := ids(b), ids(o), ids(t)
	for _, item := range b.items {
		if ours[item.id()] != nil && theirs[item.id()] != nil {
			out.items = append(out.items, item)
		}
	}
	for _, item := range o.items {
		if base[item.id()] == nil {
			out.items = append(out.items, item)
		}
	}
	for _, item := range t.items {
		if base[item.id()] == nil && ours[item.id()] == nil {
			out.items = append(out.items, item)
		}
	}
	return out
}
