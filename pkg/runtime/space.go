package runtime

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vexa-ai/vexa/pkg/contract/runtimev1"
)

// The disk watch, with the reason for each number.
const (
	diskShare    = 20               // measuring takes at most a twentieth of the time while nothing grows
	growingShare = 2                // and at most half of it while something does
	maxDiskEvery = 10 * time.Second // however long measuring takes
	findTimeout  = 2 * time.Second  // for the driver to find the processes

	lowSpace   = 64 << 20 // bytes: what the host still needs to seal and to journal
	lowPart    = 20       // or a twentieth of the file system,
	lowAtMost  = 4        // but no more than a quarter of a small one
	lowWait    = 10 * time.Second
	lowSettle  = 2 * time.Second // for the host to wipe what an ended workload left
	quotaGrace = time.Second     // a writer at 1 GB/s goes on for as long
)

// Space is how full a file system is.
type Space struct {
	Bytes, FreeBytes uint64 // free for an unprivileged user
	Files, FreeFiles uint64 // Files is 0 where their number is not limited
}

// used is how many bytes are taken.
func (s Space) used() int64 { return int64(s.Bytes - min(s.Bytes, s.FreeBytes)) }

// files is how many files and directories there are, where that is told.
func (s Space) files() int64 { return int64(s.Files - min(s.Files, s.FreeFiles)) }

// low says what is running out, in words; empty: nothing.
func (s Space) low() string {
	mark := min(max(lowSpace, s.Bytes/lowPart), s.Bytes/lowAtMost)
	switch {
	case s.FreeBytes < mark:
		return fmt.Sprintf("free space fell under %d MB", mark>>20)
	case s.FreeFiles < s.Files/lowPart:
		return fmt.Sprintf("free inodes fell under %d", s.Files/lowPart)
	default:
		return ""
	}
}

func statfs(path string) (Space, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(path, &st); err != nil {
		return Space{}, err
	}
	size := uint64(st.Bsize)
	return Space{Bytes: st.Blocks * size, FreeBytes: st.Bavail * size, Files: st.Files, FreeFiles: st.Ffree}, nil
}

// disk is the state of the disk watch. Kernel.mu guards it.
type disk struct {
	busy bool      // a look is under way
	look time.Time // when the next is due

	measured time.Time     // when the last measurement ended
	took     time.Duration // how long it took
	before   Space         // as the file system was before it
	room     quota         // least that a workload had left
	unseen   int64         // bytes used, less what was found in the mounts of the running
}

// due reports whether to measure, rather than only to look at how full the file
// system is. No workload outgrows its room before the file system's use grows by
// as much, so that is when it is measured early; and once for each workload as
// soon as it runs.
func (d *disk) due(now time.Time, s Space, fresh bool) bool {
	since := now.Sub(d.measured)
	grown := s.used()-d.before.used() > d.room.charged || s.files()-d.before.files() > d.room.names
	if fresh || grown {
		return since >= growingShare*d.took
	}
	return since >= min(diskShare*d.took, maxDiskEvery)
}

// watchDisk looks at the file system of the workloads, measures them when that
// is due, and ends those that take too much of it.
//
// What a workload takes is measured in its mounts and in its processes; see
// measure. What can be hidden from that (descriptors on their way through a
// socket, say) is still seen in the free space of the file system: when it falls
// under the low-water mark the workload with the largest use is ended, and the
// next once that one is gone and there is still too little.
func (k *Kernel) watchDisk(ctx context.Context) {
	space, err := k.opt.Space(k.layout.realRoot)
	if err != nil && ctx.Err() == nil {
		k.opt.Log.ErrorContext(ctx, "the free space of the workloads' file system is not known", "error", err.Error())
	}
	low := ""
	if err == nil {
		low = space.low()
	}
	k.mu.Lock()
	running := k.running()
	fresh := slices.ContainsFunc(running, func(w *workload) bool { return !w.measured })
	due := k.disk.due(k.opt.Ticks(), space, fresh)
	k.mu.Unlock()
	if due || low != "" {
		k.measureAll(ctx, running, space)
	}
	if low != "" && ctx.Err() == nil {
		k.relieve(ctx, low)
	}
	k.mu.Lock()
	k.disk.busy, k.disk.look = false, k.opt.Ticks().Add(k.opt.DiskEvery)
	k.mu.Unlock()
	k.wake()
}

