package runtime

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/vexa-ai/vexa/pkg/contract/identityv1"
	"github.com/vexa-ai/vexa/pkg/contract/runtimev1"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/internal/textform"
)

var (
	envName   = textform.Regexp(`^[A-Z_][A-Z0-9_]*$`)
	labelName = textform.Regexp(`^[a-z0-9]([a-z0-9./_-]{0,62}[a-z0-9])?$`)
)

// maxLimit bounds every number of a spec, so that no unit conversion overflows.
const maxLimit = 1 << 24

// The environment of every container; a spec may change all of it.
const (
	envHome = "/home/agent"
	envPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
)

// Create runs the workload that spec describes, if token is its dispatch's, and
// returns once it runs.
//
// It is idempotent by spec.WorkloadID: while the workload starts or runs,
// creating it again touches it (the idle clock starts anew), spec is discarded
// and the present status is returned. A workload that is ending or has ended is
// fault.Conflict until it is deleted. A workload that could not be started is
// fault.Unavailable, or for want of its image fault.NotFound, and its status
// says why; one that was stopped before its
// turn to be started came is fault.Conflict. When ctx ends first the workload
// goes on starting.
func (k *Kernel) Create(ctx context.Context, spec runtimev1.Spec, token string) (runtimev1.Status, error) {
	if err := k.open(ctx); err != nil {
		return runtimev1.Status{}, err
	}
	claims, err := k.opt.Verifier.Verify(token, identityv1.AudienceRuntime, spec.WorkloadID)
	if err != nil {
		return runtimev1.Status{}, k.Refuse(ctx, spec.WorkloadID, err)
	}
	if claims.Unit != spec.WorkloadID {
		return runtimev1.Status{}, k.Refuse(ctx, spec.WorkloadID, denied("the token belongs to another dispatch"))
	}
	if st, ok, err := k.touch(spec.WorkloadID); ok {
		return st, err
	}
	plan, err := k.plan(ctx, spec, claims)
	if err != nil {
		if fault.Is(err, fault.Denied) {
			err = k.Refuse(ctx, spec.WorkloadID, err)
		}
		return runtimev1.Status{}, err
	}
	return k.launch(ctx, plan)
}

// touch handles the create of an id that is known already.
func (k *Kernel) touch(id string) (runtimev1.Status, bool, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	w, ok := k.workloads[id]
	if !ok {
		return runtimev1.Status{}, false, nil
	}
	switch w.status.State {
	case runtimev1.Starting, runtimev1.Running:
		w.touched = k.opt.Ticks()
		return w.status, true, nil
	default:
		return runtimev1.Status{}, true, fault.New(fault.Conflict,
			"workload "+id+" is "+string(w.status.State)+" and cannot be created again", "delete it first, or use a new id")
	}
}

// plan is a workload that may be made.
type plan struct {
	facts     facts
	image     Image
	container Container
	backend   string
	detail    string // which of the limits asked for do not hold here
}

func (k *Kernel) plan(ctx context.Context, spec runtimev1.Spec, claims identityv1.DispatchToken) (*plan, error) {
	profile, ok := k.opt.Profiles[spec.Profile]
	if !ok {
		return nil, fault.Newf(fault.Invalid, "no profile %q", spec.Profile)
	}
	if err := acceptable(spec); err != nil {
		return nil, err
	}
	var info Info
	err := k.patiently(ctx, spec.WorkloadID, "planning its container", k.opt.Patience, func() (err error) {
		info, err = k.opt.Driver.Info(ctx)
		return err
	})
	if err != nil {
		return nil, err
	}
	if spec.Backend != "" && spec.Backend != info.Backend {
		return nil, fault.Newf(fault.Invalid, "this kernel's backend is %s, not %s", info.Backend, spec.Backend)
	}
	binds, err := k.layout.Check(spec, claims)
	if err != nil {
		return nil, err
	}
	p := &plan{facts: factsOf(spec, profile), backend: info.Backend}
	if p.image, err = k.opt.Images(or(spec.Image, profile.Image)); err != nil {
		return nil, err
	}
	limits := merge(spec, profile.Limits)
	for _, m := range spec.Mounts {
		if rel, ok := place(m); ok && !m.ReadOnly {
			p.facts.writable = append(p.facts.writable, rel)
		}
	}
	before, err := k.measure(p.facts, nil, noQuota())
	if err != nil {
		return nil, fault.Newf(fault.Invalid, "measure the writable mounts: %w", err)
	}
	p.facts.base, p.facts.names = before.charged, before.names
	p.container = Container{
		Name: ContainerName(spec.WorkloadID), Image: p.image.Ref, Argv: spec.Argv, Env: environment(spec.Env),
		Labels: k.labels(spec.Labels, p.facts), Mounts: binds, Limits: limits,
	}
	if len(p.container.Argv) == 0 {
		p.container.Argv = profile.Argv
	}
	p.detail = unenforced(limits, info)
	return p, nil
}

