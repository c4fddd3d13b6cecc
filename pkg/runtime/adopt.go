package runtime

import (
	"context"
	"maps"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/vexa-ai/vexa/pkg/contract/runtimev1"
	"github.com/vexa-ai/vexa/pkg/steady"
)

// labels writes the facts that a later kernel needs beside the spec's labels.
func (k *Kernel) labels(asked map[string]string, f facts) map[string]string {
	out := map[string]string{
		LabelInstall:  k.opt.Install,
		LabelUnit:     f.unit,
		LabelProfile:  f.profile,
		LabelIdle:     strconv.FormatInt(int64(f.idle/time.Second), 10),
		LabelMax:      strconv.FormatInt(int64(f.max/time.Second), 10),
		LabelDisk:     strconv.FormatInt(f.disk>>20, 10),
		LabelDiskBase: strconv.FormatInt(f.base, 10),
		LabelNames:    strconv.FormatInt(f.names, 10),
		LabelWritable: strings.Join(f.writable, ","),
	}
	maps.Copy(out, asked) // cannot be below io.vexa.
	return out
}

// recoverFacts reads the facts back. It reports whether they are whole.
func recoverFacts(labels map[string]string) (facts, bool) {
	f := facts{unit: labels[LabelUnit], profile: labels[LabelProfile]}
	whole := idPattern.MatchString(f.unit) && f.profile != ""
	number := func(name string, most int64) int64 {
		n, err := strconv.ParseInt(labels[name], 10, 64)
		whole = whole && err == nil && n >= 0 && n <= most
		return n
	}
	f.idle = time.Duration(number(LabelIdle, maxLimit)) * time.Second
	f.max = time.Duration(number(LabelMax, maxLimit)) * time.Second
	f.disk = number(LabelDisk, maxLimit) << 20
	f.base = number(LabelDiskBase, math.MaxInt64-maxLimit<<20)
	f.names = number(LabelNames, math.MaxInt64-math.MaxInt32)
	if list := labels[LabelWritable]; list != "" {
		f.writable = strings.Split(list, ",")
	}
	for _, rel := range f.writable {
		whole = whole && (rel == "session" || strings.HasPrefix(rel, "ws/") && idPattern.MatchString(rel[len("ws/"):]))
	}
	return f, whole
}

// dated writes the present moment to a container's labels.
func (k *Kernel) dated(c Container) Container {
	now, err := k.opt.Moment()
	if err != nil {
		k.opt.Log.Error("a workload's start cannot be dated", "error", err.Error())
		return c
	}
	c.Labels = maps.Clone(c.Labels)
	c.Labels[LabelBegan] = now.String()
	return c
}

// age is how long ago a container was started, by a clock that nobody sets, or
// by the time of day where it is not dated. It reports false for one that was
// started before the machine was: an engine may not know yet that it ended.
func (k *Kernel) age(inst Instance) (age time.Duration, alive bool) {
	if began, dated := steady.ParseMoment(inst.Labels[LabelBegan]); dated {
		if now, err := k.opt.Moment(); err == nil {
			return now.Since(began)
		}
	}
	return max(0, k.opt.Now().Sub(inst.StartedAt)), true
}

// adopt takes over the running containers of this installation and removes its
// dead ones, keeping the status of those that ended by themselves.
func (k *Kernel) adopt(ctx context.Context, begin func(func(context.Context))) error {
	list, err := k.opt.Driver.List(ctx, k.opt.Install)
	if err != nil {
		return err
	}
	info, err := k.opt.Driver.Info(ctx)
	if err != nil {
		return err
	}
	for _, inst := range list {
		if inst.Labels[LabelInstall] != k.opt.Install {
			continue // a driver must not return it; if it does, it is still not ours
		}
		f, whole := recoverFacts(inst.Labels)
		w := k.newWorkload(f, info.Backend)
		w.status.Container = inst.ID
		age, alive := k.age(inst)
		switch {
		case whole && alive && inst.Phase == PhaseRunning && inst.Name == ContainerName(f.unit):
			k.adoptRunning(w, inst, age)
			begin(func(ctx context.Context) { k.watch(ctx, w) })
		case whole && inst.Phase == PhaseEnded:
			k.adoptEnded(w, inst)
			k.discardLeft(ctx, inst, begin)
		default: // never started, or not as this kernel would have made it
			k.opt.Log.WarnContext(ctx, "removing a container that cannot be adopted", "container", inst.ID, "phase", string(inst.Phase))
			k.discardLeft(ctx, inst, begin)
		}
	}
	return nil
}

// discardLeft removes a container that is not adopted. The kernel does not wait
// for an engine that answers and refuses.
func (k *Kernel) discardLeft(ctx context.Context, inst Instance, begin func(func(context.Context))) {
	unit := inst.Labels[LabelUnit]
	if err := k.discard(ctx, unit, inst.ID); err != nil && ctx.Err() == nil {
		begin(func(ctx context.Context) { k.remove(ctx, unit, inst.ID) })
	}
}

func (k *Kernel) adoptRunning(w *workload, inst Instance, age time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	at := inst.StartedAt.UTC()
	w.status.StartedAt = &at
	w.began = k.opt.Ticks().Add(-age)
	k.workloads[w.facts.unit] = w
	k.enter(w, runtimev1.Running)
	close(w.started)
	k.opt.Log.Info("workload adopted", "unit", w.facts.unit, "container", inst.ID)
}

func (k *Kernel) adoptEnded(w *workload, inst Instance) {
	k.mu.Lock()
	defer k.mu.Unlock()
	began, ended, code := inst.StartedAt.UTC(), k.opt.Now().UTC(), inst.Exit.Code
	if !began.IsZero() {
		w.status.StartedAt = &began
	}
	w.status.StoppedAt, w.status.ExitCode = &ended, &code // kept from now on, not from when it ended
	w.status.StopReason, w.stopped = reasonOf("", inst.Exit, true), k.opt.Ticks()
	k.workloads[w.facts.unit] = w
	k.enter(w, runtimev1.Stopped)
	close(w.started)
	close(w.ended)
}
