package runtime

import (
	"context"
	"errors"
	"log/slog"
	"os"
	gort "runtime"
	"sync"
	"time"

	"github.com/vexa-ai/vexa/pkg/contract/identityv1"
	"github.com/vexa-ai/vexa/pkg/contract/runtimev1"
	"github.com/vexa-ai/vexa/pkg/failpoint"
	"github.com/vexa-ai/vexa/pkg/steady"
)

// Verifier checks a dispatch token: its signature, its times, its audience and,
// where unit is not empty, its unit. pkg/identity implements it.
type Verifier interface {
	Verify(token, audience, unit string) (identityv1.DispatchToken, error)
}

// Profile holds the defaults of a class of workloads.
type Profile struct {
	Image       string // as in runtimev1.Spec
	Argv        []string
	Idle        time.Duration // 0: none
	MaxLifetime time.Duration // 0: none
	Limits      runtimev1.Limits
}

// ProfileAgent is the profile of a dispatch.
const ProfileAgent = "agent"

// Lifecycle numbers, each with its reason.
const (
	defaultGrace     = 10 * time.Second       // the worker seals its session capsule in this time
	defaultKeep      = 15 * time.Minute       // a client that lost its connection learns the end within it
	defaultKeepCount = 1024                   // statuses of the ended kept at most
	defaultRing      = 4096                   // events kept for a client that comes back
	defaultRefused   = 1024                   // a daemon that comes back records them in a second
	defaultDiskEvery = 250 * time.Millisecond // a writer at 1 GB/s is seen before it fills a machine's memory
	defaultDiskNames = 200_000                // a large checkout once more; counting them takes a fraction of a second
	startTimeout     = 2 * time.Minute        // an image's first use copies every layer for the id mapping; from the slot on
	startsPerCPU     = 2                      // one makes its mounts while another waits for the engine's database
	minRetry         = 100 * time.Millisecond // while the engine does not answer, doubling to maxRetry
	maxRetry         = 5 * time.Second
	defaultPatience  = 10 * time.Second // an engine that was killed is back within this time
)

// Options configure a kernel. Install, Root, Binary, Driver, Verifier and
// Images are required.
type Options struct {
	Version  string // of this program, for who asks
	Install  string // install id; labels and adoption are bound to it
	Root     string // directory of the units' directories
	Binary   string // the vexa binary that workloads may mount
	Driver   Driver
	Verifier Verifier
	// Images resolves an image name of a spec, for example "builtin:empty".
	Images   func(name string) (Image, error)
	Profiles map[string]Profile // default: DefaultProfiles

	Grace     time.Duration // between SIGTERM and SIGKILL
	Keep      time.Duration // how long the status of an ended workload is kept
	KeepCount int           // and how many at most
	Ring      int           // events kept for replay
	Patience  time.Duration // how long an engine that does not answer is waited for at a start
	DiskEvery time.Duration // how often the disk is looked at, at most
	Refused   int           // refusals kept until they are recorded; the others are counted
	DiskNames int           // files and directories that a workload with a disk limit may add
	Starts    int           // workloads that are being started at once; the others wait their turn
	Node      string        // reported in statuses

	Space func(path string) (Space, error) // of path's file system; default: statfs
	Now   func() time.Time                 // the time of day, of what is reported; default: time.Now
	Ticks func() time.Time                 // what deadlines go by; it never jumps. Default: time.Now, which is monotonic
	Log   *slog.Logger

	// Moment dates starts for the next kernel. Default: steady.System().Moment.
	Moment func() (steady.Moment, error)

	Failpoints *failpoint.Set // nil outside of tests
}

// DefaultProfiles has the agent's profile: the empty image, the worker, five
// minutes idle and one hour of life.
func DefaultProfiles() map[string]Profile {
	return map[string]Profile{ProfileAgent: {
		Image:       "builtin:empty",
		Argv:        []string{TargetBinary, "worker"},
		Idle:        5 * time.Minute,
		MaxLifetime: time.Hour,
		Limits:      runtimev1.Limits{Processes: 512, OpenFiles: 4096, TmpMB: 256, HomeMB: 64},
	}}
}

