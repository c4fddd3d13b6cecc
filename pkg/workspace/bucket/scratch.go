package bucket

import (
	"fmt"
	"path/filepath"

	"github.com/vexa-ai/vexa/pkg/internal/scratchdir"
)

// scratchPrefix begins the names of directories that scratch makes.
const scratchPrefix = "tmp_vexa_"

// scratch makes a directory for packs that are being made beside a repository's
// own, which hold the same. Those that killed processes left are removed.
func scratch(objects string) (dir string, drop func(), err error) {
	return room(filepath.Join(objects, "pack"), scratchPrefix)
}

// sweepScratch removes what killed processes left of scratch.
func sweepScratch(objects string) {
	scratchdir.Sweep(filepath.Join(objects, "pack"), scratchPrefix)
}

// roomBelow makes a directory below parent and removes those that killed
// processes left there.
func roomBelow(parent string) (dir string, drop func(), err error) {
	return room(parent, "vexa-packs-")
}

func room(parent, prefix string) (dir string, drop func(), err error) {
	d, err := scratchdir.Make(parent, prefix)
	if err != nil {
		return "", nil, fmt.Errorf("make room for packs: %w", err)
	}
	return d.Path, func() { _ = d.Remove() }, nil // what stays is swept
}
