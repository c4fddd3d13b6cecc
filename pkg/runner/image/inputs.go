package image

import (
	"github.com/vexa-ai/vexa/pkg/runner/image/store"
)

// What to do about an input that cannot be had.
const (
	hintDebian = "name a mirror that has it, --debian-mirror URL or VEXA_DEBIAN_MIRROR (a snapshot of the archive keeps what mirrors removed), " +
		"or import a download of another machine: --import DIR"
	hintNPM = "name a registry that has it, --npm-registry URL or VEXA_NPM_REGISTRY, or import a download of another machine: --import DIR"
)

// resolve lists the inputs of an architecture, with where each may be had.
func (l Lock) resolve(arch string, s Sources) ([]store.Input, error) {
	pins, err := l.inputs(arch)
	if err != nil {
		return nil, err
	}
	var out []store.Input
	for _, d := range pins.Debian {
		out = append(out, store.Input{
			What: "Debian's " + d.Package + " " + d.Version, Digest: d.SHA256, Size: d.Size, URLs: s.DebianAt(d.Archive, d.File), Hint: hintDebian,
		})
	}
	for _, n := range pins.NPM {
		digest, err := store.ParseIntegrity(n.Integrity)
		if err != nil {
			return nil, err
		}
		out = append(out, store.Input{
			What: "npm's " + n.Package + " " + n.Version, Digest: digest, Size: n.Size, URLs: s.NPMAt(n.Tarball), Hint: hintNPM,
		})
	}
	return out, nil
}
