package bucket

import "github.com/vexa-ai/vexa/pkg/failpoint"

// The instants between the durable steps of a push, at which tests hold or kill
// a process.
const (
	pointStaging  failpoint.Point = "bucket.staging"  // a pack is being written
	pointStored   failpoint.Point = "bucket.stored"   // the objects are stored, nothing refers to them
	pointManifest failpoint.Point = "bucket.manifest" // about to make the manifest
	pointMade     failpoint.Point = "bucket.made"     // the manifest is made, nobody was told
	pointHint     failpoint.Point = "bucket.hint"     // the hint is written
	pointPinned   failpoint.Point = "bucket.pinned"   // the pin is written
	pointFetched  failpoint.Point = "bucket.fetched"  // a pack was taken over
	pointMembers  failpoint.Point = "bucket.members"  // a keyring is stored that no manifest names
	pointMerged   failpoint.Point = "bucket.merged"   // a consolidated pack is stored
	pointRemoving failpoint.Point = "bucket.removing" // about to remove what is not used any more
)

// Failpoints returns the points of this package.
func Failpoints() []failpoint.Point {
	return []failpoint.Point{
		pointStaging, pointStored, pointManifest, pointMade, pointHint, pointPinned,
		pointFetched, pointMembers, pointMerged, pointRemoving,
	}
}
