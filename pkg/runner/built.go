package runner

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/vexa-ai/vexa/pkg/contract/runnerv2"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/internal/atomicfile"
	"github.com/vexa-ai/vexa/pkg/internal/configfile"
	"github.com/vexa-ai/vexa/pkg/internal/textform"
)

// Builds are the images that were made for runners and found right, by their digests: a
// name can be given to another image, by whoever uses the same Podman, and a digest
// cannot. Dir holds a file for each runner; it is safe for concurrent use, by several
// processes too.
type Builds struct{ Dir string }

// build is a runner's file.
type build struct {
	Image  string `json:"image"`          // the name in its manifest
	Digest string `json:"digest"`         // of the image's manifest: sha256: and hexadecimal digits
	Pins   string `json:"pins,omitempty"` // what its program says that it is, as the manifest had it
}

var imageDigest = textform.Regexp(`^sha256:[0-9a-f]{64}$`)

// Put notes that the image of m has this digest.
func (b Builds) Put(m runnerv2.Manifest, digest string) error {
	if !imageDigest.MatchString(digest) {
		return fault.Newf(fault.Internal, "note the image of runner %s: %q is no digest", m.Name, digest)
	}
	data, err := json.Marshal(build{m.Image.Ref, digest, pins(m)})
	if err == nil {
		err = os.MkdirAll(b.Dir, 0o700)
	}
	if err == nil {
		err = atomicfile.WriteFile(b.file(m), append(data, '\n'), 0o600)
	}
	return fault.Wrap(fault.Internal, "note the image of runner "+m.Name, err)
}

// Digest is the digest of the image that was made for m, "" where none was made under
// the name, and for the version, that its manifest has now. A file that cannot be read is fault.Invalid.
func (b Builds) Digest(m runnerv2.Manifest) (string, error) {
	data, err := os.ReadFile(b.file(m))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	var made build
	if err == nil {
		err = configfile.Decode(data, &made)
	}
	if err == nil && !imageDigest.MatchString(made.Digest) {
		err = fmt.Errorf("%q is no digest", made.Digest)
	}
	if err != nil {
		return "", &fault.Error{Kind: fault.Invalid, Msg: b.file(m), Err: err, Hint: "make the image again: vexa runner build " + m.Name}
	}
	if made.Image != m.Image.Ref || made.Pins != pins(m) {
		return "", nil
	}
	return made.Digest, nil
}

// Reference is what the image of m is asked for by: by its digest where it was made
// here, else by its name, which is then whatever the person gave it to.
func (b Builds) Reference(m runnerv2.Manifest) (string, error) {
	if m.Image.Builtin != "" {
		return "builtin:" + m.Image.Builtin, nil
	}
	digest, err := b.Digest(m)
	if err != nil || digest == "" {
		return m.Image.Ref, err
	}
	return byDigest(m.Image.Ref, digest), nil
}

// Forget takes the note of a runner away, whose manifest or lock is another one now, or
// gone. There need not be one.
func (b Builds) Forget(name string) error {
	err := os.Remove(b.file(runnerv2.Manifest{Name: name}))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return fault.Wrap(fault.Internal, "forget the image of runner "+name, err)
}

func (b Builds) file(m runnerv2.Manifest) string { return filepath.Join(b.Dir, m.Name+".json") }
