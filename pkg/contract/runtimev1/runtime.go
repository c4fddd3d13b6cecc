// Package runtimev1 holds the Go types of the contract runtime.v1: what the
// runtime kernel is asked to run and what it says about it.
package runtimev1

import "time"

// State is a workload's place in its life.
type State string

// The states, in order.
const (
	Starting  State = "starting"
	Running   State = "running"
	Stopping  State = "stopping"
	Stopped   State = "stopped"
	Destroyed State = "destroyed"
)

// StopReason says why a workload ended.
type StopReason string

// The stop reasons.
const (
	ReasonCompleted   StopReason = "completed"    // the process exited with 0 by itself
	ReasonStopped     StopReason = "stopped"      // somebody asked
	ReasonIdle        StopReason = "idle_timeout" // nothing touched it for idleTimeoutSec
	ReasonFailed      StopReason = "failed"       // the process exited with another code
	ReasonOOM         StopReason = "oom"          // killed for memory
	ReasonStartFailed StopReason = "start_failed"
	ReasonMaxLifetime StopReason = "max_lifetime"
	ReasonQuota       StopReason = "quota" // it wrote more than limits.diskMb
)

// Spec asks for one workload. Creating a live id again is a touch: the
// existing workload is returned and the new spec is discarded.
type Spec struct {
	WorkloadID     string            `json:"workloadId"`
	Profile        string            `json:"profile"`
	Env            map[string]string `json:"env"`
	CallbackURL    string            `json:"callbackUrl,omitempty"`
	Resources      *Resources        `json:"resources,omitempty"`
	IdleTimeoutSec *int              `json:"idleTimeoutSec,omitempty"`
	MaxLifetimeSec *int              `json:"maxLifetimeSec,omitempty"`
	Backend        string            `json:"backend,omitempty"` // docker | k8s | process | podman
	Image          string            `json:"image,omitempty"`
	Argv           []string          `json:"argv,omitempty"`
	Mounts         []Mount           `json:"mounts,omitempty"`
	Labels         map[string]string `json:"labels,omitempty"`
	Limits         *Limits           `json:"limits,omitempty"`
}

// Resources asks for shares of the machine, where the machine can give them.
type Resources struct {
	CPU      *float64 `json:"cpu,omitempty"`
	MemoryMB *int     `json:"memoryMb,omitempty"`
	GPU      *int     `json:"gpu,omitempty"`
}

// MountKind says what a mount is, and so which claim of the token allows it.
type MountKind string

// The kinds of mount. Each has one target, see docs/architecture.md.
const (
	MountWorkspace MountKind = "workspace" // a checkout; the token names the workspace and its mode
	MountHistory   MountKind = "history"   // the packs behind a checkout's .git, always read-only
	MountSession   MountKind = "session"   // the session capsule
	MountRun       MountKind = "run"       // broker socket, dispatch file, token
	MountBin       MountKind = "bin"       // the vexa binary, always read-only
)

// Mount is one bind mount.
type Mount struct {
	Kind      MountKind `json:"kind"`
	Source    string    `json:"source"` // absolute path on the host, beneath a root of the kernel
	Target    string    `json:"target"` // absolute path in the container
	ReadOnly  bool      `json:"readOnly"`
	Workspace string    `json:"workspace,omitempty"` // workspace id, for kinds workspace and history
}

// Limits bound a workload. Zero means the kernel's default.
type Limits struct {
	Processes int `json:"processes,omitempty"` // processes and threads
	OpenFiles int `json:"openFiles,omitempty"`
	DataMB    int `json:"dataMb,omitempty"`
	TmpMB     int `json:"tmpMb,omitempty"`  // size of /tmp
	HomeMB    int `json:"homeMb,omitempty"` // size of the agent's home
	DiskMB    int `json:"diskMb,omitempty"` // growth of the writable mounts together
}

// Status is what the kernel knows of a workload.
type Status struct {
	WorkloadID string         `json:"workloadId"`
	Profile    string         `json:"profile"`
	State      State          `json:"state"`
	Backend    string         `json:"backend"`
	Ports      map[string]int `json:"ports,omitzero"`
	StartedAt  *time.Time     `json:"startedAt,omitempty"`
	StoppedAt  *time.Time     `json:"stoppedAt,omitempty"`
	ExitCode   *int           `json:"exitCode,omitempty"`
	StopReason StopReason     `json:"stopReason,omitempty"`
	Node       string         `json:"node,omitempty"`
	Container  string         `json:"container,omitempty"` // the container's id
	Detail     string         `json:"detail,omitempty"`    // why it could not start; which limits are not enforced
}

// Event reports one change of state.
type Event struct {
	WorkloadID string         `json:"workloadId"`
	State      State          `json:"state"`
	At         time.Time      `json:"at"`
	Ports      map[string]int `json:"ports,omitzero"`
	ExitCode   *int           `json:"exitCode,omitempty"`
	StopReason StopReason     `json:"stopReason,omitempty"`
}
