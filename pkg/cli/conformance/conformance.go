// Package conformance tries a runner out: whether the agent that its manifest
// describes starts, answers, uses a tool, is resumed in another container, is
// interrupted and fails as Vexa expects, with a rehearsal in place of a model. It is
// what vexa runner test runs, and our own test of the runners that ship.
package conformance

import (
	"context"
	_ "embed"
	"fmt"
	"io"
	"iter"
	"time"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/client"
	"github.com/vexa-ai/vexa/pkg/contract/runnerv2"
)

// Cassette is what the model of the installation has to be: a rehearsal of it.
//
//go:embed cassette.yaml
var Cassette []byte

// Workspace is the name of the workspace that the installation has to have.
const Workspace = "conformance"

// Installation is what runs the dispatches; a *client.Client is one. It has the runner and
// what AsPrinted makes of it. Nothing else uses it meanwhile.
type Installation interface {
	Start(ctx context.Context, r api.StartRequest) (api.Started, error)
	Stop(ctx context.Context, id string, interrupt bool) (api.Dispatch, error)
	Dispatch(ctx context.Context, id string) (api.Dispatch, error)
	Frames(ctx context.Context, unit string, q client.FrameQuery) iter.Seq2[client.Entry, error]
	File(ctx context.Context, name, rev, path string) (io.ReadCloser, error)
}

// The outcomes of a check.
const (
	Pass = "pass"
	Fail = "fail"
	Skip = "skip" // the runner does not claim it
)

// Check is one thing that was tried.
type Check struct {
	Name   string  `json:"name"`
	State  string  `json:"state"`
	Detail string  `json:"detail"` // what was seen; of a failure, what was expected, too
	Sec    float64 `json:"sec"`
}

// Report is what came of all.
type Report struct {
	Runner  string  `json:"runner"`
	Image   string  `json:"image"`
	Package string  `json:"package"` // with its version; empty: none is pinned
	OK      bool    `json:"ok"`      // no check failed
	Checks  []Check `json:"checks"`

	FirstSec float64 `json:"firstSec"` // from the message to the first word of the answer, container included
	WarmSec  float64 `json:"warmSec"`  // the same in a container that runs
	TailSec  float64 `json:"tailSec"`  // from the agent's last word to the end of its turn: what it loses by asking for a network
	PeakMB   float64 `json:"peakMb"`   // most memory that its processes had at once, as far as it was seen; 0: not seen

	Events   Events            `json:"events"`
	Recorded map[string]string `json:"-"` // what it printed, by the name of the recording; of text nothing
}

// Options configures Run.
type Options struct {
	Installation Installation
	Manifest     runnerv2.Manifest
	Golden       map[string][]byte // what was recorded of the runner, by the name of the recording; empty: nothing
	Deadline     time.Duration     // of one turn; 0: two minutes
	Load         func() string     // what /proc/loadavg says; nil: nothing
	Each         func(Check)       // called with each check when it has ended; nil: nobody waits
}

// Run tries a runner out. The error is that of the installation; what the runner does
// wrong is in the report.
func Run(ctx context.Context, o Options) (Report, error) {
	if o.Deadline == 0 {
		o.Deadline = 2 * time.Minute
	}
	m := o.Manifest
	r := &run{Options: o, script: scriptOf(m), report: Report{Runner: m.Name, Image: m.Image.Builtin + m.Image.Ref, OK: true, Checks: []Check{}, Events: Events{Unknown: []string{}, New: []string{}, Gone: []string{}}}}
	if m.Package != nil {
		r.report.Package = m.Package.Name + " " + m.Package.Version
	}
	for _, c := range []struct {
		name string
		try  func(context.Context) verdict
	}{
		{"start", r.start},
		{"stream", r.stream},
		{"tool", r.tool},
		{"commit", r.commit},
		{"resume", r.resume},
		{"interrupt", r.interrupt},
		{"failure", r.failure},
		{"mcp", r.mcp},
		{"offline", r.offline},
		{"memory", r.memory},
		{"events", r.events},
	} {
		began := time.Now()
		v := c.try(ctx)
		if ctx.Err() != nil {
			return r.report, context.Cause(ctx)
		}
		check := Check{Name: c.name, State: v.state, Detail: v.detail, Sec: time.Since(began).Seconds()}
		r.report.Checks = append(r.report.Checks, check)
		r.report.OK = r.report.OK && v.state != Fail
		if o.Each != nil {
			o.Each(check)
		}
	}
	r.end(ctx)
	return r.report, nil
}

// verdict is the outcome of a check.
type verdict struct{ state, detail string }

func pass(format string, args ...any) verdict { return verdict{Pass, fmt.Sprintf(format, args...)} }
func fail(format string, args ...any) verdict { return verdict{Fail, fmt.Sprintf(format, args...)} }
func skip(why string) verdict                 { return verdict{Skip, why} }

// run is one Run.
type run struct {
	Options
	report Report
	script script

	unit    string // the dispatch whose container lives
	session string
	said    turn // the first turn
	wrote   turn // the one with the tool
	turns   []turn
	unknown map[string]bool // types of events that the dialect does not know
}
