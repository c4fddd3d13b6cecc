package broker

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/vexa-ai/vexa/pkg/inference"
	"github.com/vexa-ai/vexa/pkg/internal/jsoncut"
)

var errRemote = errors.New("a URL in a message would be fetched by the provider; send the bytes instead")

// reachingMembers are top-level members that make a provider fetch from the
// network, answer with another model than the one that was granted, or, where
// it is a proxy, ask another provider.
func reachingMembers() []string {
	return []string{
		"mcp_servers", "web_search_options", "plugins", "models", "fallbacks",
		"api_base", "base_url", "user_config",
		"prompt", // openai-responses: one that is kept at the provider, with tools of its own
	}
}

// keptMembers are top-level members of openai-responses that lean on what the
// provider keeps, for everybody who has the key alike; background also has it go
// on after its answer, unmetered.
func keptMembers() []string {
	return []string{"background", "conversation", "previous_response_id"}
}

// egress reports what in a request would have the provider reach the network
// in the container's stead. The container has no network; a provider that
// fetches a URL for it would be one.
func (p *parsed) egress(protocol inference.Protocol) error {
	if protocol == inference.Gemini {
		return p.geminiEgress()
	}
	if name := p.first(reachingMembers()); name != "" {
		return fmt.Errorf("%s would have the provider reach beyond the granted model", name)
	}
	if name := p.first(keptMembers()); name != "" {
		return fmt.Errorf("%s would have the provider keep the conversation; send all of it with each request", name)
	}
	if err := toolsEgress(p.get("tools"), false); err != nil {
		return err
	}
	for _, raw := range [][]byte{p.get("input"), p.get("system"), p.get("messages")} {
		if !mayReach(raw, p.outline.Escapes) {
			continue
		}
		if err := messagesEgress(raw); err != nil {
			return err
		}
	}
	return nil
}

// first is the first of the names whose member says something, "" if none does.
func (p *parsed) first(names []string) string {
	for _, name := range names {
		if raw := p.get(name); raw != nil && !emptyJSON(raw) {
			return name
		}
	}
	return ""
}

func emptyJSON(raw []byte) bool {
	switch string(raw) {
	case "null", "[]", "{}", `""`, "false":
		return true
	default:
		return false
	}
}

// toolsEgress refuses tools that run at the provider, which has a network. What
// is not known to be carried out by the agent itself is taken for one.
func toolsEgress(raw []byte, inNamespace bool) error {
	if raw == nil || string(raw) == "null" {
		return nil
	}
	if raw[0] != '[' {
		return errors.New("the request's tools are not a list")
	}
	for raw := range jsoncut.Elements(raw) {
		var r room
		tool, err := r.fieldsOf(raw)
		if err != nil {
			return errors.New("the request's tools are not of a known form")
		}
		if tool.text("type") == "namespace" {
			if inNamespace {
				return errors.New("the request has a namespace of tools in another")
			}
			if err := toolsEgress(tool.get("tools"), true); err != nil {
				return err
			}
			continue
		}
		if !ownTool(tool) {
			return fmt.Errorf("the tool %.100s runs at the provider, which has a network", tool.get("type"))
		}
	}
	return nil
}

// ownTool reports whether a tool is carried out by who asks.
func ownTool(tool fields) bool {
	raw := tool.get("type")
	if raw == nil || string(raw) == "null" {
		return true
	}
	kind := tool.text("type")
	switch kind {
	case "function", "custom", "local_shell", "apply_patch", "tool_search":
		return true
	}
	for _, prefix := range []string{"bash_", "text_editor_", "computer_", "memory_", "tool_search_tool_"} {
		if strings.HasPrefix(kind, prefix) {
			return true
		}
	}
	return false
}

// mayReach spares most requests the second look: what refers to a URL or to bytes has a
// name, or a type, that ends with "url", "uri" or "data", or is one of few names, in
// whatever case. Any letter of these can stand there as the escape of a character of
// ASCII, and an s alone has a spelling outside of it. In a text, a quote stands behind a
// backslash. Escapes says that some character in the request is an escape of four digits.
func mayReach(raw []byte, escapes bool) bool {
	if escapes && bytes.Contains(raw, []byte(`\u00`)) {
		return true
	}
	return finds(raw, []string{`url"`, `uri"`, `ata"`, `"too`, `"fil`}, "tools", "file") ||
		finds(raw, []string{`"ima`, `"vid`, `"aud`, `"inp`, `"sou`},
			"images", "image", "videos", "video", "audios", "audio", "input_image", "input_video", "input_audio", "source")
}

// finds reports whether a text has one of the words; one that begins with a quote has to
// begin one of the names of a member, too.
func finds(text []byte, words []string, names ...string) bool {
	for {
		i := find(text, words...)
		if i < 0 {
			return false
		}
		if text[i] != '"' || beginsName(text[i:], names...) {
			return true
		}
		text = text[i+1:]
	}
}

// beginsName reports whether a text, which begins with a quote, may begin with one of the
// names of a member. A name that ends with an s may end with any letter outside of ASCII, or its escape.
func beginsName(text []byte, names ...string) bool {
	for _, name := range names {
		rest := text[1:]
		stem := strings.TrimSuffix(name, "s")
		if len(rest) <= len(stem) || !begins(rest, stem) {
			continue
		}
		rest = rest[len(stem):]
		if stem != name {
			if rest[0] >= utf8.RuneSelf || rest[0] == '\\' {
				return true
			}
			if rest[0]|' ' != 's' {
				continue
			}
			rest = rest[1:]
		}
		if len(rest) == 0 || rest[0] != '"' {
			continue
		}
		rest = bytes.TrimLeft(rest[1:], " \t\r\n")
		if len(rest) > 0 && rest[0] == ':' {
			return true
		}
	}
	return false
}

