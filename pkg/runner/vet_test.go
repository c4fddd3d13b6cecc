package runner_test

import (
	"context"
	"errors"
	"path/filepath"
	goruntime "runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/vexa-ai/vexa/pkg/contract/runnerv2"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/runner"
)

// engine is one with an image of each name, whose program is of a version.
type engine struct {
	digests map[string]string
	code    int
	err     error
	tried   []string // images
}

func (e *engine) ImageDigest(_ context.Context, ref string) (string, error) {
	if d, ok := e.digests[ref]; ok {
		return d, e.err
	}
	return "", fault.New(fault.NotFound, "no such image", "")
}

func (e *engine) try(ref string) runner.Try {
	return func(_ context.Context, argv []string) (int, error) {
		e.tried = append(e.tried, ref)
		if !slices.Contains(argv, "2.0") || argv[len(argv)-1] != "--version" {
			return 0, errors.New("it is asked for something else")
		}
		return e.code, e.err
	}
}

// TestBrought: an image that was brought is asked for its version before it is run, once
// for each image that has the name, and runs as the one that was asked.
func TestBrought(t *testing.T) {
	t.Parallel()
	const ref = "registry.example:5000/tool:latest"
	one, two := "sha256:"+strings.Repeat("1a", 32), "sha256:"+strings.Repeat("2b", 32)
	e := &engine{digests: map[string]string{ref: one}, code: 8}
	dir := t.TempDir()
	images := &runner.Images{Builds: runner.Builds{Dir: dir}, Checked: runner.Builds{Dir: filepath.Join(dir, "checked")}, Engine: e}
	m := runnerv2.Manifest{Name: "tool", Image: runnerv2.Image{Ref: ref}}
	m.Argv.Probe, m.Package = []string{"tool", "--version"}, &runnerv2.Package{Kind: "release", Name: "tool", Version: "2.0"}
	reference := func() (string, error) {
		ref, ask, err := images.Reference(t.Context(), m)
		if err == nil && ask != nil {
			err = ask(t.Context(), e.try(ref))
		}
		return ref, err
	}
	is := func(what, want string, tries int) {
		t.Helper()
		got, err := reference()
		if err != nil || got != want || len(e.tried) != tries {
			t.Errorf("%s: %q, %v, asked %q", what, got, err, e.tried)
		}
	}
	refused := func(what string, tries int) {
		t.Helper()
		got, err := reference()
		if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "tool 2.0") || len(e.tried) != tries {
			t.Errorf("%s: %q, %v, asked %q", what, got, err, e.tried)
		}
	}
	is("the first time", "registry.example:5000/tool@"+one, 1)
	is("again", "registry.example:5000/tool@"+one, 1)
	e.digests[ref] = two
	e.code = 9
	refused("another image of the name, of another version", 2)
	refused("it is not forgotten that it was refused", 3)
	e.code = 1
	refused("a probe that fails", 4)
	e.code = 127
	is("one without a shell cannot tell", "registry.example:5000/tool@"+two, 5)
	is("again", "registry.example:5000/tool@"+two, 5)

	m.Argv.Probe = []string{"tool", "really", "--version"}
	e.code = 9
	refused("a manifest that pins another", 6)
	m.Argv.Probe = nil
	is("one that pins nothing", ref, 6)
	m.Argv.Probe = []string{"tool", "--version"}
	delete(e.digests, ref)
	is("none of the name", ref, 6)
	e.digests[ref], e.err = two, errors.ErrUnsupported
	is("an engine without digests", ref, 6)
	e.err = errors.New("broken")
	if got, err := reference(); err == nil {
		t.Errorf("an engine that is broken: %q", got)
	}

	// What was made here was asked when it was made, for the version that it was made for.
	e.err, e.code = nil, 9
	if err := images.Builds.Put(m, one); err != nil {
		t.Fatal(err)
	}
	is("one that was made", "registry.example:5000/tool@"+one, 6)
	m.Argv.Probe = []string{"tool", "now", "--version"}
	refused("one that was made for another version", 7)
}

// TestAskedOnce: however many dispatches want an image at once, its program is asked once,
// and all of them have the answer; one that stops waiting leaves it to the others.
func TestAskedOnce(t *testing.T) {
	t.Parallel()
	for _, code := range []int{8, 9} {
		dir := t.TempDir()
		e := &engine{digests: map[string]string{"localhost/tool:1": "sha256:" + strings.Repeat("1a", 32)}}
		images := &runner.Images{Builds: runner.Builds{Dir: dir}, Checked: runner.Builds{Dir: filepath.Join(dir, "checked")}, Engine: e}
		m := runnerv2.Manifest{Name: "tool", Image: runnerv2.Image{Ref: "localhost/tool:1"}}
		m.Argv.Probe, m.Package = []string{"tool", "--version"}, &runnerv2.Package{Kind: "release", Name: "tool", Version: "2.0"}
		var asked atomic.Int32
		first, gate := make(chan struct{}), make(chan struct{})
		asks := make([]func(context.Context, runner.Try) error, 21)
		for i := range asks { // all of them look before any has the answer
			var err error
			if _, asks[i], err = images.Reference(t.Context(), m); err != nil || asks[i] == nil {
				t.Fatalf("nothing is asked: %v", err)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		broken := make(chan error, 1)
		go func() { // it is asked, and stopped
			broken <- asks[0](ctx, func(ctx context.Context, _ []string) (int, error) {
				close(first)
				<-ctx.Done()
				return 0, context.Cause(ctx)
			})
		}()
		<-first
		answers := make(chan error, len(asks)-1)
		for _, ask := range asks[1:] {
			go func() {
				answers <- ask(t.Context(), func(context.Context, []string) (int, error) {
					asked.Add(1)
					<-gate
					return code, nil
				})
			}()
		}
		cancel()
		if err := <-broken; !fault.Is(err, fault.Interrupted) {
			t.Errorf("one that was stopped: %v", err)
		}
		for asked.Load() == 0 {
			goruntime.Gosched()
		}
		close(gate)
		for range cap(answers) {
			if err := <-answers; (err == nil) != (code == 8) {
				t.Errorf("code %d: %v", code, err)
			}
		}
		if n := asked.Load(); code == 8 && n != 1 {
			t.Errorf("it was asked %d times", n)
		}
	}
}

// TestAnswersThatAreNone: one that does not answer is no other version.
func TestAnswersThatAreNone(t *testing.T) {
	t.Parallel()
	m := runnerv2.Manifest{Name: "tool", Package: &runnerv2.Package{Name: "tool", Version: "2.0"}}
	m.Argv.Probe = []string{"tool", "--version"}
	for want, err := range map[fault.Kind]error{
		fault.Timeout: fault.New(fault.Timeout, "it does not end", ""), fault.Unavailable: fault.New(fault.Unavailable, "no engine", ""),
	} {
		got := runner.CheckVersion(t.Context(), m, "localhost/tool:1", func(context.Context, []string) (int, error) { return 0, err })
		if !fault.Is(got, want) || strings.Contains(got.Error(), "2.0") {
			t.Errorf("%v becomes %v", err, got)
		}
	}
}
