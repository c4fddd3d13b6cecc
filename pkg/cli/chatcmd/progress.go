package chatcmd

import (
	"cmp"
	"time"

	"github.com/vexa-ai/vexa/pkg/cli/factory"
)

// What a person waits for who sees nothing of a turn.
const (
	handsOver         = "handing the task over"
	startsContainer   = "starting a container"
	waitsForContainer = "waiting for a container"
	waitsForTurn      = "waiting for the turn before"
	agentWorks        = "the agent works"
)

// slowTurn is how long a turn may show nothing until the person is told why.
const slowTurn = time.Second

// progress tells a person at a terminal what is waited for while a turn shows nothing: in
// a line that is gone as soon as something is shown. Where no line can be written over, or
// is to be, each thing is told once. Elsewhere, and under --quiet and --json, nothing is.
// It is for one goroutine.
type progress struct {
	f      *factory.Factory
	plain  bool // the cursor is not to be moved
	doing  *factory.Activity
	text   string
	told   map[string]bool // what stands there in lines of its own
	notice *time.Timer
	said   chan struct{} // closed once it stands there
}

// wait says what is waited for from now on.
func (p *progress) wait(text string) {
	switch {
	case p.text == text || !factory.IsTTY(p.f.ErrTTY) || p.f.Flags.Quiet || p.f.Flags.JSON:
		return
	case p.plain || !p.f.Spins():
		p.tell(text)
	case p.doing == nil:
		p.doing = p.f.Begin("%s", text)
	default:
		p.doing.Step("%s", text)
	}
	p.text = text
}

// tell says it once, in a line.
func (p *progress) tell(text string) {
	p.hush()
	if !p.told[text] {
		said := make(chan struct{})
		p.said = said
		p.notice = time.AfterFunc(cmp.Or(p.f.SlowAfter, slowTurn), func() {
			defer close(said)
			p.f.Notice("%s", text)
		})
	}
}

// hush ends what was said: something is about to be shown.
func (p *progress) hush() {
	if p.notice != nil && !p.notice.Stop() {
		<-p.said
		if p.told == nil {
			p.told = map[string]bool{}
		}
		p.told[p.text] = true
	}
	if p.doing != nil {
		p.doing.End()
	}
	p.notice, p.doing, p.text = nil, nil, ""
}