// Kernel runs workloads. Make one with New and run it with Run; its methods are
// safe for concurrent use and block until Run has adopted what was there.
type Kernel struct {
	opt     Options
	layout  Layout
	epoch   string // tells event ids of this kernel from those of an earlier one
	ready   chan struct{}
	closed  chan struct{}
	jobs    chan func(context.Context)
	woken   chan struct{} // capacity 1: the next deadline may have changed
	events  *ring
	refused *refusals
	starts  slots

	mu        sync.Mutex // guards all below and the fields of each workload
	workloads map[string]*workload
	planned   time.Time // when the deadlines were to be looked at next
	disk      disk
}

// Version is the program's.
func (k *Kernel) Version() string { return k.opt.Version }

// New checks the options and returns a kernel that is not running yet.
func New(opt Options) (*Kernel, error) {
	switch {
	case opt.Install == "":
		return nil, errors.New("runtime: no install id")
	case opt.Driver == nil || opt.Verifier == nil || opt.Images == nil:
		return nil, errors.New("runtime: driver, verifier and images are required")
	}
	layout, err := NewLayout(opt.Root, opt.Binary)
	if err != nil {
		return nil, err
	}
	defaults(&opt)
	return &Kernel{
		opt: opt, layout: layout, epoch: epoch(opt.Now()), ready: make(chan struct{}), closed: make(chan struct{}),
		jobs: make(chan func(context.Context)), woken: make(chan struct{}, 1), events: newRing(opt.Ring), refused: newRefusals(opt.Refused),
		starts: slots{free: opt.Starts}, workloads: map[string]*workload{},
	}, nil
}

func defaults(opt *Options) {
	if opt.Profiles == nil {
		opt.Profiles = DefaultProfiles()
	}
	if opt.Grace == 0 {
		opt.Grace = defaultGrace
	}
	if opt.Keep == 0 {
		opt.Keep = defaultKeep
	}
	if opt.KeepCount == 0 {
		opt.KeepCount = defaultKeepCount
	}
	if opt.Ring == 0 {
		opt.Ring = defaultRing
	}
	if opt.Refused == 0 {
		opt.Refused = defaultRefused
	}
	if opt.Patience == 0 {
		opt.Patience = defaultPatience
	}
	if opt.DiskEvery == 0 {
		opt.DiskEvery = defaultDiskEvery
	}
	if opt.DiskNames == 0 {
		opt.DiskNames = defaultDiskNames
	}
	if opt.Starts == 0 {
		opt.Starts = startsPerCPU * gort.GOMAXPROCS(0)
	}
	if opt.Space == nil {
		opt.Space = statfs
	}
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if opt.Ticks == nil {
		opt.Ticks = time.Now
	}
	if opt.Moment == nil {
		opt.Moment = steady.System().Moment
	}
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
}

// Health is the answer to GET /healthz.
type Health struct {
	PID        int               `json:"pid"`
	Install    string            `json:"install"`
	Backend    string            `json:"backend"`
	Versions   map[string]string `json:"versions"`
	Enforced   []string          `json:"enforced"`   // machine-dependent limits that hold
	Unenforced []string          `json:"unenforced"` // and those that do not
	Why        string            `json:"why,omitempty"`
	Live       int               `json:"live"` // workloads that have not ended
}

// Health asks the driver and says what the kernel is. An engine that does not
// answer is fault.Unavailable.
func (k *Kernel) Health(ctx context.Context) (Health, error) {
	info, err := k.opt.Driver.Info(ctx)
	if err != nil {
		return Health{}, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	h := Health{
		PID: os.Getpid(), Install: k.opt.Install, Backend: info.Backend, Versions: info.Versions,
		Enforced: orEmpty(info.Enforced), Unenforced: orEmpty(info.Unenforced), Why: info.Why,
	}
	for _, w := range k.workloads {
		if w.live() {
			h.Live++
		}
	}
	return h, nil
}

func orEmpty(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}
