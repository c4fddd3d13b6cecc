package podman

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	goruntime "runtime"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/runtime"
)

// EnsureImage implements runtime.Driver.
func (d *Driver) EnsureImage(ctx context.Context, image runtime.Image) error {
	if image.Open == nil {
		_, err := d.own(ctx, image.Ref)
		return err
	}
	there, err := d.exists(ctx, image.Ref)
	if there || err != nil {
		return err
	}
	d.importing.Lock()
	defer d.importing.Unlock()
	if there, err = d.exists(ctx, image.Ref); there || err != nil {
		return err
	}
	d.log.InfoContext(ctx, "making an image", "image", image.Ref)
	tar, err := image.Open()
	if err != nil {
		return err
	}
	err = d.conn.call(ctx, request{
		method: http.MethodPost, path: "/images/import", query: url.Values{"reference": {image.Ref}},
		body: &once{r: tar}, media: "application/x-tar",
	}, nil)
	return errors.Join(err, tar.Close())
}

// own is fault.NotFound where an image that Vexa does not make is not here, and
// fault.Invalid where it is another machine's: its worker would run in it, and its
// program would not.
func (d *Driver) own(ctx context.Context, ref string) (ImageInfo, error) {
	info, err := d.Image(ctx, ref)
	switch {
	case fault.Is(err, fault.NotFound):
		return info, fault.New(fault.NotFound, "there is no image "+ref+" here", "make it, or load it with podman load; Vexa pulls nothing")
	case err == nil && info.Arch != "" && info.Arch != goruntime.GOARCH:
		return info, fault.New(fault.Invalid, "the image "+ref+" is for "+info.Arch+", this machine is "+goruntime.GOARCH, "make it for this machine, or load one that is")
	}
	return info, err
}

func (d *Driver) exists(ctx context.Context, ref string) (bool, error) {
	r, err := d.conn.send(ctx, request{method: http.MethodGet, path: "/images/%s/exists", args: []string{ref}})
	switch {
	case err != nil:
		return false, err
	case r.status == http.StatusNotFound:
		return false, nil
	case r.status/100 == 2:
		return true, nil
	default:
		return false, refusal(r)
	}
}

// once is a body that can be sent once. The bindings send a request again when
// it failed, and a second reading would be an empty image under a good name.
type once struct {
	r    io.Reader
	done bool
}

var errSent = errors.New("the body was sent already")

func (o *once) Read(p []byte) (int, error) {
	if o.done {
		return 0, errSent
	}
	n, err := o.r.Read(p)
	o.done = err != nil
	return n, err
}
