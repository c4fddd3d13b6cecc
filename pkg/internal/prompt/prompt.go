// Package prompt reads the message of a turn, as a runner is given it on its
// standard input.
package prompt

import (
	"io"
	"strings"

	"github.com/vexa-ai/vexa/pkg/fault"
)

// Max is how many bytes a message has at most.
const Max = 8 << 20

// Read reads a message to its end. It is valid UTF-8; one that is empty or over Max
// is fault.Invalid.
func Read(in io.Reader) (string, error) {
	data, err := io.ReadAll(io.LimitReader(in, Max+1))
	if err != nil {
		return "", fault.Wrap(fault.Internal, "read the message", err)
	}
	if len(data) > Max {
		return "", fault.Newf(fault.Invalid, "the message is over %d bytes", Max)
	}
	text := strings.ToValidUTF8(string(data), "\uFFFD")
	if strings.TrimSpace(text) == "" {
		return "", fault.New(fault.Invalid, "the message is empty", "")
	}
	return text, nil
}
