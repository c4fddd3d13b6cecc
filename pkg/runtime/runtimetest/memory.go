package runtimetest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/runtime"
)

// Script says what the first process of an in-memory container does.
type Script func(p *Process)

// Process is the first process of an in-memory container. Its script may wait
// on Term and must return when Killed is closed.
type Process struct {
	Container runtime.Container
	Term      <-chan struct{} // closed at the first SIGTERM
	Killed    <-chan struct{} // closed at SIGKILL
	exit      runtime.Exit
}

// Exit sets how the process ends once its script returns; 0 without it.
func (p *Process) Exit(code int, oom bool) { p.exit = runtime.Exit{Code: code, OOM: oom} }

// Memory is a runtime.Driver whose containers are goroutines. It checks what it
// is given as a real engine does, and knows four programs by argv[0]: "true",
// "false", "sleep" (for ever, ends at SIGTERM with 143) and "stubborn" (ends
// only when killed, with 137). Others are made known with Program.
type Memory struct {
	mu         sync.Mutex
	next       int
	images     map[string]bool
	programs   map[string]Script
	containers map[string]*memContainer
	now        func() time.Time
	fail       error
	info       runtime.Info
	pids       map[string][]int
}

type memContainer struct {
	spec   runtime.Container
	id     string
	phase  runtime.Phase
	began  time.Time
	ended  time.Time
	exit   runtime.Exit
	paused bool
	term   chan struct{}
	kill   chan struct{}
	done   chan struct{}
}

var (
	_ runtime.Driver = (*Memory)(nil)
	_ runtime.Pauser = (*Memory)(nil)
	_ runtime.Finder = (*Memory)(nil)
)

// NewMemory returns an engine without images or containers.
func NewMemory() *Memory {
	return &Memory{
		images: map[string]bool{}, pids: map[string][]int{}, containers: map[string]*memContainer{}, now: time.Now,
		programs: map[string]Script{
			"true":  func(*Process) {},
			"false": func(p *Process) { p.Exit(1, false) },
			"sleep": func(p *Process) {
				select {
				case <-p.Term:
					p.Exit(143, false)
				case <-p.Killed:
					p.Exit(137, false)
				}
			},
			"stubborn": func(p *Process) {
				<-p.Killed
				p.Exit(137, false)
			},
		},
		info: runtime.Info{Backend: "podman", Versions: map[string]string{"memory": "1"}, Enforced: []string{
			runtime.LimitCPU, runtime.LimitMemory, runtime.LimitPids,
		}},
	}
}

// Program makes a program known by its argv[0].
func (m *Memory) Program(name string, script Script) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.programs[name] = script
}

// Fail has every later call fail with err, until it is called with nil.
func (m *Memory) Fail(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fail = err
}

// SetInfo changes what Info answers.
func (m *Memory) SetInfo(info runtime.Info) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.info = info
}

// All returns every container of every installation, by name.
func (m *Memory) All() []runtime.Instance {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.list(func(*memContainer) bool { return true })
}

// Spec returns what the container of that name was made from.
func (m *Memory) Spec(name string) (runtime.Container, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, c := range m.containers {
		if c.spec.Name == name {
			return c.spec, true
		}
	}
	return runtime.Container{}, false
}

func (m *Memory) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return m.fail
}

// find returns a container by id. The caller holds mu.
func (m *Memory) find(id string) (*memContainer, error) {
	c, ok := m.containers[id]
	if !ok {
		return nil, fault.Newf(fault.NotFound, "no container %s", id)
	}
	return c, nil
}

// Info implements runtime.Driver.
func (m *Memory) Info(ctx context.Context) (runtime.Info, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.info, m.enter(ctx)
}

// EnsureImage implements runtime.Driver. It reads the image once, and keeps
// nothing of it.
func (m *Memory) EnsureImage(ctx context.Context, image runtime.Image) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.enter(ctx); err != nil || m.images[image.Ref] {
		return err
	}
	if image.Open == nil {
		return fault.Newf(fault.NotFound, "no image %s", image.Ref)
	}
	r, err := image.Open()
	if err != nil {
		return err
	}
	m.images[image.Ref] = true
	return r.Close()
}

