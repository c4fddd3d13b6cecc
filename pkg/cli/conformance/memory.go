package conformance

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"
)

// watcher looks at the memory of a dispatch's processes while a turn runs, from outside
// the container: the same user's processes whose mounts are the dispatch's.
type watcher struct {
	mu   sync.Mutex
	unit string
	peak float64 // megabytes
	done chan struct{}
	gone chan struct{}
}

const lookEvery = 50 * time.Millisecond

func (r *run) watch(ctx context.Context) *watcher {
	w := &watcher{done: make(chan struct{}), gone: make(chan struct{})}
	go func() {
		defer close(w.gone)
		for {
			select {
			case <-time.After(lookEvery):
				w.look()
			case <-w.done:
				return
			case <-ctx.Done():
				return
			}
		}
	}()
	return w
}

func (w *watcher) of(unit string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.unit = unit
}

func (w *watcher) stop(r *run) {
	close(w.done)
	<-w.gone
	r.report.PeakMB = max(r.report.PeakMB, w.peak)
}

// look adds up what the processes have now.
func (w *watcher) look() {
	w.mu.Lock()
	unit := w.unit
	w.mu.Unlock()
	if unit == "" {
		return
	}
	mounts, err := filepath.Glob("/proc/[0-9]*/mountinfo")
	if err != nil {
		return
	}
	total := 0.0
	for _, path := range mounts {
		data, err := os.ReadFile(path)
		if err != nil || !bytes.Contains(data, []byte("/"+unit+"/")) {
			continue
		}
		status, err := os.ReadFile(filepath.Join(filepath.Dir(path), "status"))
		if err == nil {
			total += resident(status)
		}
	}
	w.peak = max(w.peak, total)
}

// resident is VmRSS of proc_pid_status(5), in megabytes.
func resident(status []byte) float64 {
	for line := range bytes.Lines(status) {
		if rest, ok := bytes.CutPrefix(line, []byte("VmRSS:")); ok {
			if f := bytes.Fields(rest); len(f) > 0 {
				kb, err := strconv.ParseFloat(string(f[0]), 64)
				if err == nil {
					return kb * 1024 / 1e6
				}
			}
		}
	}
	return 0
}

func itoa(n int) string { return strconv.Itoa(n) }
