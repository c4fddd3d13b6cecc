package image

import (
	"time"

	"github.com/vexa-ai/vexa/pkg/runner/image/store"
)

// unneeded is how long the cache has inputs that no lock names any more: an older lock
// may come back meanwhile.
const unneeded = 30 * 24 * time.Hour

// trim removes inputs that neither lock nor one of o.Keep names, of any architecture, and
// that no image was made of for long. What the locks name stays however long that is: a
// machine without a network could not fetch it again.
func trim(lock Lock, o Options) (freed int64, err error) {
	keep := map[store.Digest]bool{}
	for _, l := range append([]Lock{lock}, o.Keep...) {
		for arch := range l.Locked {
			inputs, err := l.resolve(arch, o.Sources)
			if err != nil {
				return 0, err
			}
			for _, in := range inputs {
				keep[in.Digest] = true
			}
		}
	}
	return o.Cache.Trim(func(d store.Digest) bool { return keep[d] }, time.Now().Add(-unneeded))
}
