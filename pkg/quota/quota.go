// Package quota bounds how many containers each owner has at once. What is
// beyond that waits in a queue, which is bounded too.
//
// The defaults follow from the memory of the machine; config/quota.json says
// otherwise:
//
//	{"version": 1, "containers": 16, "waiting": 1000}
//
// in which a member that is missing keeps its default, and 0 is no limit.
package quota

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/vexa-ai/vexa/pkg/internal/configfile"
)

// Policy bounds each owner.
type Policy struct {
	Containers int // at once; 0: any number
	Waiting    int // in the queue for one; 0: any number
}

// File is the name of the file in the configuration's directory.
const File = "quota.json"

const (
	fileVersion    = 1
	maxNumber      = 1_000_000
	defaultWaiting = 1000

	// A container with the built-in agent takes some 40 MB, one with a vendor's
	// CLI 200 to 400; agents mostly wait for their model.
	perContainer  = 160 << 20
	minContainers = 4
	maxContainers = 128
)

// Default returns the policy of a machine with that much memory, in bytes.
func Default(memory int64) Policy {
	n := min(max(memory/perContainer, minContainers), maxContainers)
	return Policy{Containers: int(n), Waiting: defaultWaiting}
}

// Load reads the policy from the configuration's directory; memory is the
// machine's, in bytes. A file that does not hold to its form is fault.Invalid,
// never the default.
func Load(dir string, memory int64) (Policy, error) {
	p := Default(memory)
	err := configfile.Read(filepath.Join(dir, File), func(data []byte) error {
		var f struct {
			Version    int  `json:"version"`
			Containers *int `json:"containers"`
			Waiting    *int `json:"waiting"`
		}
		if err := configfile.Decode(data, &f); err != nil {
			return err
		}
		if f.Version != fileVersion {
			return errors.New("its version is not 1")
		}
		return errors.Join(
			configfile.Set(&p.Containers, "/containers", f.Containers, maxNumber),
			configfile.Set(&p.Waiting, "/waiting", f.Waiting, maxNumber),
		)
	})
	return p, err
}

func full(owner string, inside, waiting int) string {
	return fmt.Sprintf("%d dispatches of %s wait already for one of its %d containers", waiting, owner, inside)
}
