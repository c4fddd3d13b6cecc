package runtime_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vexa-ai/vexa/pkg/contract/runtimev1"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/runtime"
	"github.com/vexa-ai/vexa/pkg/runtime/runtimetest"
)

// refusing is an engine that answers, and refuses to stop, remove or start
// containers while it is told to.
type refusing struct {
	*runtimetest.Memory
	mu                  sync.Mutex
	stop, remove, start error
	removed             int // how often it was told to
}

func (d *refusing) set(stop, remove, start error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.stop, d.remove, d.start = stop, remove, start
}

func (d *refusing) Stop(ctx context.Context, id string, grace time.Duration) error {
	d.mu.Lock()
	err := d.stop
	d.mu.Unlock()
	if err != nil {
		return err
	}
	return d.Memory.Stop(ctx, id, grace)
}

func (d *refusing) Remove(ctx context.Context, id string) error {
	d.mu.Lock()
	err := d.remove
	d.removed++
	d.mu.Unlock()
	if err != nil {
		return err
	}
	return d.Memory.Remove(ctx, id)
}

func (d *refusing) Start(ctx context.Context, id string) error {
	d.mu.Lock()
	err := d.start
	d.mu.Unlock()
	if err != nil {
		return err
	}
	return d.Memory.Start(ctx, id)
}

func (w *world) refuse() *refusing {
	d := &refusing{Memory: w.driver}
	w.opt.Driver = d
	return d
}

var errRefused = fault.New(fault.Internal, "the engine refused", "")

// TestEndIsRepeated: whoever ends a workload, and whatever the engine says for
// ten minutes, it ends as soon as the engine lets it, for that reason.
func TestEndIsRepeated(t *testing.T) {
	t.Parallel()
	away := fault.New(fault.Unavailable, "it does not answer", "")
	for name, want := range map[string]runtimev1.StopReason{
		"stop": runtimev1.ReasonStopped, "quota": runtimev1.ReasonQuota,
		"life": runtimev1.ReasonMaxLifetime, "idle": runtimev1.ReasonIdle,
	} {
		for kind, fails := range map[string]func(*refusing, bool){
			"away": func(d *refusing, on bool) {
				if on {
					d.Fail(away)
				} else {
					d.Fail(nil)
				}
			},
			"refuses": func(d *refusing, on bool) {
				if on {
					d.set(errRefused, errRefused, nil)
				} else {
					d.set(nil, nil, nil)
				}
			},
		} {
			t.Run(name+" "+kind, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t)
					d := w.refuse()
					k, stop := w.run()
					defer stop()
					spec := w.spec(unitA, "sleep")
					spec.IdleTimeoutSec = new(veryLong)
					switch name {
					case "quota":
						spec.Limits = &runtimev1.Limits{DiskMB: 1}
					case "life":
						spec.MaxLifetimeSec = new(60)
					case "idle":
						spec.IdleTimeoutSec = new(60)
					}
					w.create(k, spec)
					fails(d, true)
					switch name {
					case "stop":
						brief, cancel := context.WithTimeout(t.Context(), time.Second)
						defer cancel()
						if _, err := k.Stop(brief, unitA, ""); !errors.Is(err, context.DeadlineExceeded) {
							t.Errorf("stop: %v", err)
						}
					case "quota":
						w.fill(spec.Mounts[3].Source, "session", 2<<20)
					}
					time.Sleep(10 * time.Minute)
					if st := w.get(k, unitA); st.State != runtimev1.Stopping {
						t.Errorf("before the engine lets it end: %+v", st)
					}
					fails(d, false)
					time.Sleep(10 * time.Second)
					if st := w.get(k, unitA); st.State != runtimev1.Stopped || st.StopReason != want {
						t.Errorf("after: %+v", st)
					}
					if all := w.driver.All(); len(all) > 0 {
						t.Errorf("left behind: %+v", all)
					}
				})
			})
		}
	}
}

// TestRefusedOnceKeepsItsGrace: an engine that fails once is not told to kill.
func TestRefusedOnceKeepsItsGrace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		d := w.refuse()
		k, stop := w.run()
		defer stop()
		w.create(k, w.spec(unitA, "sleep"))
		d.set(errRefused, nil, nil)
		stopped := make(chan runtimev1.Status, 1)
		go func() {
			st, err := k.Stop(t.Context(), unitA, "")
			if err != nil {
				t.Error(err)
			}
			stopped <- st
		}()
		synctest.Wait()
		d.set(nil, nil, nil)
		if st := <-stopped; st.ExitCode == nil || *st.ExitCode != 143 {
			t.Errorf("it did not end by its own: %+v", st)
		}
	})
}

// TestStopRefusedForGood: what cannot be stopped is removed.
func TestStopRefusedForGood(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.refuse().set(errRefused, nil, nil)
		k, stop := w.run()
		defer stop()
		w.create(k, w.spec(unitA, "stubborn"))
		if st, err := k.Stop(t.Context(), unitA, ""); err != nil || st.State != runtimev1.Stopped {
			t.Errorf("%+v, %v", st, err)
		}
		if all := w.driver.All(); len(all) > 0 {
			t.Errorf("left behind: %+v", all)
		}
	})
}