// Create implements runtime.Driver.
func (m *Memory) Create(ctx context.Context, spec runtime.Container) (string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.enter(ctx); err != nil {
		return "", err
	}
	if !m.images[spec.Image] {
		return "", fault.Newf(fault.NotFound, "no image %s", spec.Image)
	}
	for _, c := range m.containers {
		if c.spec.Name != spec.Name {
			continue
		}
		same := c.spec.Labels[runtime.LabelInstall] == spec.Labels[runtime.LabelInstall] &&
			c.spec.Labels[runtime.LabelUnit] == spec.Labels[runtime.LabelUnit]
		if !same || c.phase == runtime.PhaseEnded {
			return "", fault.Newf(fault.Conflict, "the name %s is taken", spec.Name)
		}
		return c.id, nil
	}
	if len(spec.Argv) == 0 {
		return "", errors.New("no program")
	}
	m.next++
	c := &memContainer{
		spec: spec, id: fmt.Sprintf("%064x", m.next), phase: runtime.PhaseCreated,
		term: make(chan struct{}), kill: make(chan struct{}), done: make(chan struct{}),
	}
	c.spec.Labels, c.spec.Env = maps.Clone(spec.Labels), maps.Clone(spec.Env)
	m.containers[c.id] = c
	return c.id, nil
}

// Start implements runtime.Driver.
func (m *Memory) Start(ctx context.Context, id string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.enter(ctx); err != nil {
		return err
	}
	c, err := m.find(id)
	switch {
	case err != nil:
		return err
	case c.phase == runtime.PhaseRunning:
		return nil
	case c.phase == runtime.PhaseEnded:
		return fault.Newf(fault.Conflict, "container %s has ended", id)
	}
	script, ok := m.programs[c.spec.Argv[0]]
	if !ok {
		return fmt.Errorf("no program %q in the image", c.spec.Argv[0])
	}
	c.phase, c.began = runtime.PhaseRunning, m.now()
	p := &Process{Container: c.spec, Term: c.term, Killed: c.kill}
	go func() {
		script(p)
		m.mu.Lock()
		defer m.mu.Unlock()
		c.phase, c.ended, c.exit = runtime.PhaseEnded, m.now(), p.exit
		close(c.done)
	}()
	return nil
}

// Wait implements runtime.Driver.
func (m *Memory) Wait(ctx context.Context, id string) (runtime.Exit, error) {
	m.mu.Lock()
	c, err := m.find(id)
	if err == nil {
		err = m.enter(ctx)
	}
	m.mu.Unlock()
	if err != nil {
		return runtime.Exit{}, err
	}
	select {
	case <-c.done:
		return c.exit, nil
	case <-ctx.Done():
		return runtime.Exit{}, ctx.Err()
	}
}

// Stop implements runtime.Driver.
func (m *Memory) Stop(ctx context.Context, id string, grace time.Duration) error {
	c, err := m.signal(ctx, id, false)
	if c == nil || err != nil {
		return err
	}
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-c.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
	}
	if _, err := m.signal(ctx, id, true); err != nil {
		return err
	}
	select {
	case <-c.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// signal ends a running container's process, softly or not; nil where there is
// none that runs. A paused one does not hear a soft signal.
func (m *Memory) signal(ctx context.Context, id string, kill bool) (*memContainer, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.enter(ctx); err != nil {
		return nil, err
	}
	c, ok := m.containers[id]
	if !ok || c.phase != runtime.PhaseRunning {
		return nil, nil //nolint:nilnil // none is an answer
	}
	switch {
	case kill:
		closeOnce(c.kill)
	case !c.paused:
		closeOnce(c.term)
	}
	return c, nil
}

func closeOnce(ch chan struct{}) {
	select {
	case <-ch:
	default:
		close(ch)
	}
}

// Remove implements runtime.Driver.
func (m *Memory) Remove(ctx context.Context, id string) error {
	c, err := m.signal(ctx, id, true)
	if err != nil {
		return err
	}
	if c != nil {
		select {
		case <-c.done:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.containers, id)
	return nil
}

// List implements runtime.Driver.
func (m *Memory) List(ctx context.Context, install string) ([]runtime.Instance, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.enter(ctx); err != nil {
		return nil, err
	}
	return m.list(func(c *memContainer) bool { return c.spec.Labels[runtime.LabelInstall] == install }), nil
}

// list describes containers by name. The caller holds mu.
func (m *Memory) list(which func(*memContainer) bool) []runtime.Instance {
	out := []runtime.Instance{}
	for _, c := range m.containers {
		if which(c) {
			out = append(out, runtime.Instance{
				ID: c.id, Name: c.spec.Name, Labels: maps.Clone(c.spec.Labels), Phase: c.phase,
				StartedAt: c.began, EndedAt: c.ended, Exit: c.exit,
			})
		}
	}
	slices.SortFunc(out, func(a, b runtime.Instance) int { return strings.Compare(a.Name, b.Name) })
	return out
}
