package runtime

import (
	"context"

	"github.com/vexa-ai/vexa/pkg/contract/runtimev1"
	"github.com/vexa-ai/vexa/pkg/failpoint"
)

// The kernel's failpoints, in the order of a workload's life.
const (
	pointEntered   failpoint.Point = "runtime.entered"   // nothing is made yet
	pointCreated   failpoint.Point = "runtime.created"   // the container is made and not started
	pointLaunched  failpoint.Point = "runtime.launched"  // it runs, and nobody was told
	pointRunning   failpoint.Point = "runtime.running"   // nobody waits for its end yet
	pointStopping  failpoint.Point = "runtime.stopping"  // the container was not told yet
	pointEnded     failpoint.Point = "runtime.ended"     // it has ended by itself or as told, and is not removed
	pointStopped   failpoint.Point = "runtime.stopped"   // removed, and nobody was told
	pointDestroyed failpoint.Point = "runtime.destroyed" // forgotten
)

// Failpoints are the kernel's, by the state that a workload is in there.
func Failpoints() map[runtimev1.State][]failpoint.Point {
	return map[runtimev1.State][]failpoint.Point{
		runtimev1.Starting:  {pointEntered, pointCreated, pointLaunched},
		runtimev1.Running:   {pointRunning, pointEnded},
		runtimev1.Stopping:  {pointStopping},
		runtimev1.Stopped:   {pointStopped},
		runtimev1.Destroyed: {pointDestroyed},
	}
}

// at is a failpoint where nothing can fail but the process itself.
func (k *Kernel) at(ctx context.Context, p failpoint.Point) {
	if err := k.opt.Failpoints.At(ctx, p); err != nil {
		k.opt.Log.WarnContext(ctx, "failpoint", "point", string(p), "error", err)
	}
}
