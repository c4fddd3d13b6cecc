package dispatch

import (
	"slices"

	"github.com/vexa-ai/vexa/pkg/contract/runnerv2"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/runner"
)

// checkTools refuses tools that nobody knows, and tools for a runner that cannot
// be given any: an agent is not started without what it was to have.
func (m *Manager) checkTools(names []string, manifest runnerv2.Manifest) error {
	for i, name := range names {
		if slices.Contains(names[:i], name) {
			return fault.New(fault.Invalid, "tool "+name+" is granted twice", "name each tool once")
		}
		if m.tools == nil {
			return fault.New(fault.NotFound, "there are no tools", "leave --tool out")
		}
		if _, err := m.tools.Get(name); err != nil {
			return err
		}
	}
	if len(names) > 0 && !runner.TakesTools(manifest) {
		return fault.New(fault.Invalid, "runner "+manifest.Name+" cannot be given tools", "leave --tool out, or choose another with --runner")
	}
	return nil
}
