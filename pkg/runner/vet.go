package runner

import (
	"context"
	"errors"
	"strings"

	"github.com/vexa-ai/vexa/pkg/contract/runnerv2"
	"github.com/vexa-ai/vexa/pkg/fault"
)

// Engine knows images by their names; a client of the runtime kernel is one. An image
// that is not there is fault.NotFound, and an engine that has no digests
// errors.ErrUnsupported.
type Engine interface {
	ImageDigest(ctx context.Context, ref string) (string, error)
	Try(ctx context.Context, ref string, argv []string) (code int, err error)
}

// Images say what the image of a runner is asked for by. One that was made here is asked
// for by its digest. One that was brought ready-made is whatever has its name now, and
// where the manifest pins a version its program is asked for it before the first
// dispatch. Images is safe for concurrent use.
type Images struct {
	Builds  Builds // the images that were made here
	Checked Builds // those that were brought, and whose version is right
	Engine  Engine
}

// Reference is what the image of m is asked for by. It is fault.Invalid where the program
// in it is of another version than m pins. An image that is not there is not looked for:
// who runs it finds out.
func (i Images) Reference(ctx context.Context, m runnerv2.Manifest) (string, error) {
	made, err := i.Builds.Reference(m)
	if err != nil || made != m.Image.Ref || !Pins(m) {
		return made, err
	}
	digest, err := i.Engine.ImageDigest(ctx, m.Image.Ref)
	switch {
	case fault.Is(err, fault.NotFound), errors.Is(err, errors.ErrUnsupported):
		return m.Image.Ref, nil
	case err != nil:
		return "", err
	}
	if known, err := i.Checked.Digest(m); err == nil && known == digest {
		return byDigest(m.Image.Ref, digest), nil
	}
	image := byDigest(m.Image.Ref, digest) // the name may be another's by the time it is asked
	err = CheckVersion(ctx, m, m.Image.Ref, func(ctx context.Context, argv []string) (int, error) {
		return i.Engine.Try(ctx, image, argv)
	})
	if err != nil {
		return "", err
	}
	return image, i.Checked.Put(m, digest)
}

// byDigest is the image of a name that has a digest.
func byDigest(ref, digest string) string {
	ref, _, _ = strings.Cut(ref, "@")
	if colon := strings.LastIndexByte(ref, ':'); colon > strings.LastIndexByte(ref, '/') {
		ref = ref[:colon]
	}
	return ref + "@" + digest
}
