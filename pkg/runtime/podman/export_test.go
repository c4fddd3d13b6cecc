package podman

import (
	"encoding/json"
	"io"

	"github.com/vexa-ai/vexa/pkg/runtime"
)

// BareSpec is the body with which the driver makes c: the benchmark's floor
// sends the very same.
func (d *Driver) BareSpec(c runtime.Container) ([]byte, error) { return json.Marshal(d.boundary(c)) }

// Study draws the driver's conclusions from an answer of GET /info.
func Study(answer []byte, allowRootful bool) (runtimeName string, enforced, missing []string, err error) {
	var i info
	if err := json.Unmarshal(answer, &i); err != nil {
		return "", nil, nil, err
	}
	h, err := study(i, allowRootful)
	return h.runtime, h.enforced, h.missing, err
}

// ServicePID is the process of the driver's own API service, 0 between two.
func (d *Driver) ServicePID() int {
	d.service.mu.Lock()
	defer d.service.mu.Unlock()
	if d.service.process == nil {
		return 0
	}
	return d.service.process.Pid
}

// Once is the body that can be sent once.
func Once(r io.Reader) io.Reader { return &once{r: r} }

// CleanEnviron is the environment of the service.
func CleanEnviron(environ []string) []string { return cleanEnviron(environ) }

// SeccompProfile is the profile of every container.
func SeccompProfile() []byte { return seccompProfile }
