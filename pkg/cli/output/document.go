package output

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"

	"github.com/vexa-ai/vexa/pkg/cli/plain"
)

// maxDepth is how deep a document may be to be laid out.
const maxDepth = 100

// Why a document is not laid out.
var (
	errMore = errors.New("there is something after the end")
	errDeep = errors.New("it is too deep")
)

// step is how much deeper each level of a Document stands.
const step = "  "

// Documents writes foreign JSON for a person to read, complete and in its order: a
// member a line, a text of several lines below its name, each behind a bar, so
// that no text passes for something else. What is no JSON is such a text. A
// document that repeats much of the one before says so behind an equals sign in
// place of it. The zero value is ready.
type Documents struct {
	name    string                     // of the one before
	members map[string]json.RawMessage // of the one before, where it was an object
}

// sameBytes is how long what is repeated has to be to be left out.
const sameBytes = 200

// Write writes one document, all of it plain and behind indent. The next one
// calls it name.
func (d *Documents) Write(w io.Writer, indent, name string, data []byte) error {
	names, members, ok := object(data)
	if !ok {
		d.name, d.members = "", nil
		return Document(w, indent, data)
	}
	var out strings.Builder
	for _, key := range names {
		if err := d.member(&out, indent, key, members[key]); err != nil {
			out.Reset()
			block(&out, indent, string(data))
			break
		}
	}
	d.name, d.members = name, members
	_, err := io.WriteString(w, out.String())
	return err
}

// member writes one member, or that it is the one of the document before.
func (d *Documents) member(out *strings.Builder, indent, key string, value json.RawMessage) error {
	label, v := indent+plain.Line(key), &document{out: out}
	same, first := d.repeated(key, value)
	switch {
	case same:
		out.WriteString(label + " = the same as in " + d.name + "\n")
		return nil
	case first == 0:
		return v.whole(value, label+": ", indent+step)
	}
	out.WriteString(label + ":\n" + indent + step + "= the first " + Plural(first, "item") + " as in " + d.name + "\n")
	var items []json.RawMessage
	if err := json.Unmarshal(value, &items); err != nil {
		return err
	}
	for _, item := range items[first:] {
		if err := v.whole(item, indent+step+"- ", indent+step+step); err != nil {
			return err
		}
	}
	return nil
}

// repeated reports whether a member is the one of the document before, or, of a
// list, how many of its first items are.
func (d *Documents) repeated(key string, value json.RawMessage) (same bool, first int) {
	before := d.members[key]
	if len(value) < sameBytes || before == nil {
		return false, 0
	}
	if bytes.Equal(before, value) {
		return true, 0
	}
	var was, is []json.RawMessage
	if json.Unmarshal(before, &was) != nil || json.Unmarshal(value, &is) != nil {
		return false, 0
	}
	size := 0
	for first < len(was) && first < len(is) && bytes.Equal(was[first], is[first]) {
		size += len(is[first])
		first++
	}
	if size < sameBytes {
		return false, 0
	}
	return false, first
}

// object takes a JSON object apart; ok is false where it is none, or where it has
// two members of a name.
func object(data []byte) (names []string, members map[string]json.RawMessage, ok bool) {
	dec := json.NewDecoder(bytes.NewReader(data))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return nil, nil, false
	}
	members = map[string]json.RawMessage{}
	for dec.More() {
		t, err := dec.Token()
		key, isText := t.(string)
		var value json.RawMessage
		if err != nil || !isText || dec.Decode(&value) != nil || members[key] != nil {
			return nil, nil, false
		}
		names, members[key] = append(names, key), value
	}
	if _, err := dec.Token(); err != nil {
		return nil, nil, false
	}
	_, err := dec.Token()
	return names, members, len(names) > 0 && errors.Is(err, io.EOF)
}

// Document writes one such document alone.
func Document(w io.Writer, indent string, data []byte) error {
	var out strings.Builder
	if err := (&document{out: &out}).whole(data, indent, indent); err != nil {
		out.Reset()
		block(&out, indent, string(data))
	}
	_, err := io.WriteString(w, out.String())
	return err
}

// Block writes foreign text behind indent and a bar.
func Block(w io.Writer, indent, text string) error {
	var out strings.Builder
	block(&out, indent, text)
	_, err := io.WriteString(w, out.String())
	return err
}

func block(out *strings.Builder, indent, text string) {
	for line := range strings.SplitSeq(strings.TrimSuffix(plain.Text(text), "\n"), "\n") {
		out.WriteString(strings.TrimRight(indent+"| "+line, " ") + "\n")
	}
}

// document writes the values of a decoder.
type document struct {
	dec   *json.Decoder
	out   *strings.Builder
	depth int
}

// whole writes all of data, which is one value. What was written before an error
// is of no use.
func (d *document) whole(data []byte, first, indent string) error {
	d.dec = json.NewDecoder(bytes.NewReader(data))
	d.dec.UseNumber()
	d.depth = 0
	token, err := d.dec.Token()
	if err == nil {
		err = d.token(token, first, indent)
	}
	if err != nil {
		return err
	}
	if _, err := d.dec.Token(); !errors.Is(err, io.EOF) {
		return errMore
	}
	return nil
}

// token writes the value that a token begins: its first line behind first, which
// is where it stands already, the others behind indent.
func (d *document) token(token json.Token, first, indent string) error {
	switch t := token.(type) {
	case json.Delim:
		return d.list(t, first, indent)
	case string:
		switch {
		case strings.Contains(t, "\n"):
			if first != indent { // behind a name or a dash
				d.out.WriteString(strings.TrimRight(first, " ") + "\n")
			}
			block(d.out, indent, t)
		case t == "":
			d.out.WriteString(first + `""` + "\n")
		default:
			d.out.WriteString(first + plain.Line(t) + "\n")
		}
	case json.Number:
		d.out.WriteString(first + t.String() + "\n")
	case bool:
		d.out.WriteString(first + map[bool]string{true: "true", false: "false"}[t] + "\n")
	default:
		d.out.WriteString(first + "null\n")
	}
	return nil
}

// list writes the members of an object or an array.
func (d *document) list(open json.Delim, first, indent string) error {
	if d.depth++; d.depth > maxDepth {
		return errDeep
	}
	defer func() { d.depth-- }()
	if !d.dec.More() {
		_, err := d.dec.Token()
		d.out.WriteString(first + map[json.Delim]string{'{': "{}", '[': "[]"}[open] + "\n")
		return err
	}
	if first != indent && !strings.HasSuffix(first, "- ") {
		d.out.WriteString(strings.TrimRight(first, " ") + "\n")
		first = indent
	}
	for d.dec.More() {
		var err error
		if open == '{' {
			err = d.member(first, indent)
		} else {
			err = d.item(first, indent)
		}
		if err != nil {
			return err
		}
		first = indent
	}
	_, err := d.dec.Token()
	return err
}

func (d *document) member(first, indent string) error {
	name, err := d.dec.Token()
	if err != nil {
		return err
	}
	value, err := d.dec.Token()
	if err != nil {
		return err
	}
	text, _ := name.(string) // a decoder makes no other
	return d.token(value, first+plain.Line(text)+": ", indent+step)
}

func (d *document) item(first, indent string) error {
	value, err := d.dec.Token()
	if err != nil {
		return err
	}
	return d.token(value, first+"- ", indent+step)
}
