package podman

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/vexa-ai/vexa/pkg/fault"
)

// BuildImage makes the image ref as a Containerfile says, file by name within
// the tar of the build's files that write writes. Images that it begins from
// are pulled where they are missing: this is the one way in which Podman is let
// do so. What the build printed last is in the error where it fails.
func (d *Driver) BuildImage(ctx context.Context, ref, file string, write func(io.Writer) error) error {
	d.importing.Lock()
	defer d.importing.Unlock()
	r, w := io.Pipe()
	go func() { _ = w.CloseWithError(write(w)) }() // it always returns nil
	answer, err := d.conn.send(ctx, request{
		method: http.MethodPost, path: "/build", body: &once{r: r}, media: "application/x-tar",
		query: url.Values{
			"dockerfile": {file}, "t": {ref}, "pullpolicy": {"missing"}, "rm": {"true"}, "forcerm": {"true"}, "layers": {"true"},
			"httpproxy": {"false"},
		},
	})
	_ = r.CloseWithError(errLoadEnded)
	if err != nil {
		return err
	}
	if answer.status/100 != 2 {
		return refusal(answer)
	}
	return buildFailed(answer.body)
}

// buildFailed reads the stream of a build: objects with a stream member, and one
// with an error where it failed.
func buildFailed(body []byte) error {
	var said strings.Builder
	for dec := json.NewDecoder(bytes.NewReader(body)); ; {
		var line struct {
			Stream string `json:"stream"`
			Error  string `json:"error"`
		}
		err := dec.Decode(&line)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fault.Wrap(fault.Internal, "podman's answer to a build", err)
		}
		if line.Error != "" {
			text := strings.TrimSpace(said.String())
			return fault.New(fault.Failed, "podman build: "+strings.TrimSpace(line.Error)+"\n"+text[max(0, len(text)-2000):], "")
		}
		said.WriteString(line.Stream)
	}
}
