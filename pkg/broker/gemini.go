package broker

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/vexa-ai/vexa/pkg/inference"
	"github.com/vexa-ai/vexa/pkg/inference/translate"
	"github.com/vexa-ai/vexa/pkg/internal/jsoncut"
)

// gemini serves the protocol of that name, whose path names the model and the
// method: models/MODEL:generateContent. Source: https://ai.google.dev/api/generate-content.
func (s *Socket) gemini(w http.ResponseWriter, r *http.Request) {
	call := r.PathValue("call")
	i := strings.LastIndexByte(call, ':')
	if i <= 0 {
		http.NotFound(w, r)
		return
	}
	a := api{protocol: inference.Gemini, model: call[:i], path: call[i+1:], metered: true}
	switch a.path {
	case "generateContent":
		a.action = "generate-content"
	case "streamGenerateContent":
		a.action, a.stream = "stream-generate-content", true
		if r.URL.Query().Get("alt") != "sse" { // else it would be one list that is never complete
			writeGeminiError(w, "streamGenerateContent is served as server-sent events alone: ask with alt=sse")
			return
		}
		a.path += "?alt=sse"
	case "countTokens":
		a.action, a.metered = "count-tokens", false
	default:
		http.NotFound(w, r)
		return
	}
	s.infer(a)(w, r)
}

func writeGeminiError(w http.ResponseWriter, message string) {
	sendError(w, http.StatusBadRequest, translate.GeminiError(http.StatusBadRequest, "vexa: "+message))
}

// geminiEgress is egress for that protocol.
func (p *parsed) geminiEgress() error {
	request, err := protoFields(object(p.members))
	if err != nil {
		return errors.New("the request is not of a known form")
	}
	for _, name := range []string{"cachedcontent", "generatecontentrequest"} {
		if raw := request[name]; raw != nil && !emptyJSON(raw) {
			return fmt.Errorf("%s names what is kept at the provider or asks within what is asked", name)
		}
	}
	if err := geminiToolsEgress(request["tools"]); err != nil {
		return err
	}
	for _, name := range []string{"contents", "systeminstruction"} {
		if raw := request[name]; holds(raw, "fil", "inl", "u00") { // fileData or inlineData, or an escape
			if err := geminiContentEgress(raw); err != nil {
				return err
			}
		}
	}
	return nil
}

// geminiToolsEgress refuses what is not a declaration of the client's functions:
// each other member is a tool of the provider's.
func geminiToolsEgress(raw []byte) error {
	return each(raw, func(raw []byte) error {
		tool, err := protoFields(raw)
		if err != nil {
			return errors.New("the request's tools are not of a known form")
		}
		for name, value := range tool {
			if name != "functiondeclarations" && string(value) != "null" {
				return fmt.Errorf("the tool %.100s runs at the provider, which has a network", name)
			}
		}
		return nil
	})
}

// geminiContentEgress looks through contents, each of which has parts.
func geminiContentEgress(raw []byte) error {
	return each(raw, func(raw []byte) error {
		content, err := protoFields(raw)
		if err != nil {
			return errors.New("the request's contents are not of a known form")
		}
		return geminiPartsEgress(content["parts"])
	})
}

// geminiPartsEgress refuses a part that is a file by its address, also in the place of its
// bytes. What a function returned can have parts, too.
func geminiPartsEgress(raw []byte) error {
	return each(raw, func(raw []byte) error {
		part, err := protoFields(raw)
		if err != nil {
			return errors.New("the request's contents are not of a known form")
		}
		if err := geminiFileEgress(part); err != nil {
			return err
		}
		returned := part["functionresponse"]
		if returned == nil || string(returned) == "null" {
			return nil
		}
		response, err := protoFields(returned)
		if err != nil {
			return errors.New("the request's contents are not of a known form")
		}
		return each(response["parts"], func(raw []byte) error {
			inner, err := protoFields(raw)
			if err != nil {
				return errRemote
			}
			return geminiFileEgress(inner)
		})
	})
}

// geminiFileEgress refuses what a part has of a file, but for its bytes.
func geminiFileEgress(part map[string][]byte) error {
	if file := part["filedata"]; file != nil && string(file) != "null" {
		return errRemote
	}
	raw := part["inlinedata"]
	if raw == nil || string(raw) == "null" {
		return nil
	}
	blob, err := protoFields(raw)
	if err != nil {
		return errors.New("the request's contents are not of a known form")
	}
	var data string
	if text := blob["data"]; text != nil && (json.Unmarshal(text, &data) != nil || strings.Contains(data, ":")) { // which base64 has not
		return errRemote
	}
	return nil
}

// each calls f with each element of a list, or with what stands in its place.
func each(raw []byte, f func(raw []byte) error) error {
	if raw == nil || string(raw) == "null" {
		return nil
	}
	if raw[0] != '[' {
		return f(raw)
	}
	for one := range jsoncut.Elements(raw) {
		if err := f(one); err != nil {
			return err
		}
	}
	return nil
}

// protoFields are the members of an object that its reader takes for a protocol
// buffer: file_data and fileData are one name, written filedata here.
func protoFields(text []byte) (map[string][]byte, error) {
	all, err := distinct(nil, text)
	if err != nil {
		return nil, err
	}
	out := make(map[string][]byte, len(all))
	for _, m := range all {
		name := strings.ToLower(strings.ReplaceAll(folded(m.name), "_", ""))
		if _, twice := out[name]; twice {
			return nil, fmt.Errorf("the request has %.64q twice", m.name)
		}
		out[name] = m.value
	}
	return out, nil
}
