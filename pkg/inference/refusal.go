package inference

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"

	"github.com/vexa-ai/vexa/pkg/internal/textform"
)

// ReadRefusal reads the body of a provider's error, at most its first 64 KiB; nil
// where it breaks off, for what came of it is no whole error.
func ReadRefusal(body io.Reader) []byte {
	const most = 64 << 10
	data, err := io.ReadAll(io.LimitReader(body, most))
	if err != nil {
		return nil
	}
	return data
}

// ErrorText returns what a provider's error says, in any of the forms that they
// have in the field; empty where it is in none. It is foreign text, which may
// repeat the key: see Redact.
func ErrorText(body []byte) string {
	var e struct {
		Error   json.RawMessage `json:"error"`
		Message json.RawMessage `json:"message"`
		Detail  json.RawMessage `json:"detail"`
	}
	body = bytes.TrimSpace(body)
	if len(body) > 0 && body[0] == '[' { // gemini's stand in a list
		var list []json.RawMessage
		if json.Unmarshal(body, &list) != nil || len(list) == 0 {
			return ""
		}
		body = list[0]
	}
	if json.Unmarshal(body, &e) != nil {
		return ""
	}
	for _, raw := range []json.RawMessage{e.Error, e.Message, e.Detail} {
		if text := wordsOf(raw); text != "" {
			return text
		}
	}
	return ""
}

// wordsOf are those of a text, of an object that has a message, or of the first
// of a list of them.
func wordsOf(raw json.RawMessage) string {
	if len(raw) == 0 {
		return ""
	}
	var text string
	switch raw[0] {
	case '"':
		if json.Unmarshal(raw, &text) != nil {
			return ""
		}
		return text
	case '[':
		var list []json.RawMessage
		if json.Unmarshal(raw, &list) != nil || len(list) == 0 || list[0][0] == '[' {
			return ""
		}
		return wordsOf(list[0])
	case '{':
		var o struct {
			Message json.RawMessage   `json:"message"`
			Detail  json.RawMessage   `json:"detail"`
			Msg     string            `json:"msg"`
			Loc     []json.RawMessage `json:"loc"`
		}
		if json.Unmarshal(raw, &o) != nil {
			return ""
		}
		if len(o.Message) > 0 && o.Message[0] == '"' {
			return wordsOf(o.Message)
		}
		if o.Msg != "" && len(o.Loc) > 0 {
			return strings.Trim(string(o.Loc[len(o.Loc)-1]), `"`) + ": " + o.Msg
		}
		if len(o.Detail) > 0 && o.Detail[0] != '{' {
			return wordsOf(o.Detail)
		}
		return o.Msg
	default:
		return ""
	}
}

// looksLikeKey matches what providers print of a key, whole or in part.
var looksLikeKey = textform.Regexp(`\b(?:sk|pk|rk|key|gsk|xai)-[A-Za-z0-9_*.…-]{4,}`)

// HideKey takes a key, and what looks like a part of one, out of what a provider
// said.
func HideKey(text string, key []byte) string {
	if len(key) > 0 {
		text = strings.ReplaceAll(text, string(key), "[key]")
	}
	return looksLikeKey.ReplaceAllString(text, "[key]")
}

// Redact is HideKey, cut to 4 KiB.
func Redact(text string, key []byte) string {
	const most = 4 << 10
	text = HideKey(text, key)
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "…"
	}
	return text
}
