package probe

import (
	"bytes"
	"context"
	"encoding/base64"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"strings"

	"github.com/vexa-ai/vexa/pkg/inference"
	"github.com/vexa-ai/vexa/pkg/inference/translate"
)

// orange is the colour of the picture: one that few would guess.
const orange = "orange"

// picture returns a small square of that colour, as a PNG in base64. Vision
// models refuse pictures that are smaller than one of their own tiles.
func picture() (string, error) {
	const side = 64
	img := image.NewRGBA(image.Rect(0, 0, side, side))
	draw.Draw(img, img.Bounds(), image.NewUniform(color.RGBA{R: 255, G: 140, A: 255}), image.Point{}, draw.Src)
	var b bytes.Buffer
	err := png.Encode(&b, img)
	return base64.StdEncoding.EncodeToString(b.Bytes()), err
}

// images asks what colour a picture has. An answer that does not name it may be
// one that never saw it: some servers drop what their model cannot read.
func (t *test) images(ctx context.Context, p inference.Protocol, stream bool) {
	t.begin(Images, p)
	data, err := picture()
	if err != nil {
		t.add(Check{Name: Images, Protocol: p, State: Unknown, Detail: err.Error()})
		return
	}
	r := say("What colour is this picture? Answer in one word.")
	r.Stream, r.StreamUsage = stream, stream
	r.Items = append(r.Items, translate.Item{Role: translate.User, Kind: translate.Image, Media: translate.Media{Type: "image/png", Data: data}})
	o := t.ask(ctx, each, p, r)
	c := Check{Name: Images, Protocol: p, State: Yes, Detail: "it sees the colour: " + quoted(o.text())}
	switch {
	case !o.ok():
		c = o.failure(Images, p)
	case !strings.Contains(strings.ToLower(o.text()), orange):
		c.State, c.Detail = Unknown, "accepted; whether it was looked at cannot be told: "+quoted(o.text())
	}
	t.add(c)
}
