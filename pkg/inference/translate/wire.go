package translate

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/internal/jsoncut"
	"github.com/vexa-ai/vexa/pkg/internal/wirejson"
)

// fate is what becomes of a member of a request.
type fate int

const (
	dropped fate = iota // harmless: left out and counted
	kept                // carried over, or acted on
	refused             // leaving it out would change what the client gets
)

const (
	// maxObjects is how many objects and nulls a request may hold: each of them can become
	// some kilobytes, even "{}". The longest conversations have some thousands.
	maxObjects = 30_000
	// maxDepth is how deep content lies in content: a result has blocks, and one of
	// them a document that is made of blocks.
	maxDepth = 4
)

// judge checks that a request is JSON, where its outline is not known, and goes through
// its members by the fates of its protocol.
func judge(body []byte, o jsoncut.Outline, of func(member string) fate, lost Lost) error {
	body = bytes.TrimSpace(body)
	ok := true
	if o.Objects == 0 {
		o, ok = jsoncut.Cut(body, 0)
	}
	if !ok || len(body) == 0 || body[0] != '{' {
		return fault.New(fault.Invalid, "the request is not a JSON object", "")
	}
	if o.Objects >= maxObjects {
		return fault.Newf(fault.Invalid, "the request holds %d objects or more, which is too many to carry to another protocol", maxObjects)
	}
	members := jsoncut.Pairs(body)
	if o.Members != nil {
		members = o.Pairs()
	}
	for raw, value := range members {
		if empty(value) {
			continue
		}
		name, ok := jsoncut.String(raw)
		if !ok {
			_ = json.Unmarshal(raw, &name) // it is valid
		}
		switch of(name) {
		case refused:
			return fault.Newf(fault.Invalid, "%.64q cannot be carried to the protocol that the provider speaks", name)
		case dropped:
			lost.add(fmt.Sprintf("%.64s", name))
		case kept:
		}
	}
	return nil
}

// empty reports whether a value says no more than its absence.
func empty(raw json.RawMessage) bool {
	switch string(bytes.TrimSpace(raw)) {
	case "", "null", "[]", "{}", `""`, "false", "0":
		return true
	default:
		return false
	}
}

// decode reads a request or a part of it into a value that is zero.
func decode[T any](raw []byte, v *T, what string) error {
	err := wirejson.Unmarshal(raw, v)
	if err == nil {
		return nil
	}
	if e, ok := err.(*json.UnmarshalTypeError); ok && e.Field != "" { //nolint:errorlint // json returns exactly this type
		what += "." + e.Field
	}
	return malformed(what)
}

func malformed(what string) error {
	return fault.Newf(fault.Invalid, "%s is not of the form that this protocol has", what)
}

func encode(v any) ([]byte, error) { return encodeTo(nil, v) }

func encodeTo(dst []byte, v any) ([]byte, error) {
	data, err := wirejson.Append(dst, v)
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, "write the request", err)
	}
	return data, nil
}

// encode writes the wire form of a request, into as much room as it will need, about.
func (r *Request) encode(wire any) ([]byte, error) {
	const each, more = 100, 8 // for names of members, and for escapes
	size := each
	count := func(items []Item) {
		for i := range items {
			it := &items[i]
			size += each + len(it.Text) + len(it.Media.Data) + len(it.Call.Arguments) + len(it.Opaque.Data)
		}
	}
	count(r.Items)
	for i := range r.Items {
		count(r.Items[i].Result.Content)
	}
	for i := range r.Tools {
		size += each + len(r.Tools[i].Description) + len(r.Tools[i].Schema)
	}
	return encodeTo(make([]byte, 0, size+size/more), wire)
}

// marshal encodes an event of ours, which cannot fail: it holds nothing but
// strings, numbers and raw JSON that was checked.
func marshal(v any) []byte {
	data, err := encode(v)
	if err != nil {
		return []byte("{}")
	}
	return data
}

// texts is a text in any of its forms: a string, or a list of parts that have
// one. Anything else is none.
type texts string

// UnmarshalJSON reads it.
func (t *texts) UnmarshalJSON(raw []byte) error {
	switch raw[0] {
	case '"':
		return wirejson.Unmarshal(raw, (*string)(t))
	case '[':
		var parts []struct {
			Text string `json:"text"`
		}
		if err := wirejson.Unmarshal(raw, &parts); err != nil {
			return nil //nolint:nilerr // what is no list of parts is no text
		}
		for _, p := range parts {
			*t += texts(p.Text)
		}
	}
	return nil
}

// list is a string, one that stands for a list of one, or a list of T.
type list[T any] struct {
	text   string
	isText bool // it is a string
	all    []T
}

// UnmarshalJSON reads it.
func (l *list[T]) UnmarshalJSON(raw []byte) error {
	if raw[0] == '"' {
		l.isText = true
		return wirejson.Unmarshal(raw, &l.text)
	}
	return wirejson.Unmarshal(raw, &l.all)
}

// EitherJSON says where it is read to.
func (l *list[T]) EitherJSON() (text *string, isText *bool, all any) {
	return &l.text, &l.isText, &l.all
}

// MarshalJSON writes it.
func (l list[T]) MarshalJSON() ([]byte, error) { return l.AppendJSON(nil) }

