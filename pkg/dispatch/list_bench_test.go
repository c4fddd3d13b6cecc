package dispatch_test

import (
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/dispatch"
)

// BenchmarkList lists the live dispatches, of which there are none, and all of
// a table as full as the default policy lets it get.
func BenchmarkList(b *testing.B) {
	m := dispatch.Full(2000, time.Now)
	for name, all := range map[string]bool{"live": false, "all": true} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				m.List(all)
			}
		})
	}
}
