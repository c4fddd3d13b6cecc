package dispatch

import (
	"sync"

	"github.com/vexa-ai/vexa/pkg/broker"
)

// maxDenials is how many refusals for one reason wait for the owner at most.
const maxDenials = 16

// denials counts the refusals that wait for the owner, so that a container does
// not fill its mail while it is busy. Those beyond maxDenials are counted only:
// what follows from a refusal follows from the others for the same reason.
type denials struct {
	mu      sync.Mutex
	waiting map[broker.Denial]int
	more    map[broker.Denial]int
}

// add reports whether the owner is to hear of one more.
func (d *denials) add(reason broker.Denial) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.waiting == nil {
		d.waiting, d.more = map[broker.Denial]int{}, map[broker.Denial]int{}
	}
	if d.waiting[reason] >= maxDenials {
		d.more[reason]++
		return false
	}
	d.waiting[reason]++
	return true
}

// said takes one off those that wait, and with the last of them returns how many
// were counted only.
func (d *denials) said(reason broker.Denial) (more int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.waiting[reason]--; d.waiting[reason] == 0 {
		more, d.more[reason] = d.more[reason], 0
	}
	return more
}