// ContainerName is the name of a unit's container.
func ContainerName(unit string) string { return "vexa-agent-" + strings.ToLower(unit) }

// acceptable verifies what the schema cannot say.
func acceptable(spec runtimev1.Spec) error {
	if !idPattern.MatchString(spec.WorkloadID) {
		return fault.New(fault.Invalid, "a workload's id is up to 64 letters, digits, - and _", "")
	}
	if spec.CallbackURL != "" {
		return fault.New(fault.Invalid, "callbackUrl is not served by this kernel", "read GET /events")
	}
	if spec.Resources != nil && spec.Resources.GPU != nil && *spec.Resources.GPU > 0 {
		return fault.New(fault.Invalid, "this backend has no GPU to give", "leave resources.gpu out")
	}
	for name, value := range spec.Env {
		if !envName.MatchString(name) || strings.ContainsRune(value, 0) {
			return fault.Newf(fault.Invalid, "environment variable %q: a name is upper-case letters, digits and _, a value has no NUL", name)
		}
	}
	for name, value := range spec.Labels {
		if !labelName.MatchString(name) || strings.HasPrefix(name, labelPrefix) || len(value) > 256 {
			return fault.Newf(fault.Invalid, "label %q: lower case, not below %s, with a value of up to 256 bytes", name, labelPrefix)
		}
	}
	for _, arg := range spec.Argv {
		if strings.ContainsRune(arg, 0) {
			return fault.New(fault.Invalid, "an argument holds a NUL", "")
		}
	}
	return bounded(spec)
}

// bounded verifies that no number of spec overflows where units are converted.
func bounded(spec runtimev1.Spec) error {
	if l := spec.Limits; l != nil && max(l.Processes, l.OpenFiles, l.DataMB, l.TmpMB, l.HomeMB, l.DiskMB) > maxLimit {
		return fault.Newf(fault.Invalid, "a limit is beyond %d", maxLimit)
	}
	for _, sec := range []*int{spec.IdleTimeoutSec, spec.MaxLifetimeSec} {
		if sec != nil && *sec > maxLimit {
			return fault.Newf(fault.Invalid, "a time is beyond %d seconds", maxLimit)
		}
	}
	return nil
}

func factsOf(spec runtimev1.Spec, profile Profile) facts {
	f := facts{unit: spec.WorkloadID, profile: spec.Profile, idle: profile.Idle, max: profile.MaxLifetime}
	if spec.IdleTimeoutSec != nil && *spec.IdleTimeoutSec > 0 {
		f.idle = time.Duration(*spec.IdleTimeoutSec) * time.Second
	}
	if spec.MaxLifetimeSec != nil && *spec.MaxLifetimeSec > 0 {
		f.max = time.Duration(*spec.MaxLifetimeSec) * time.Second
	}
	disk := profile.Limits.DiskMB
	if spec.Limits != nil && spec.Limits.DiskMB > 0 {
		disk = spec.Limits.DiskMB
	}
	f.disk = int64(disk) << 20
	return f
}

// merge takes each limit from the spec, else from the profile, else a default.
func merge(spec runtimev1.Spec, profile runtimev1.Limits) Limits {
	var asked runtimev1.Limits
	if spec.Limits != nil {
		asked = *spec.Limits
	}
	base := DefaultProfiles()[ProfileAgent].Limits
	l := Limits{
		Processes: or(asked.Processes, profile.Processes, base.Processes),
		OpenFiles: or(asked.OpenFiles, profile.OpenFiles, base.OpenFiles),
		DataMB:    or(asked.DataMB, profile.DataMB),
		TmpMB:     or(asked.TmpMB, profile.TmpMB, base.TmpMB),
		HomeMB:    or(asked.HomeMB, profile.HomeMB, base.HomeMB),
	}
	if r := spec.Resources; r != nil {
		if r.CPU != nil {
			l.CPU = *r.CPU
		}
		if r.MemoryMB != nil {
			l.MemoryMB = *r.MemoryMB
		}
	}
	return l
}

func or[T comparable](values ...T) T {
	var zero T
	for _, v := range values {
		if v != zero {
			return v
		}
	}
	return zero
}

func environment(env map[string]string) map[string]string {
	out := map[string]string{"HOME": envHome, "PATH": envPath}
	maps.Copy(out, env)
	return out
}

// unenforced says which limits do not hold on this machine.
func unenforced(l Limits, info Info) string {
	var names []string
	for _, name := range info.Unenforced {
		asked := name == LimitPids || name == LimitCPU && l.CPU > 0 || name == LimitMemory && l.MemoryMB > 0
		if asked {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return ""
	}
	slices.Sort(names)
	return "limits not enforced here: " + strings.Join(names, ", ") + " (" + info.Why + ")"
}
