package runtime

import (
	"context"
	"errors"
)

// ImageDigest is the digest of the image that the engine knows by a name. It is
// fault.NotFound where there is none, and errors.ErrUnsupported where the engine has no
// digests.
func (k *Kernel) ImageDigest(ctx context.Context, ref string) (string, error) {
	p, ok := k.opt.Driver.(Prober)
	if !ok {
		return "", errors.ErrUnsupported
	}
	return p.ImageDigest(ctx, ref)
}

// Try runs a program of an image, in a container that has nothing of anybody's, and
// returns its exit code. It waits in no queue: what asks for it does.
func (k *Kernel) Try(ctx context.Context, ref string, argv []string) (code int, err error) {
	p, ok := k.opt.Driver.(Prober)
	if !ok {
		return 0, errors.ErrUnsupported
	}
	exit, err := p.Try(ctx, ref, k.opt.Install, argv)
	return exit.Code, err
}
