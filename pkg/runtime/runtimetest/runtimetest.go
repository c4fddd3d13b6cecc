// Package runtimetest is the conformance suite of runtime.Driver, and the
// in-memory driver that passes it.
package runtimetest

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/runtime"
)

// Setup is a driver under test and what its containers can be made of. The
// commands end at once with 0, end at once with 7, run until SIGTERM ends them,
// and run whatever SIGTERM says.
type Setup struct {
	Driver   runtime.Driver
	Image    runtime.Image
	Exit0    []string
	Exit7    []string
	Sleep    []string
	Stubborn []string
	// Mounts are given to every container; a workspace at /workspace is among them.
	Mounts []runtime.Bind
	// Listens reports whether the program of Sleep hears SIGTERM by now; nil: from its start.
	Listens func() bool
}

// patience is how long one step may take on a loaded machine.
const patience = time.Minute

// Run holds a driver to the contract of runtime.Driver. open is called once for
// each test.
func Run(t *testing.T, open func(t *testing.T) Setup) {
	t.Helper()
	for name, test := range map[string]func(*suite){
		"image is made when missing and left alone after": (*suite).image,
		"create is idempotent by name and labels":         (*suite).create,
		"a name that is taken is a conflict":              (*suite).taken,
		"start runs and is idempotent":                    (*suite).start,
		"an ended container does not start again":         (*suite).ended,
		"exit codes are told":                             (*suite).exits,
		"wait ends with its context":                      (*suite).cancel,
		"stop asks first":                                 (*suite).stop,
		"stop kills after the grace":                      (*suite).stubborn,
		"remove ends what runs":                           (*suite).remove,
		"what is gone is gone":                            (*suite).gone,
		"list shows one installation's":                   (*suite).list,
		"pause and resume, or unsupported":                (*suite).pause,
		"a program is tried, and nothing of it is left":   (*suite).probe,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &suite{T: t, Setup: open(t), install: random(t), other: random(t)}
			t.Cleanup(s.clean)
			test(s)
		})
	}
}

type suite struct {
	*testing.T
	Setup
	install, other string
}

func random(t *testing.T) string {
	t.Helper()
	var b [8]byte
	if _, err := rand.Read(b[:]); err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(b[:])
}

func (s *suite) ctx() context.Context {
	ctx, cancel := context.WithTimeout(s.Context(), patience)
	s.Cleanup(cancel)
	return ctx
}

// clean removes what a test left. The test's own context has ended by then.
func (s *suite) clean() {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(s.Context()), patience)
	defer cancel()
	for _, install := range []string{s.install, s.other} {
		list, err := s.Driver.List(ctx, install)
		if err != nil {
			s.Errorf("list: %v", err)
		}
		for _, c := range list {
			if err := s.Driver.Remove(ctx, c.ID); err != nil {
				s.Errorf("remove: %v", err)
			}
		}
	}
}

func (s *suite) spec(unit string, argv []string) runtime.Container {
	return runtime.Container{
		Name: "vexa-agent-" + unit, Image: s.Image.Ref, Argv: argv, Env: map[string]string{"PATH": "/bin"}, Mounts: s.Mounts,
		Labels: map[string]string{runtime.LabelInstall: s.install, runtime.LabelUnit: unit},
		Limits: runtime.Limits{Processes: 64, OpenFiles: 256, TmpMB: 8, HomeMB: 8},
	}
}

func (s *suite) made(argv []string) string {
	s.Helper()
	s.ok(s.Driver.EnsureImage(s.ctx(), s.Image))
	id, err := s.Driver.Create(s.ctx(), s.spec(random(s.T), argv))
	s.ok(err)
	return id
}

func (s *suite) started(argv []string) string {
	s.Helper()
	id := s.made(argv)
	s.ok(s.Driver.Start(s.ctx(), id))
	return id
}

