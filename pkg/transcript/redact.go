package transcript

import (
	"bytes"
	"encoding/json"
	"slices"
)

// instead is what stands where a provider's key was.
const instead = "[key]"

// redactor takes a secret out of what passes, also where it is cut into pieces.
type redactor struct {
	forms   [][]byte // as the secret may be written
	behind  int      // bytes at the end that may be the beginning of one
	pending []byte
	found   bool
}

func newRedactor(secret []byte) *redactor {
	r := &redactor{}
	if len(secret) == 0 {
		return r
	}
	r.forms = [][]byte{secret}
	add := func(form []byte) {
		if !slices.ContainsFunc(r.forms, func(f []byte) bool { return bytes.Equal(f, form) }) {
			r.forms = append(r.forms, form)
		}
	}
	var plain bytes.Buffer // in JSON, with and without the escapes for HTML
	enc := json.NewEncoder(&plain)
	enc.SetEscapeHTML(false)
	escaped, err := json.Marshal(string(secret))
	if err == nil && enc.Encode(string(secret)) == nil {
		for _, quoted := range [][]byte{bytes.TrimSpace(plain.Bytes()), escaped} {
			form := quoted[1 : len(quoted)-1]
			add(form)
			add(bytes.ReplaceAll(form, []byte("/"), []byte(`\/`)))
		}
	}
	for _, form := range r.forms {
		r.behind = max(r.behind, len(form)-1)
	}
	return r
}

// take returns what is sure of everything that was added and not taken yet;
// all of it where this is the end. What it returns is valid until the next add.
func (r *redactor) take(end bool) []byte {
	for _, form := range r.forms {
		if bytes.Contains(r.pending, form) {
			r.found = true
			r.pending = bytes.ReplaceAll(r.pending, form, []byte(instead))
		}
	}
	n := len(r.pending)
	if !end {
		n = max(n-r.behind, 0)
	}
	sure := r.pending[:n]
	r.pending = r.pending[n:]
	return sure
}

// header returns headers without the secret.
func (r *redactor) header(h map[string]string) map[string]string {
	if len(h) == 0 {
		return nil
	}
	out := make(map[string]string, len(h))
	for name, value := range h {
		out[name] = string(r.clean([]byte(value)))
	}
	return out
}

// add adds a piece, which is copied.
func (r *redactor) add(p []byte) { r.pending = append(r.pending, p...) }

// clean returns body without the secret; body itself where it is not in it.
func (r *redactor) clean(body []byte) []byte {
	for _, form := range r.forms {
		if bytes.Contains(body, form) {
			r.found = true
			body = bytes.ReplaceAll(body, form, []byte(instead))
		}
	}
	return body
}
