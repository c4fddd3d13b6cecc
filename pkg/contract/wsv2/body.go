package wsv2

import (
	"encoding/json"
	"errors"
)

// MarshalBody writes a body on its own, in the form that Report.Frame carries:
// one flat object of the type and the body's members. The host adds seq, ts,
// unit, source and turn when it publishes the frame.
func MarshalBody(b Body) (json.RawMessage, error) {
	if b == nil {
		return nil, errors.New("ws.v2 frame has no body")
	}
	h, err := json.Marshal(struct {
		Type Type `json:"type"`
	}{b.FrameType()})
	if err != nil {
		return nil, err
	}
	return join(h, b)
}

// UnmarshalBody reads what MarshalBody wrote. What enters is validated against
// ws.v2#AgentFrame first, which allows no type that is the host's alone.
func UnmarshalBody(data []byte) (Body, error) {
	var h struct {
		Type Type `json:"type"`
	}
	if err := json.Unmarshal(data, &h); err != nil {
		return nil, err
	}
	return unmarshalBody(h.Type, data)
}

// join appends the members of b to the object in h, which is not empty.
func join(h []byte, b Body) ([]byte, error) {
	body, err := json.Marshal(b)
	if err != nil {
		return nil, err
	}
	if len(body) <= len("{}") {
		return h, nil
	}
	h[len(h)-1] = ','
	return append(h, body[1:]...), nil
}