// AppendJSON appends what MarshalJSON writes.
func (l *list[T]) AppendJSON(dst []byte) ([]byte, error) {
	switch {
	case l.isText:
		return wirejson.AppendString(dst, l.text), nil
	case l.all == nil:
		return append(dst, "[]"...), nil
	default:
		return wirejson.Append(dst, &l.all)
	}
}

// arguments makes the arguments of a call an object, whatever a model wrote.
func arguments(text string) json.RawMessage {
	raw := bytes.TrimSpace([]byte(text))
	if len(raw) == 0 {
		return json.RawMessage("{}")
	}
	if raw[0] == '{' && jsoncut.Valid(raw) {
		return raw
	}
	return marshal(map[string]string{"arguments": text})
}

// compact returns JSON without its white space, as a text.
func compact(raw json.RawMessage) string {
	if len(raw) == 0 {
		return "{}"
	}
	if !jsoncut.Valid(raw) {
		return string(raw)
	}
	return string(jsoncut.AppendCompact(make([]byte, 0, len(raw)), raw))
}

// schema is a tool's, or that of no arguments.
func schema(raw json.RawMessage) json.RawMessage {
	if len(raw) == 0 || string(raw) == "null" {
		return json.RawMessage(`{"type":"object","properties":{}}`)
	}
	return raw
}

// dataURL is a data: URL of media that has its bytes, and else the URL.
func (m Media) dataURL() string {
	if m.URL != "" {
		return m.URL
	}
	return "data:" + m.Type + ";base64," + m.Data
}

// media reads a URL, which may hold the bytes.
func media(url, name string) Media {
	rest, ok := strings.CutPrefix(url, "data:")
	head, data, found := strings.Cut(rest, ",")
	if !ok || !found || !strings.HasSuffix(head, ";base64") {
		return Media{URL: url, Name: name}
	}
	kind, _, _ := strings.Cut(head, ";")
	return Media{Type: kind, Data: data, Name: name}
}

// bytesOf reads the bytes of a file, in base64 or a data: URL. Never a URL that
// somebody would fetch: that some servers take one there is no reason to.
func bytesOf(data, name, where string) (Media, error) {
	m := media(data, name)
	if m.URL == "" {
		return m, nil
	}
	if strings.Contains(data, ":") { // which base64 has not
		return m, malformed(where + ".file_data")
	}
	kind := "application/octet-stream"
	if strings.HasSuffix(strings.ToLower(name), ".pdf") {
		kind = "application/pdf"
	}
	return Media{Type: kind, Data: data, Name: name}, nil
}

// normal brings items into the one order that every protocol has: in what the
// user says between two answers, the results of tools come first. Empty texts
// are left out; some providers refuse them.
func normal(items []Item) []Item {
	if isNormal(items) {
		return items
	}
	items = slices.DeleteFunc(items, func(i Item) bool { return i.Kind == Text && i.Text == "" })
	for _, run := range runs(items) {
		if run[0].Role == User {
			slices.SortStableFunc(run, func(a, b Item) int { return rank(&a) - rank(&b) })
		}
	}
	return items
}

// isNormal reports whether there is nothing to bring into order.
func isNormal(items []Item) bool {
	for i := range items {
		it := &items[i]
		if it.Kind == Text && it.Text == "" {
			return false
		}
		if i > 0 && it.Role == User && items[i-1].Role == User && rank(it) < rank(&items[i-1]) {
			return false
		}
	}
	return true
}

func rank(i *Item) int {
	if i.Kind == Result {
		return 0
	}
	return 1
}

// runs cuts items where the role changes.
func runs(items []Item) [][]Item {
	var out [][]Item
	for begin := 0; begin < len(items); {
		end := begin + 1
		for end < len(items) && items[end].Role == items[begin].Role {
			end++
		}
		out = append(out, items[begin:end])
		begin = end
	}
	return out
}

// lead splits off what the system says before anybody else does. What it says
// later is put into the user's mouth, marked: models that know no such place
// refuse it, and agents that know of it mark it so themselves.
func lead(items []Item) (system, rest []Item) {
	n := 0
	for n < len(items) && items[n].Role == System {
		n++
	}
	rest = items[n:]
	if isNormal(rest) && !slices.ContainsFunc(rest, func(i Item) bool { return i.Role == System }) {
		return items[:n], rest
	}
	rest = slices.Clone(rest)
	for i := range rest {
		if rest[i].Role == System {
			rest[i].Role = User
			rest[i].Text = "<system-reminder>\n" + rest[i].Text + "\n</system-reminder>"
		}
	}
	return items[:n], normal(rest)
}

// joined is the text of items that stand one after the other.
func joined(items []Item) string {
	var all string
	for i := range items {
		it := &items[i]
		switch {
		case it.Kind != Text || it.Text == "":
		case all == "":
			all = it.Text // mostly the only one
		default:
			return joinedParts(items)
		}
	}
	return all
}

func joinedParts(items []Item) string {
	var parts []string
	for i := range items {
		if it := &items[i]; it.Kind == Text && it.Text != "" {
			parts = append(parts, it.Text)
		}
	}
	return strings.Join(parts, "\n\n")
}
