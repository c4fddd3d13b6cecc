package runner

import (
	"context"
	"errors"
	"strings"
	"sync"

	"github.com/vexa-ai/vexa/pkg/contract/runnerv2"
	"github.com/vexa-ai/vexa/pkg/fault"
)

// Engine knows images by their names. One that is not there is fault.NotFound, and an
// engine that has no digests errors.ErrUnsupported.
type Engine interface {
	ImageDigest(ctx context.Context, ref string) (string, error)
}

// Images say what the image of a runner is asked for by. One that was made here is asked
// for by its digest. One that was brought ready-made is whatever has its name now, and
// where the manifest pins a version its program is asked for it before the first
// dispatch. Images is safe for concurrent use.
type Images struct {
	Builds  Builds // the images that were made here
	Checked Builds // those that were brought, and whose version is right
	Engine  Engine

	mu     sync.Mutex
	asking map[string]*answer // by image
}

// Reference is what the image of m is asked for by. Where ask is not nil, the program in
// it has to be asked for its version first, once for each image: ask does that, which
// takes a while, and is fault.Invalid where it is another than m pins. An image that is
// not there is not looked for: who runs it finds out.
func (i *Images) Reference(ctx context.Context, m runnerv2.Manifest) (ref string, ask func(context.Context, Try) error, err error) {
	made, err := i.Builds.Reference(m)
	if err != nil || made != m.Image.Ref || !Pins(m) {
		return made, nil, err
	}
	digest, err := i.Engine.ImageDigest(ctx, m.Image.Ref)
	switch {
	case fault.Is(err, fault.NotFound), errors.Is(err, errors.ErrUnsupported):
		return m.Image.Ref, nil, nil
	case err != nil:
		return "", nil, err
	}
	ref = byDigest(m.Image.Ref, digest) // the name may be another's by the time it is asked
	if i.checked(m, digest) {
		return ref, nil, nil
	}
	return ref, func(ctx context.Context, try Try) error { return i.ask(ctx, m, digest, try) }, nil
}

func (i *Images) checked(m runnerv2.Manifest, digest string) bool {
	known, err := i.Checked.Digest(m)
	return err == nil && known == digest
}

// answer is what a program said, once done is closed.
type answer struct {
	done chan struct{}
	err  error
}

// ask asks the program. Who asks while another does takes that answer, but for one that
// was broken off.
func (i *Images) ask(ctx context.Context, m runnerv2.Manifest, digest string, try Try) error {
	key := m.Name + " " + pins(m) + " " + digest
	for {
		i.mu.Lock()
		other, ok := i.asking[key]
		if !ok {
			break
		}
		i.mu.Unlock()
		select {
		case <-other.done:
		case <-ctx.Done():
			return fault.Wrap(fault.Interrupted, "ask the program of "+m.Image.Ref+" for its version", context.Cause(ctx))
		}
		if !fault.Is(other.err, fault.Interrupted) {
			return other.err
		}
	}
	if i.asking == nil {
		i.asking = map[string]*answer{}
	}
	mine := &answer{done: make(chan struct{})}
	i.asking[key] = mine
	i.mu.Unlock()
	if !i.checked(m, digest) { // it may have been, since Reference looked
		if mine.err = CheckVersion(ctx, m, m.Image.Ref, try); mine.err == nil {
			mine.err = i.Checked.Put(m, digest)
		}
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	delete(i.asking, key)
	close(mine.done)
	return mine.err
}

// byDigest is the image of a name that has a digest.
func byDigest(ref, digest string) string {
	ref, _, _ = strings.Cut(ref, "@")
	if colon := strings.LastIndexByte(ref, ':'); colon > strings.LastIndexByte(ref, '/') {
		ref = ref[:colon]
	}
	return ref + "@" + digest
}
