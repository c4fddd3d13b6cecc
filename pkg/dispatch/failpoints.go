package dispatch

import (
	"context"

	"github.com/vexa-ai/vexa/pkg/failpoint"
)

// The daemon's failpoints, in the order of a dispatch's life.
const (
	pointAccepted  failpoint.Point = "dispatch.accepted"  // on disk, and the client was not told
	pointBegun     failpoint.Point = "dispatch.begun"     // nothing is made yet
	pointPrepared  failpoint.Point = "dispatch.prepared"  // all is made but the container
	pointCreated   failpoint.Point = "dispatch.created"   // it runs, which is not recorded
	pointStarted   failpoint.Point = "dispatch.started"   // recorded, and its worker has no turn
	pointOffered   failpoint.Point = "dispatch.offered"   // a further turn is on disk, and the client was not told
	pointDelivered failpoint.Point = "dispatch.delivered" // the worker was sent its turn
	pointTurnEnd   failpoint.Point = "dispatch.turn-end"  // the worker's word is in the records, and it was not told
	pointSession   failpoint.Point = "dispatch.session"   // the session is kept; what the agent wrote may not be
	pointSealed    failpoint.Point = "dispatch.sealed"    // both are, and nobody was told
	pointTold      failpoint.Point = "dispatch.told"      // the topic says that the turn is done, the records do not
	pointTurnDone  failpoint.Point = "dispatch.turn-done" // both do
	pointResealed  failpoint.Point = "dispatch.resealed"  // a last seal found more, which is recorded
	pointReleasing failpoint.Point = "dispatch.releasing" // the container is gone, its directory is not
	pointReleased  failpoint.Point = "dispatch.released"  // both are, which is not recorded
	pointEnded     failpoint.Point = "dispatch.ended"     // recorded
	pointCarried   failpoint.Point = "dispatch.carried"   // an old unit's records are there twice
	pointRemoved   failpoint.Point = "dispatch.removed"   // an old unit's topics are gone, its records are not
)

// Failpoints are the daemon's, by the newest record of a dispatch there is then.
func Failpoints() map[string][]failpoint.Point {
	return map[string][]failpoint.Point{
		string(recordAccepted): {pointAccepted, pointBegun, pointPrepared, pointCreated},
		string(recordStarted):  {pointStarted},
		string(recordTurn):     {pointOffered, pointDelivered},
		string(recordTurnEnd):  {pointTurnEnd, pointSession, pointSealed, pointTold},
		string(recordTurnDone): {pointTurnDone, pointReleasing, pointReleased},
		string(recordSealed):   {pointResealed},
		string(recordEnded):    {pointEnded},
		string(recordCarried):  {pointCarried},
		string(recordRemoved):  {pointRemoved},
	}
}

// at is a failpoint where nothing can fail but the process itself.
func (m *Manager) at(ctx context.Context, p failpoint.Point) {
	if err := m.failpoints.At(ctx, p); err != nil {
		m.log.WarnContext(ctx, "failpoint", "point", string(p), "error", err)
	}
}