// TestRemovalIsRepeated after an end, a failed start and an adoption, and none
// of them waits for it: what has ended harms nobody.
func TestRemovalIsRepeated(t *testing.T) {
	t.Parallel()
	for name, begin := range map[string]func(*testing.T, *world, *refusing) func(){
		"ended": func(t *testing.T, w *world, d *refusing) func() {
			t.Helper()
			k, stop := w.run()
			w.create(k, w.spec(unitA, "sleep"))
			d.set(nil, errRefused, nil)
			if st, err := k.Stop(t.Context(), unitA, ""); err != nil || st.State != runtimev1.Stopped {
				t.Errorf("%+v, %v", st, err)
			}
			return stop
		},
		"not started": func(t *testing.T, w *world, d *refusing) func() {
			t.Helper()
			k, stop := w.run()
			d.set(nil, errRefused, errRefused)
			if _, err := k.Create(t.Context(), w.spec(unitA, "sleep"), w.token(unitA)); !fault.Is(err, fault.Unavailable) {
				t.Error(err)
			}
			return stop
		},
		"adopted": func(t *testing.T, w *world, d *refusing) func() {
			t.Helper()
			k, stop := w.run()
			d.set(nil, errRefused, nil)
			w.create(k, w.spec(unitA, "true"))
			time.Sleep(time.Second)
			stop()
			k, stop = w.run()
			if st := w.get(k, unitA); st.State != runtimev1.Stopped {
				t.Errorf("adopted: %+v", st)
			}
			return stop
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				d := w.refuse()
				stop := begin(t, w, d)
				defer stop()
				time.Sleep(10 * time.Minute)
				if all := w.driver.All(); len(all) != 1 {
					t.Errorf("containers: %+v, want one", all)
				}
				d.set(nil, nil, nil)
				time.Sleep(10 * time.Second)
				if all := w.driver.All(); len(all) > 0 {
					t.Errorf("left behind: %+v", all)
				}
			})
		})
	}
}

// TestWhatIsLeftOfAnotherStart: what is left of a start that failed is not
// looked for once another has taken the id.
func TestWhatIsLeftOfAnotherStart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		d := w.refuse()
		k, stop := w.run()
		defer stop()
		d.set(nil, errRefused, errRefused)
		spec := w.spec(unitA, "sleep")
		if _, err := k.Create(t.Context(), spec, w.token(unitA)); err == nil {
			t.Error("it started")
		}
		time.Sleep(time.Minute)
		if _, err := k.Delete(t.Context(), unitA); err != nil {
			t.Error(err)
		}
		d.set(nil, errRefused, nil)
		w.create(k, spec)
		d.set(nil, nil, nil)
		time.Sleep(10 * time.Second)
		if st := w.get(k, unitA); st.State != runtimev1.Running {
			t.Errorf("the second: %+v", st)
		}
	})
}

// TestRunWaitsForNoEngine: an end that is repeated ends with Run, and what the
// engine says is logged once. A goroutine left over would keep the bubble.
func TestRunWaitsForNoEngine(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		d := w.refuse()
		var log bytes.Buffer
		w.opt.Log = slog.New(slog.NewTextHandler(&log, nil))
		k, stop := w.run()
		w.create(k, w.spec(unitA, "sleep"))
		d.set(errRefused, errRefused, nil)
		ended := make(chan error, 1)
		go func() {
			_, err := k.Stop(t.Context(), unitA, "")
			ended <- err
		}()
		time.Sleep(time.Hour)
		stop()
		wantKind(t, <-ended, fault.Unavailable)
		if d.removed < 100 {
			t.Errorf("it was told %d times in an hour", d.removed)
		}
		before := d.removed
		time.Sleep(time.Hour)
		if d.removed != before {
			t.Error("the end goes on after Run")
		}
		// Once for the stop alone, once for stop and removal.
		if n := strings.Count(log.String(), "is asked again"); n != 2 {
			t.Errorf("logged %d times:\n%s", n, log.String())
		}
	})
}

// TestPausedIsResumedOnceTheEngineAnswers: a frozen container hears no signal.
func TestPausedIsResumedOnceTheEngineAnswers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		k, stop := w.run()
		defer stop()
		w.create(k, w.spec(unitA, "sleep"))
		if err := k.Pause(t.Context(), unitA); err != nil {
			t.Fatal(err)
		}
		w.driver.Fail(fault.New(fault.Unavailable, "it does not answer", ""))
		stopped := make(chan runtimev1.Status, 1)
		go func() {
			st, err := k.Stop(t.Context(), unitA, "")
			if err != nil {
				t.Error(err)
			}
			stopped <- st
		}()
		time.Sleep(2 * time.Second)
		w.driver.Fail(nil)
		if st := <-stopped; st.ExitCode == nil || *st.ExitCode != 143 {
			t.Errorf("it did not hear SIGTERM: %+v", st)
		}
	})
}

var _ runtime.Driver = (*refusing)(nil)
