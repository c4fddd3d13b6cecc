package podman

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/runtime"
)

// LoadImage takes in the image that write writes as an archive, of the OCI image
// layout or as "docker save" has it, under the name that the archive gives it.
// An image that has the name already loses it. An error of write is returned as
// it is, and Podman then keeps nothing.
func (d *Driver) LoadImage(ctx context.Context, write func(io.Writer) error) error {
	d.importing.Lock()
	defer d.importing.Unlock()
	body, ended := written(write)
	err := d.conn.call(ctx, request{method: http.MethodPost, path: "/images/load", body: body, media: "application/x-tar"}, nil)
	if broken := ended(); broken != nil {
		return broken
	}
	return noSpace(err)
}

// written is the body of a request that write writes while it is sent. After the
// answer ended ends it and returns why write broke off, if it did: what Podman says
// of a body that did is not why.
func written(write func(io.Writer) error) (body *once, ended func() error) {
	r, w := io.Pipe()
	made := make(chan error, 1)
	go func() {
		err := write(w)
		_ = w.CloseWithError(err) // it always returns nil
		made <- err
	}()
	return &once{r: r}, func() error {
		_ = r.CloseWithError(errLoadEnded)
		if err := <-made; err != nil && !errors.Is(err, errLoadEnded) {
			return err
		}
		return nil
	}
}

// noSpace tells a disk that is full from other refusals, which have one status.
func noSpace(err error) error {
	var refused *apiError
	if errors.As(err, &refused) && strings.Contains(refused.Message, "no space left on device") {
		return &fault.Error{Kind: fault.Failed, Msg: "the disk on which Podman keeps images is full", Err: err, Hint: "make free space on it: podman system df, podman image prune"}
	}
	return err
}

// noProgram reports whether a container could not be started because its image has no
// such program, as the runtimes runc and crun say it.
func noProgram(err error) bool {
	var refused *apiError
	return errors.As(err, &refused) && (strings.Contains(refused.Message, "no such file or directory") ||
		strings.Contains(refused.Message, "executable file") && strings.Contains(refused.Message, "not found"))
}

// errLoadEnded tells the writer of an archive that nobody reads on.
var errLoadEnded = errors.New("podman reads no further")

// ImageInfo is what is known of an image that is here.
type ImageInfo struct {
	ID     string            `json:"Id"`
	Digest string            `json:"Digest"` // of its manifest
	Size   int64             `json:"Size"`   // bytes, uncompressed
	Arch   string            `json:"Architecture"`
	Labels map[string]string `json:"Labels"`
}

// Image describes an image; fault.NotFound where there is none of that name.
func (d *Driver) Image(ctx context.Context, ref string) (ImageInfo, error) {
	var info ImageInfo
	err := d.conn.call(ctx, request{method: http.MethodGet, path: "/images/%s/json", args: []string{ref}}, &info)
	return info, err
}

// Forget takes an image's name away, and removes the image where it has no other. One
// that is not there is forgotten already.
func (d *Driver) Forget(ctx context.Context, ref string) error {
	err := d.conn.call(ctx, request{method: http.MethodDelete, path: "/images/%s", args: []string{ref}}, nil)
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	return err
}

// Warm makes the copy of an image's layers that the user namespace of a
// container needs, so that the first dispatch does not wait for it: Podman makes
// it where a container is created, once for each image. No container is left.
func (d *Driver) Warm(ctx context.Context, ref, install string) error {
	id, err := d.brief(ctx, ref, install, []string{"/.vexa/bin/vexa"}, runtime.Limits{Processes: 1, OpenFiles: 64, TmpMB: 1, HomeMB: 1})
	if err != nil {
		return fault.Wrap(fault.KindOf(err), "make "+ref+" ready for containers", err)
	}
	return d.Remove(context.WithoutCancel(ctx), id)
}

// ImageDigest implements runtime.Prober.
func (d *Driver) ImageDigest(ctx context.Context, ref string) (string, error) {
	info, err := d.own(ctx, ref)
	return info.Digest, err
}

// Try implements runtime.Prober.
func (d *Driver) Try(ctx context.Context, ref, install string, argv []string, most time.Duration) (exit runtime.Exit, err error) {
	id, err := d.brief(ctx, ref, install, argv, runtime.Limits{Processes: 512, OpenFiles: 1024, TmpMB: 64, HomeMB: 64})
	if err != nil {
		return exit, err
	}
	defer func() { err = errors.Join(err, d.Remove(context.WithoutCancel(ctx), id)) }()
	switch err := d.Start(ctx, id); {
	case noProgram(err):
		return runtime.Exit{Code: runtime.ExitNoProgram}, nil
	case err != nil && !d.over(ctx, id): // Podman looks for the processes of one that has ended by then
		return exit, err
	}
	waiting, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	exit, err = d.Wait(waiting, id)
	if err != nil && waiting.Err() != nil && ctx.Err() == nil {
		err = fault.New(fault.Timeout, argv[0]+" of "+ref+" does not end within "+most.String(), "")
	}
	return exit, err
}

// over reports whether a container ran and has ended.
func (d *Driver) over(ctx context.Context, id string) bool {
	c, err := d.inspect(ctx, id)
	return err == nil && phase(c.State.Status) == runtime.PhaseEnded
}

// brief makes a container that is removed at once. One that nobody waits for any more is
// removed when it is there.
func (d *Driver) brief(ctx context.Context, ref, install string, argv []string, limits runtime.Limits) (string, error) {
	nonce := make([]byte, 8)
	if _, err := rand.Read(nonce); err != nil {
		return "", err
	}
	name := "vexa-warm-" + hex.EncodeToString(nonce)
	type made struct {
		id  string
		err error
	}
	done := make(chan made, 1)
	whole := context.WithoutCancel(ctx)
	go func() {
		id, err := d.Create(whole, runtime.Container{
			Name: name, Image: ref, Dir: "/", Argv: argv, Limits: limits, Labels: map[string]string{runtime.LabelInstall: install, runtime.LabelUnit: name},
		})
		done <- made{id, err}
	}()
	select {
	case m := <-done:
		return m.id, m.err
	case <-ctx.Done():
		go func() {
			if m := <-done; m.err == nil {
				if err := d.Remove(whole, m.id); err != nil {
					d.log.WarnContext(whole, "remove a container that nobody waited for", "container", name, "error", err)
				}
			}
		}()
		return "", context.Cause(ctx)
	}
}