// listening starts a container whose program hears when it is to end.
func (s *suite) listening() string {
	s.Helper()
	id := s.started(s.Sleep)
	for deadline := time.Now().Add(patience); s.Listens != nil && !s.Listens(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			s.Fatal("its program does not listen")
		}
	}
	return id
}

func (s *suite) ok(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

func (s *suite) kind(err error, kind fault.Kind) {
	s.Helper()
	if !fault.Is(err, kind) {
		s.Fatalf("got %v, want a fault of kind %s", err, kind)
	}
}

func (s *suite) image() {
	missing := runtime.Image{Ref: "localhost/vexa/absent:" + s.install}
	s.kind(s.Driver.EnsureImage(s.ctx(), missing), fault.NotFound)
	_, err := s.Driver.Create(s.ctx(), func() runtime.Container {
		c := s.spec(s.install, s.Exit0)
		c.Image = missing.Ref
		return c
	}())
	s.kind(err, fault.NotFound)
	s.ok(s.Driver.EnsureImage(s.ctx(), s.Image))
	again := s.Image
	again.Open = nil // an image that is there is not opened
	s.ok(s.Driver.EnsureImage(s.ctx(), again))
}

func (s *suite) create() {
	s.ok(s.Driver.EnsureImage(s.ctx(), s.Image))
	c := s.spec(random(s.T), s.Sleep)
	first, err := s.Driver.Create(s.ctx(), c)
	s.ok(err)
	second, err := s.Driver.Create(s.ctx(), c)
	s.ok(err)
	if first == "" || first != second {
		s.Fatalf("got ids %q and %q", first, second)
	}
	list, err := s.Driver.List(s.ctx(), s.install)
	s.ok(err)
	if len(list) != 1 || list[0].Phase != runtime.PhaseCreated || list[0].Name != c.Name {
		s.Fatalf("got %+v, want one created container %s", list, c.Name)
	}
}

func (s *suite) taken() {
	s.ok(s.Driver.EnsureImage(s.ctx(), s.Image))
	c := s.spec(random(s.T), s.Sleep)
	_, err := s.Driver.Create(s.ctx(), c)
	s.ok(err)
	c.Labels = map[string]string{runtime.LabelInstall: s.other, runtime.LabelUnit: c.Labels[runtime.LabelUnit]}
	_, err = s.Driver.Create(s.ctx(), c)
	s.kind(err, fault.Conflict)
}

func (s *suite) start() {
	id := s.started(s.Sleep)
	s.ok(s.Driver.Start(s.ctx(), id))
	list, err := s.Driver.List(s.ctx(), s.install)
	s.ok(err)
	if len(list) != 1 || list[0].Phase != runtime.PhaseRunning || list[0].StartedAt.IsZero() {
		s.Fatalf("got %+v, want one running container", list)
	}
}

func (s *suite) ended() {
	id := s.started(s.Exit0)
	_, err := s.Driver.Wait(s.ctx(), id)
	s.ok(err)
	s.kind(s.Driver.Start(s.ctx(), id), fault.Conflict)
	list, err := s.Driver.List(s.ctx(), s.install)
	s.ok(err)
	if len(list) != 1 || list[0].Phase != runtime.PhaseEnded {
		s.Fatalf("got %+v, want one ended container", list)
	}
}

func (s *suite) exits() {
	for want, argv := range map[int][]string{0: s.Exit0, 7: s.Exit7} {
		id := s.started(argv)
		exit, err := s.Driver.Wait(s.ctx(), id)
		s.ok(err)
		if exit.Code != want || exit.OOM {
			s.Errorf("got %+v, want code %d", exit, want)
		}
		if again, err := s.Driver.Wait(s.ctx(), id); err != nil || again != exit {
			s.Errorf("waiting again: got %+v, %v", again, err)
		}
	}
}

func (s *suite) cancel() {
	id := s.started(s.Sleep)
	ctx, cancel := context.WithTimeout(s.Context(), 50*time.Millisecond)
	defer cancel()
	began := time.Now()
	if _, err := s.Driver.Wait(ctx, id); !errors.Is(err, context.DeadlineExceeded) {
		s.Fatalf("got %v, want %v", err, context.DeadlineExceeded)
	}
	if took := time.Since(began); took > 5*time.Second {
		s.Errorf("it took %v to notice", took)
	}
}

func (s *suite) stop() {
	id := s.listening()
	s.ok(s.Driver.Stop(s.ctx(), id, patience))
	exit, err := s.Driver.Wait(s.ctx(), id)
	s.ok(err)
	if exit.Code == 137 {
		s.Error("it was killed, not asked")
	}
	s.ok(s.Driver.Stop(s.ctx(), id, patience))
}

func (s *suite) stubborn() {
	id := s.started(s.Stubborn)
	s.ok(s.Driver.Stop(s.ctx(), id, 100*time.Millisecond))
	exit, err := s.Driver.Wait(s.ctx(), id)
	s.ok(err)
	if exit.Code != 137 {
		s.Errorf("got code %d, want 137", exit.Code)
	}
}

func (s *suite) remove() {
	id := s.started(s.Stubborn)
	waited := make(chan error, 1)
	go func() {
		_, err := s.Driver.Wait(s.ctx(), id)
		waited <- err
	}()
	s.ok(s.Driver.Remove(s.ctx(), id))
	if err := <-waited; err != nil && !fault.Is(err, fault.NotFound) {
		s.Errorf("a waiter got %v", err)
	}
	list, err := s.Driver.List(s.ctx(), s.install)
	s.ok(err)
	if len(list) != 0 {
		s.Errorf("it is still there: %+v", list)
	}
}

func (s *suite) gone() {
	id := s.made(s.Sleep)
	s.ok(s.Driver.Remove(s.ctx(), id))
	s.ok(s.Driver.Remove(s.ctx(), id))
	s.ok(s.Driver.Stop(s.ctx(), id, time.Second))
	s.kind(s.Driver.Start(s.ctx(), id), fault.NotFound)
	_, err := s.Driver.Wait(s.ctx(), id)
	s.kind(err, fault.NotFound)
}

func (s *suite) list() {
	mine := s.made(s.Sleep)
	c := s.spec(random(s.T), s.Sleep)
	c.Labels[runtime.LabelInstall] = s.other
	theirs, err := s.Driver.Create(s.ctx(), c)
	s.ok(err)
	for install, want := range map[string]string{s.install: mine, s.other: theirs} {
		list, err := s.Driver.List(s.ctx(), install)
		s.ok(err)
		if len(list) != 1 || list[0].ID != want || list[0].Labels[runtime.LabelInstall] != install {
			s.Errorf("installation %s: got %+v, want %s alone", install, list, want)
		}
	}
	if list, err := s.Driver.List(s.ctx(), random(s.T)); err != nil || len(list) != 0 {
		s.Errorf("an unknown installation has %+v, %v", list, err)
	}
}

func (s *suite) pause() {
	p, ok := s.Driver.(runtime.Pauser)
	if !ok {
		s.Skip("the driver cannot pause")
	}
	id := s.listening()
	err := p.Pause(s.ctx(), id)
	if errors.Is(err, errors.ErrUnsupported) {
		if err := p.Resume(s.ctx(), id); !errors.Is(err, errors.ErrUnsupported) {
			s.Errorf("resume: got %v, want unsupported", err)
		}
		return
	}
	s.ok(err)
	list, err := s.Driver.List(s.ctx(), s.install)
	s.ok(err)
	if len(list) != 1 || list[0].Phase != runtime.PhaseRunning {
		s.Errorf("a paused container is %+v, want running", list)
	}
	s.ok(p.Resume(s.ctx(), id))
	s.ok(s.Driver.Stop(s.ctx(), id, patience))
}
