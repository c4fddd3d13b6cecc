package runtime

import (
	"context"
	"errors"
	"time"

	"github.com/vexa-ai/vexa/pkg/contract/identityv1"
	"github.com/vexa-ai/vexa/pkg/fault"
)

// mostTry is how long a program that is tried may run.
const mostTry = time.Minute

// ImageDigest is the digest of the image that the engine knows by a name. It is
// fault.NotFound where there is none, fault.Invalid where it is another machine's, and
// errors.ErrUnsupported where the engine has no digests.
func (k *Kernel) ImageDigest(ctx context.Context, ref string) (string, error) {
	p, ok := k.opt.Driver.(Prober)
	if !ok {
		return "", errors.ErrUnsupported
	}
	return p.ImageDigest(ctx, ref)
}

// Try runs a program of an image for the dispatch unit, if token is its token, in a
// container that has nothing of anybody's, and returns its exit code. It waits for its
// turn as workloads do that are started. A program that does not end within a minute is
// fault.Timeout.
func (k *Kernel) Try(ctx context.Context, unit, token, ref string, argv []string) (code int, err error) {
	if err := k.open(ctx); err != nil {
		return 0, err
	}
	claims, err := k.opt.Verifier.Verify(token, identityv1.AudienceRuntime, unit)
	if err == nil && claims.Unit != unit {
		err = denied("the token belongs to another dispatch")
	}
	if err != nil {
		return 0, k.Refuse(ctx, unit, err)
	}
	p, ok := k.opt.Driver.(Prober)
	if !ok {
		return 0, errors.ErrUnsupported
	}
	if !k.starts.take(ctx, nil) {
		return 0, fault.Wrap(fault.Interrupted, "try a program of "+ref, context.Cause(ctx))
	}
	defer k.starts.give()
	exit, err := p.Try(ctx, ref, k.opt.Install, argv, mostTry)
	return exit.Code, err
}