// running returns the running workloads by id. The caller holds mu.
func (k *Kernel) running() []*workload {
	return slices.DeleteFunc(k.sorted(), func(w *workload) bool { return w.status.State != runtimev1.Running })
}

// measureAll measures workloads, and ends those beyond their quota.
func (k *Kernel) measureAll(ctx context.Context, list []*workload, space Space) {
	began := k.opt.Ticks()
	pids := k.processes(ctx, list)
	room, unseen := noQuota(), space.used()
	for _, w := range list {
		q := k.quota(w.facts)
		u, err := k.measure(w.facts, pids[w], q)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil: // what cannot be measured cannot be allowed to grow
			k.overQuota(ctx, w, "its disk use cannot be measured: "+cause(err).Error(), quotaGrace)
		case q.over(u) != "":
			k.overQuota(ctx, w, q.over(u), quotaGrace)
		}
		room.charged, room.names = min(room.charged, q.charged-u.charged), min(room.names, q.names-u.names)
		unseen -= u.blocks
		k.mu.Lock()
		w.measured, w.use = true, u
		k.mu.Unlock()
	}
	now := k.opt.Ticks()
	k.mu.Lock()
	defer k.mu.Unlock()
	k.disk.measured, k.disk.took = now, now.Sub(began)
	k.disk.before, k.disk.room, k.disk.unseen = space, room, max(0, unseen)
}

// processes finds the processes of workloads. Without them only files that have
// a name are counted.
func (k *Kernel) processes(ctx context.Context, list []*workload) map[*workload][]int {
	finder, ok := k.opt.Driver.(Finder)
	if !ok || len(list) == 0 {
		return nil
	}
	ids := make([]string, len(list))
	for i, w := range list {
		ids[i] = k.statusOf(w).Container
	}
	ctx, cancel := context.WithTimeout(ctx, findTimeout)
	defer cancel()
	found, err := finder.Processes(ctx, ids)
	if err != nil && !errors.Is(err, context.Canceled) {
		k.opt.Log.WarnContext(ctx, "processes of containers were not found; removed files that they hold are not counted", "error", err.Error())
	}
	pids := map[*workload][]int{}
	for i, w := range list {
		pids[w] = found[ids[i]]
	}
	return pids
}

// relieve ends the workload with the largest use, unless one that was ended for
// its use may still be about to give it back.
//
// What is used and found nowhere is charged to each workload that is blind, as
// it may be its; so one that hides what it writes goes before one that does not.
func (k *Kernel) relieve(ctx context.Context, low string) {
	k.mu.Lock()
	now := k.opt.Ticks()
	var largest *workload
	var most int64
	for _, w := range k.sorted() {
		switch {
		case w.status.StopReason == runtimev1.ReasonQuota && w.leaving(now):
			k.mu.Unlock()
			return
		case w.status.State != runtimev1.Running:
			continue
		}
		use := w.use.charged - w.facts.base
		if w.use.blind {
			use += k.disk.unseen
		}
		if largest == nil || use > most {
			largest, most = w, use
		}
	}
	k.mu.Unlock()
	if largest == nil {
		return
	}
	k.overQuota(ctx, largest, fmt.Sprintf("%s on the file system of the workspaces, of which it had used most: %d MB", low, most>>20), 0)
}

// leaving reports whether what w used may be free soon. The caller holds mu.
func (w *workload) leaving(now time.Time) bool {
	if w.live() {
		return now.Sub(w.asked) < lowWait
	}
	return now.Sub(w.stopped) < lowSettle
}

// overQuota ends w, with no more grace than given.
func (k *Kernel) overQuota(ctx context.Context, w *workload, detail string, grace time.Duration) {
	k.mu.Lock()
	ending := w.reason != "" || !w.live()
	if !ending {
		w.grace = min(grace, k.opt.Grace)
	}
	k.mu.Unlock()
	if ending {
		return
	}
	k.opt.Log.WarnContext(ctx, "a workload uses too much disk", "unit", w.facts.unit, "why", detail)
	k.stopLogged(ctx, w, runtimev1.ReasonQuota, detail)
}
