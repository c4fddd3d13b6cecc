package podman

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/internal/textform"
)

// BuildImage makes the image ref as a Containerfile says, file by name within
// the tar of the build's files that write writes. Images that it begins from
// are pulled where they are missing: this is the one way in which Podman is let
// do so. What the build printed last is in the error where it fails; an error of
// write is returned as it is.
func (d *Driver) BuildImage(ctx context.Context, ref, file string, write func(io.Writer) error) error {
	d.importing.Lock()
	defer d.importing.Unlock()
	body, ended := written(write)
	answer, err := d.conn.send(ctx, request{
		method: http.MethodPost, path: "/build", body: body, media: "application/x-tar", stream: buildFailed,
		query: url.Values{
			"dockerfile": {file}, "t": {ref}, "pullpolicy": {"missing"}, "rm": {"true"}, "forcerm": {"true"}, "layers": {"true"},
			"httpproxy": {"false"},
		},
	})
	broken := ended()
	switch {
	case broken != nil:
		return broken
	case err != nil:
		return err
	case answer.status/100 != 2:
		return refusal(answer)
	default:
		return noSpace(answer.streamed)
	}
}

// maxSaid is how much of what a build printed is kept for its error, bytes.
const maxSaid = 2000

// imageID is the last that a build which succeeded says.
var imageID = textform.Regexp(`^[0-9a-f]{12,64}$`)

// buildFailed reads the stream of a build as it comes: objects with a stream member,
// and one with an error where it failed. The last one names the image; without
// that the build was cut short.
func buildFailed(body io.Reader) error {
	said, last := "", ""
	for dec := json.NewDecoder(body); ; {
		var line struct {
			Stream string `json:"stream"`
			Error  string `json:"error"`
		}
		err := dec.Decode(&line)
		if errors.Is(err, io.EOF) && imageID.MatchString(strings.TrimSpace(last)) {
			return nil
		}
		if errors.Is(err, io.EOF) {
			return fault.New(fault.Failed, "podman build: it ended without an image\n"+strings.TrimSpace(said), "run the same command again")
		}
		if err != nil {
			return fault.Wrap(fault.Failed, "podman's answer to a build broke off", err)
		}
		if line.Error != "" {
			return fault.New(fault.Failed, "podman build: "+strings.TrimSpace(line.Error)+"\n"+strings.TrimSpace(said), "")
		}
		if line.Stream != "" {
			last = line.Stream
		}
		said += line.Stream
		said = said[max(0, len(said)-maxSaid):]
	}
}
