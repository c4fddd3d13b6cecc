package runner

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/vexa-ai/vexa/pkg/contract/runnerv2"
	"github.com/vexa-ai/vexa/pkg/fault"
)

// How a probe ends.
const (
	saysVersion  = 8 // its program says the version
	otherVersion = 9 // it says another one, or none
	noShell      = 126
	noProgram    = 127
)

// probeScript runs a probe, its arguments, and looks for a version, its name, in what it
// prints: as a word of its own, so that 2.0 is not found in 12.0.9 or 2.0-rc1.
const probeScript = `case " $("$@" 2>/dev/null </dev/null) " in *[!0-9A-Za-uw-z.+_-]"$0"[!0-9A-Za-z.+_-]*) exit 8 ;; *) exit 9 ;; esac`

// Try runs a program of an image where it can do nothing, and returns its exit code: 127
// of one that is not there. One that does not end is fault.Timeout.
type Try func(ctx context.Context, argv []string) (code int, err error)

// Pins reports whether a manifest says which version its program has to be, and how the
// program is asked.
func Pins(m runnerv2.Manifest) bool { return m.Package != nil && len(m.Argv.Probe) > 0 }

// pins is what a manifest pins, and how that is asked for.
func pins(m runnerv2.Manifest) string {
	if !Pins(m) {
		return ""
	}
	return strings.Join(slices.Concat([]string{m.Package.Name, m.Package.Version}, m.Argv.Probe), " ")
}

// CheckVersion asks the program of an image of m, which pins one, for its version, in a
// shell of the image. It is fault.Invalid where that is another than m pins, and
// fault.Timeout where it does not say it. An image without a shell cannot tell, and passes.
func CheckVersion(ctx context.Context, m runnerv2.Manifest, image string, try Try) error {
	code, err := try(ctx, slices.Concat([]string{"/bin/sh", "-c", probeScript, m.Package.Version}, m.Argv.Probe))
	wants := "does not say that it is " + m.Package.Name + " " + m.Package.Version
	switch {
	case ctx.Err() != nil:
		return fault.Wrap(fault.Interrupted, "ask the program of "+image+" for its version", context.Cause(ctx))
	case fault.Is(err, fault.Timeout):
		return fault.Wrap(fault.Timeout, "the program in "+image+" was asked for its version and does not answer", err)
	case err != nil:
		return err
	case code == saysVersion, code == noShell, code == noProgram:
		return nil
	case code != otherVersion:
		wants += fmt.Sprintf(": the probe of its version ended with code %d", code)
	}
	return fault.New(fault.Invalid, "the program in "+image+" "+wants+", which the manifest of runner "+m.Name+" pins",
		"give it an image with that version; or add a runner of your own whose manifest pins the other one: vexa runner add DIR")
}