// messagesEgress looks through a list of messages, or of blocks.
func messagesEgress(raw []byte) error {
	if raw = bytes.TrimSpace(raw); len(raw) == 0 || raw[0] == '"' {
		return nil
	}
	if raw[0] != '[' && string(raw) != "null" {
		return errors.New("the request's messages are not a list")
	}
	for m := range jsoncut.Elements(raw) {
		if err := blockEgress(m, 0); err != nil {
			return err
		}
	}
	return nil
}

// maxDepth is how deep what a message holds is looked into.
const maxDepth = 8

// contentEgress looks through what a message or a tool's result holds: text, a
// block or a list of them.
func contentEgress(raw []byte, depth int) error {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 || raw[0] != '[' && raw[0] != '{' {
		return nil
	}
	if depth == maxDepth {
		return errors.New("the request's content is nested too deeply")
	}
	if raw[0] == '{' {
		return blockEgress(raw, depth)
	}
	for b := range jsoncut.Elements(raw) {
		if b[0] == '"' {
			continue // a piece of text
		}
		if err := blockEgress(b, depth); err != nil {
			return err
		}
	}
	return nil
}

// blockEgress looks at one block, or at a message, which has content alike.
func blockEgress(raw []byte, depth int) error {
	var r room
	block, err := r.fieldsOf(raw)
	if err != nil {
		return errors.New("the request's content is not of a known form")
	}
	for i := range block {
		if err := memberEgress(block, block[i].key, block[i].value, depth); err != nil {
			return err
		}
	}
	if err := contentEgress(block.get("output"), depth+1); err != nil { // openai-responses
		return err
	}
	return contentEgress(block.get("content"), depth+1)
}

// memberEgress looks at a member of a block by its name, as it is folded. Some servers
// fetch a URL that stands where bytes should, or by itself, as DashScope's compatible mode
// does in input_audio and video.
func memberEgress(block fields, name string, value []byte, depth int) error {
	switch name {
	case "SOURCE":
		if value[0] == '"' && block.text("type") == "search_result" {
			return nil // where the text is from, which nobody fetches
		}
		return sourceEgress(value, depth)
	case "FILE":
		return sourceEgress(value, depth)
	case "IMAGE", "IMAGES", "VIDEO", "VIDEOS", "AUDIO", "AUDIOS", "INPUT_IMAGE", "INPUT_VIDEO", "INPUT_AUDIO", "DATA":
		return mediaEgress(value, depth)
	case "TOOLS": // openai-responses: of an item
		return toolsEgress(value, false)
	}
	if isRemote(name, value) {
		return errRemote
	}
	return nil
}

// isRemote reports whether a member, by its folded name, says that something is anywhere
// but in the request.
func isRemote(name string, value []byte) bool {
	switch {
	case name == "FILE_DATA":
		return remoteData(value)
	case name == "URL", name == "URI", strings.HasSuffix(name, "_URL"), strings.HasSuffix(name, "_URI"):
		return remoteURL(value)
	default:
		return false
	}
}

// mediaEgress refuses a picture, a film or a sound, or a list of them, that is anywhere but
// in the request: each text in it is bytes, a word or an id, but for what is said there.
func mediaEgress(raw []byte, depth int) error {
	raw = bytes.TrimSpace(raw)
	if depth >= maxDepth {
		return errors.New("the request's content is nested too deeply")
	}
	switch raw[0] {
	case '"':
		if remoteData(raw) {
			return errRemote
		}
	case '[':
		for one := range jsoncut.Elements(raw) {
			if err := mediaEgress(one, depth+1); err != nil {
				return err
			}
		}
	case '{':
		var r room
		members, err := r.fieldsOf(raw)
		if err != nil {
			return errors.New("the request's content is not of a known form")
		}
		for i := range members {
			switch members[i].key {
			case "TRANSCRIPT", "TEXT", "CAPTION": // what is said there
				continue
			}
			if err := mediaEgress(members[i].value, depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}

// sourceEgress refuses a source or file that is anything but bytes, an id, or
// content of its own, which it looks through.
func sourceEgress(raw []byte, depth int) error {
	if raw[0] != '{' {
		return mediaEgress(raw, depth) // a word, or nothing
	}
	var r room
	source, err := r.fieldsOf(raw)
	if err != nil || source.text("type") == "url" {
		return errRemote
	}
	for i := range source {
		name, value := source[i].key, source[i].value
		if isRemote(name, value) || name == "DATA" && source.text("type") != "text" && remoteData(value) { // of a document that is text
			return errRemote
		}
	}
	return contentEgress(source.get("content"), depth+1)
}

// remoteData reports whether what should be the bytes of a file, in base64 or a
// data: URL, is anything else: some servers fetch it if it looks like a URL.
func remoteData(raw []byte) bool {
	if len(raw) == 0 || string(raw) == "null" {
		return false
	}
	var data string
	if json.Unmarshal(raw, &data) != nil {
		return true
	}
	return strings.Contains(data, ":") && !strings.HasPrefix(data, "data:") // base64 has no colon
}

// remoteURL reports whether a URL, a string or an object with a url, is
// anything but inline data.
func remoteURL(raw []byte) bool {
	if len(raw) == 0 || string(raw) == "null" {
		return false
	}
	var url string
	if raw[0] == '{' {
		var r room
		object, err := r.fieldsOf(raw)
		if err != nil {
			return true
		}
		url = object.text("url")
	} else if json.Unmarshal(raw, &url) != nil {
		return true
	}
	return !strings.HasPrefix(url, "data:")
}
