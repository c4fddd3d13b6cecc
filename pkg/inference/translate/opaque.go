package translate

import (
	"encoding/base64"
	"encoding/json"
	"strings"

	"github.com/vexa-ai/vexa/pkg/inference"
)

// carried is how opaque reasoning looks that is another protocol's than the one
// it passes through: whoever gets it back knows whose it was.
const carried = "vexa:"

// carry returns what stands for opaque reasoning in the protocol own: the data
// itself, or where it is another's, a text from which taken makes it again.
func (o Opaque) carry(own inference.Protocol) string {
	if o.Origin == own || o.Origin == "" {
		return o.Data
	}
	data, err := json.Marshal(o)
	if err != nil {
		return "" // two strings can be encoded
	}
	return carried + string(o.Origin) + ":" + base64.RawURLEncoding.EncodeToString(data)
}

// taken reads what carry wrote. What it did not write is own's.
func taken(data string, own inference.Protocol) Opaque {
	rest, ok := strings.CutPrefix(data, carried)
	origin, payload, found := strings.Cut(rest, ":")
	if ok && found && speaks(inference.Protocol(origin)) {
		var o Opaque
		raw, err := base64.RawURLEncoding.DecodeString(payload)
		if err == nil && json.Unmarshal(raw, &o) == nil {
			o.Origin = inference.Protocol(origin)
			return o
		}
	}
	return Opaque{Origin: own, Data: data}
}
