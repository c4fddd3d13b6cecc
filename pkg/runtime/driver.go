package runtime

import (
	"context"
	"io"
	"time"
)

// Labels that every container carries. They hold opaque ids and numbers only,
// because a container engine keeps them after the container is gone.
const (
	LabelInstall  = "io.vexa.install"  // the installation that owns the container
	LabelUnit     = "io.vexa.unit"     // the workload's id
	LabelProfile  = "io.vexa.profile"  // the workload's profile
	LabelIdle     = "io.vexa.idle"     // idle timeout, seconds; 0: none
	LabelMax      = "io.vexa.max"      // longest life, seconds; 0: none
	LabelDisk     = "io.vexa.disk"     // growth allowed to the writable mounts, MB; 0: not watched
	LabelDiskBase = "io.vexa.diskbase" // bytes charged for the writable mounts before the start
	LabelNames    = "io.vexa.names"    // files and directories in the writable mounts before the start
	LabelWritable = "io.vexa.writable" // the writable mounts, relative to the unit's directory, comma separated
	LabelBegan    = "io.vexa.began"    // the start, as a steady.Moment
	labelPrefix   = "io.vexa."
)

// Driver makes and ends containers. It holds no policy: which container may
// have which mount is the kernel's business. What it does guarantee is the
// boundary: every container it makes has no network, an unprivileged user, a
// read-only root and no capability, whatever [Container] says.
//
// All methods are safe for concurrent use and honour ctx promptly; a call that
// was cancelled may still take effect. An engine that does not answer is a
// fault of kind runtime_unavailable. runtimetest.Run is the conformance suite.
type Driver interface {
	// Info describes the engine. It is cheap enough to be called for each
	// health check.
	Info(ctx context.Context) (Info, error)

	// EnsureImage makes image available. An image that is already there is left
	// alone; one that is missing is made from image.Open, and without Open it is
	// fault.NotFound. Nothing is ever pulled from a registry.
	EnsureImage(ctx context.Context, image Image) error

	// Create makes a container without starting it, and returns its id. It is
	// idempotent: a container of the same name whose LabelInstall and LabelUnit
	// are the same is returned as it is. A name held by any other container is
	// fault.Conflict, an image that is missing fault.NotFound.
	Create(ctx context.Context, c Container) (id string, err error)

	// Start runs a created container. Starting a running one does nothing; one
	// that has ended is fault.Conflict.
	Start(ctx context.Context, id string) error

	// Wait blocks until the container has ended, by whatever cause, and says how.
	// For one that has already ended it returns at once; for one that is gone it
	// is fault.NotFound.
	Wait(ctx context.Context, id string) (Exit, error)

	// Stop asks the container's first process to end (SIGTERM), and kills
	// everything in it after grace. It returns once the container has ended; one
	// that has ended or is gone is not an error.
	Stop(ctx context.Context, id string, grace time.Duration) error

	// Remove kills what runs and removes the container with all it wrote outside
	// its mounts. One that is gone is not an error.
	Remove(ctx context.Context, id string) error

	// List returns the containers whose LabelInstall is install, in any state,
	// and no others.
	List(ctx context.Context, install string) ([]Instance, error)
}

// Pauser is implemented by a driver that can freeze a container, where the
// machine lets it. Both methods return errors.ErrUnsupported where it does not.
type Pauser interface {
	Pause(ctx context.Context, id string) error
	Resume(ctx context.Context, id string) error
}

// Prober is implemented by a driver that can say of an image what it is. An image that
// is not there is fault.NotFound, one of another machine's architecture fault.Invalid.
type Prober interface {
	// ImageDigest is the digest of the manifest of the image that has a name now.
	ImageDigest(ctx context.Context, ref string) (string, error)

	// Try runs a program of an image in the boundary of a workload, without a mount and
	// in the root directory, for the installation, and says how it ended. A program that
	// the image does not have ends with ExitNoProgram; one that does not end within most,
	// counted from its start, is fault.Timeout. No container is left.
	Try(ctx context.Context, ref, install string, argv []string, most time.Duration) (Exit, error)
}

// ExitNoProgram is how a program ends that is not there, as a shell says it.
const ExitNoProgram = 127

// Finder is implemented by a driver whose containers are processes of this
// machine. Processes returns the process ids of the running ones among ids, as
// this process sees them; one that is not running has none. What was found is
// returned with the error.
type Finder interface {
	Processes(ctx context.Context, ids []string) (map[string][]int, error)
}

// Image is an image a workload needs.
type Image struct {
	Ref  string                        // name the engine knows it by
	Open func() (io.ReadCloser, error) // the root file system as a tar; nil for an image that must exist
}

// Container is what a driver is asked to make.
type Container struct {
	Name   string
	Image  string // an Image.Ref
	Dir    string // the program's working directory; empty: TargetWorkspace
	Argv   []string
	Env    map[string]string
	Labels map[string]string // holds LabelInstall and LabelUnit
	Mounts []Bind
	Limits Limits
}

// Bind is one checked bind mount. Devices and setuid bits never work in it.
type Bind struct {
	Source   string // absolute, free of symbolic links
	Target   string
	ReadOnly bool
	NoExec   bool
}

// Limits bound a container; every member is set.
type Limits struct {
	Processes int // processes and threads, always enforced
	OpenFiles int // always enforced
	DataMB    int // data segment of each process; 0: none
	TmpMB     int // /tmp, always enforced
	HomeMB    int // the agent's home, always enforced

	CPU      float64 // cores; 0: none. Enforced only where Info says so.
	MemoryMB int     // 0: none. Enforced only where Info says so.
}

// Names of the limits that depend on the machine.
const (
	LimitCPU    = "cpu"
	LimitMemory = "memory"
	LimitPids   = "pids"
)

// Info describes an engine.
type Info struct {
	Backend    string            // as in runtime.v1
	Versions   map[string]string // component to version
	Enforced   []string          // the machine-dependent limits that hold
	Unenforced []string          // those that do not
	Why        string            // why some do not hold; empty when all do
}

// Phase is what an engine knows of a container's life.
type Phase string

// The phases.
const (
	PhaseCreated Phase = "created"
	PhaseRunning Phase = "running"
	PhaseEnded   Phase = "ended"
)

// Instance is a container that exists.
type Instance struct {
	ID        string
	Name      string
	Labels    map[string]string
	Phase     Phase
	StartedAt time.Time // zero before the start
	EndedAt   time.Time // zero before the end
	Exit      Exit      // of an ended one
}

// Exit is how a container ended.
type Exit struct {
	Code int  // of the first process; 128+n after signal n
	OOM  bool // the engine saw it killed for memory
}
