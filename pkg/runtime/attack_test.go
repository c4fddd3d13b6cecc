package runtime_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/contract/identityv1"
	"github.com/vexa-ai/vexa/pkg/contract/runtimev1"
	"github.com/vexa-ai/vexa/pkg/contract/unitv1"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/runtime"
)

// TestMountsThatAreRefused: each case is a whole, acceptable workload with one
// thing wrong. All are fault.Denied, reported, and leave no container.
func TestMountsThatAreRefused(t *testing.T) {
	t.Parallel()
	const work, shared, history, session, run, bin = 0, 1, 2, 3, 4, 5
	for name, attack := range map[string]func(w *world, s *runtimev1.Spec){
		"outside the root": func(w *world, s *runtimev1.Spec) {
			s.Mounts[work].Source = w.mkdir(filepath.Dir(w.root), "elsewhere")
		},
		"the host's root":          func(_ *world, s *runtimev1.Spec) { s.Mounts[work].Source = "/" },
		"the root of the units":    func(w *world, s *runtimev1.Spec) { s.Mounts[work].Source = w.root },
		"the unit's own directory": func(w *world, s *runtimev1.Spec) { s.Mounts[session].Source = filepath.Join(w.root, unitA) },
		"the host's notes": func(w *world, s *runtimev1.Spec) {
			s.Mounts[session].Source = w.mkdir(w.root, unitA, "meta")
		},
		"dots in the path": func(w *world, s *runtimev1.Spec) {
			s.Mounts[work].Source = filepath.Join(w.root, unitA) + "/ws/../ws/" + wsRW
		},
		"dots in the workspace": func(w *world, s *runtimev1.Spec) {
			s.Mounts[work].Workspace = "../../" + unitB + "/ws/" + wsRW
			s.Mounts[work].Source = w.mkdir(w.root, unitB, "ws", wsRW)
		},
		"another unit's checkout": func(w *world, s *runtimev1.Spec) {
			s.Mounts[work].Source = w.mkdir(w.root, unitB, "ws", wsRW)
		},
		"another unit's socket": func(w *world, s *runtimev1.Spec) {
			s.Mounts[run].Source = w.mkdir(w.root, unitB, "run")
		},
		"a workspace in place of another": func(w *world, s *runtimev1.Spec) {
			s.Mounts[work].Source = s.Mounts[shared].Source
		},
		"a session in place of a workspace": func(_ *world, s *runtimev1.Spec) {
			s.Mounts[work].Source = s.Mounts[session].Source
		},
		"a link as the checkout": func(w *world, s *runtimev1.Spec) {
			w.link(s.Mounts[work].Source, w.mkdir(w.root, unitB, "ws", wsRW))
		},
		"a link above the checkout": func(w *world, s *runtimev1.Spec) {
			other := w.mkdir(w.root, unitB, "ws")
			w.mkdir(other, wsRW)
			w.link(filepath.Dir(s.Mounts[work].Source), other)
		},
		"a link as the unit": func(w *world, _ *runtimev1.Spec) {
			w.spec(unitB)
			w.link(filepath.Join(w.root, unitA), filepath.Join(w.root, unitB))
		},
		"a file as the checkout": func(w *world, s *runtimev1.Spec) {
			w.replace(s.Mounts[work].Source, func(path string) error { return os.WriteFile(path, nil, 0o600) })
		},
		"nothing as the checkout": func(w *world, s *runtimev1.Spec) {
			w.replace(s.Mounts[work].Source, func(string) error { return nil })
		},
		"writing with a ro grant":      func(_ *world, s *runtimev1.Spec) { s.Mounts[shared].ReadOnly = false },
		"a writable history":           func(_ *world, s *runtimev1.Spec) { s.Mounts[history].ReadOnly = false },
		"a writable run directory":     func(_ *world, s *runtimev1.Spec) { s.Mounts[run].ReadOnly = false },
		"a writable binary":            func(_ *world, s *runtimev1.Spec) { s.Mounts[bin].ReadOnly = false },
		"another binary":               func(_ *world, s *runtimev1.Spec) { s.Mounts[bin].Source = "/bin/sh" },
		"a target in the image":        func(_ *world, s *runtimev1.Spec) { s.Mounts[session].Target = "/etc" },
		"a run directory elsewhere":    func(_ *world, s *runtimev1.Spec) { s.Mounts[run].Target = "/.vexa/session" },
		"a workspace at another's":     func(_ *world, s *runtimev1.Spec) { s.Mounts[shared].Target = "/workspaces/" + wsRW },
		"a history at another's":       func(_ *world, s *runtimev1.Spec) { s.Mounts[history].Target = "/.vexa/history/" + wsRO },
		"an unknown kind":              func(_ *world, s *runtimev1.Spec) { s.Mounts[work].Kind = "device" },
		"a session with a workspace":   func(_ *world, s *runtimev1.Spec) { s.Mounts[session].Workspace = wsRW },
		"a workspace without its name": func(_ *world, s *runtimev1.Spec) { s.Mounts[work].Workspace = "" },
		"no working directory":         func(_ *world, s *runtimev1.Spec) { s.Mounts = s.Mounts[1:] },
		"no mounts at all":             func(_ *world, s *runtimev1.Spec) { s.Mounts = nil },
		"one mount twice": func(_ *world, s *runtimev1.Spec) {
			s.Mounts = append(s.Mounts, s.Mounts[work])
		},
		"one checkout at two places": func(_ *world, s *runtimev1.Spec) {
			m := s.Mounts[work]
			m.Target = "/workspaces/" + wsRW
			s.Mounts = append(s.Mounts, m)
		},
		"two working directories": func(_ *world, s *runtimev1.Spec) { s.Mounts[shared].Target = "/workspace" },
		"a workspace that is not granted": func(w *world, s *runtimev1.Spec) {
			s.Mounts = append(s.Mounts, runtimev1.Mount{
				Kind: runtimev1.MountWorkspace, Source: w.mkdir(w.root, unitA, "ws", "ws-secret"),
				Target: "/workspaces/ws-secret", ReadOnly: true, Workspace: "ws-secret",
			})
		},
		"the history of one that is not granted": func(w *world, s *runtimev1.Spec) {
			s.Mounts = append(s.Mounts, runtimev1.Mount{
				Kind: runtimev1.MountHistory, Source: w.mkdir(w.root, unitA, "history", "ws-secret"),
				Target: "/.vexa/history/ws-secret", ReadOnly: true, Workspace: "ws-secret",
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			k, stop := w.run()
			defer stop()
			spec := w.spec(unitA, "sleep")
			attack(w, &spec)
			_, err := k.Create(t.Context(), spec, w.token(unitA))
			w.wantRefused(err)
			if strings.Contains(err.Error(), w.root) {
				t.Errorf("the message names a host path: %v", err)
			}
		})
	}
}

// TestTokensThatAreRefused: the workload is right and the token is not.
func TestTokensThatAreRefused(t *testing.T) {
	t.Parallel()
	for name, forge := range map[string]func(w *world) string{
		"none":           func(*world) string { return "" },
		"nonsense":       func(*world) string { return "a.b.c" },
		"another unit's": func(w *world) string { return w.token(unitB) },
		"expired": func(w *world) string {
			key := newKey("authority")
			old := authorityAt(key, time.Now().Add(-2*time.Hour))
			return mint(w, old, unit(unitA), time.Hour)
		},
		"not of this authority": func(w *world) string {
			return mint(w, authority(newKey("forger")), unit(unitA), time.Hour)
		},
		"altered": func(w *world) string {
			parts := strings.Split(w.token(unitA), ".")
			other := strings.Split(w.token(unitB), ".")
			return parts[0] + "." + other[1] + "." + parts[2]
		},
		"for fewer workspaces": func(w *world) string {
			u := unit(unitA)
			u.Workspaces = u.Workspaces[1:]
			return mint(w, w.auth, u, time.Hour)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			k, stop := w.run()
			defer stop()
			_, err := k.Create(t.Context(), w.spec(unitA, "sleep"), forge(w))
			w.wantRefused(err)
		})
	}
}

// TestAVerifierThatMixesUpUnitsIsCaught: the kernel compares the unit itself.
func TestAVerifierThatMixesUpUnitsIsCaught(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.opt.Verifier = verifierFunc(func(string, string, string) (identityv1.DispatchToken, error) {
		return identityv1.DispatchToken{Unit: unitB, Details: []identityv1.Detail{
			{Type: "workspace", ID: wsRW, Mode: "rw"}, {Type: "workspace", ID: wsRO, Mode: "ro"},
		}}, nil
	})
	k, stop := w.run()
	defer stop()
	_, err := k.Create(t.Context(), w.spec(unitA, "sleep"), "any")
	w.wantRefused(err)
	w.create(k, w.spec(unitB, "sleep"))
	stop()
	w.opt.Verifier = verifierFunc(func(string, string, string) (identityv1.DispatchToken, error) {
		return identityv1.DispatchToken{Unit: unitA}, nil
	})
	again, stop := w.run()
	defer stop()
	_, err = again.Create(t.Context(), w.spec(unitB, "sleep"), "any") // a touch
	wantKind(t, err, fault.Denied)
}

// TestATouchNeedsTheTokenToo: knowing an id is no authority over it.
// TestATryNeedsTheTokenToo: no program runs, and nothing is said of an image, without the
// token of the dispatch that it is for.
func TestATryNeedsTheTokenToo(t *testing.T) {
	t.Parallel()
	for _, forge := range []func(w *world) string{
		func(*world) string { return "" },
		func(*world) string { return "a.b.c" },
		func(w *world) string { return w.token(unitB) },
		func(w *world) string { return mint(w, authority(newKey("forger")), unit(unitA), time.Minute) },
	} {
		w := newWorld(t)
		k, stop := w.run()
		_, err := k.Try(t.Context(), unitA, forge(w), "tool:1", []string{"true"})
		w.wantRefused(err)
		stop()
	}
}

func TestATouchNeedsTheTokenToo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	k, stop := w.run()
	defer stop()
	spec := w.spec(unitA, "sleep")
	w.create(k, spec)
	_, err := k.Create(t.Context(), spec, w.token(unitB))
	wantKind(t, err, fault.Denied)
}

func TestSpecsThatAreInvalid(t *testing.T) {
	t.Parallel()
	gpu := 1
	for name, spoil := range map[string]func(s *runtimev1.Spec){
		"a profile that is not known":   func(s *runtimev1.Spec) { s.Profile = "other" },
		"another backend":               func(s *runtimev1.Spec) { s.Backend = "k8s" },
		"a callback":                    func(s *runtimev1.Spec) { s.CallbackURL = "http://example.org/" },
		"a GPU":                         func(s *runtimev1.Spec) { s.Resources = &runtimev1.Resources{GPU: &gpu} },
		"a variable that is no name":    func(s *runtimev1.Spec) { s.Env = map[string]string{"a b": ""} },
		"a variable with a NUL":         func(s *runtimev1.Spec) { s.Env = map[string]string{"A": "\x00"} },
		"a label of the kernel's":       func(s *runtimev1.Spec) { s.Labels = map[string]string{"io.vexa.install": "x"} },
		"a label that is no name":       func(s *runtimev1.Spec) { s.Labels = map[string]string{"A": ""} },
		"a limit beyond all":            func(s *runtimev1.Spec) { s.Limits = &runtimev1.Limits{DiskMB: 1 << 53} },
		"a life beyond all":             func(s *runtimev1.Spec) { s.MaxLifetimeSec = new(1 << 53) },
		"an argument with a NUL":        func(s *runtimev1.Spec) { s.Argv = []string{"a\x00"} },
		"an image that is not built in": func(s *runtimev1.Spec) { s.Image = "builtin:other" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.opt.Images = func(name string) (runtime.Image, error) {
				if name == "builtin:other" {
					return runtime.Image{}, fault.New(fault.Invalid, "no such image", "")
				}
				return images(name)
			}
			k, stop := w.run()
			defer stop()
			spec := w.spec(unitA, "sleep")
			spoil(&spec)
			_, err := k.Create(t.Context(), spec, w.token(unitA))
			wantKind(t, err, fault.Invalid)
			if all := w.driver.All(); len(all) != 0 {
				t.Errorf("containers: %+v", all)
			}
		})
	}
}

// TestTheWayToTheRootMayBeALink: who configures the kernel is trusted, and
// /var/run is a link on many machines.
func TestTheWayToTheRootMayBeALink(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	alias := filepath.Join(t.TempDir(), "alias")
	if err := os.Symlink(w.root, alias); err != nil {
		t.Fatal(err)
	}
	target := w.root
	w.root, w.opt.Root = alias, alias
	k, stop := w.run()
	defer stop()
	w.create(k, w.spec(unitA, "sleep"))
	c, _ := w.driver.Spec(runtime.ContainerName(unitA))
	if want := filepath.Join(target, unitA, "ws", wsRW); c.Mounts[0].Source != want {
		t.Errorf("bound %s, want %s", c.Mounts[0].Source, want)
	}
}

type verifierFunc func(token, audience, unit string) (identityv1.DispatchToken, error)

func (f verifierFunc) Verify(token, audience, unit string) (identityv1.DispatchToken, error) {
	return f(token, audience, unit)
}

func (w *world) wantRefused(err error) {
	w.t.Helper()
	wantKind(w.t, err, fault.Denied)
	ctx, cancel := context.WithTimeout(w.t.Context(), 10*time.Second)
	defer cancel()
	if told := w.kernel.Refusals(ctx, ""); len(told) != 1 || told[0].Unit != unitA || told[0].Reason == "" {
		w.t.Errorf("reported: %+v, want one refusal of %s", told, unitA)
	}
	if all := w.driver.All(); len(all) != 0 {
		w.t.Errorf("containers: %+v", all)
	}
}

// replace puts something else at path.
func (w *world) replace(path string, with func(path string) error) {
	w.t.Helper()
	if err := os.RemoveAll(path); err != nil {
		w.t.Fatal(err)
	}
	if err := with(path); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) link(path, to string) {
	w.t.Helper()
	w.replace(path, func(path string) error { return os.Symlink(to, path) })
}

func mint(w *world, a minter, u unitv1.Unit, ttl time.Duration) string {
	w.t.Helper()
	token, err := a.Mint(u, nil, ttl)
	if err != nil {
		w.t.Fatal(err)
	}
	return token
}

type minter interface {
	Mint(u unitv1.Unit, models []string, ttl time.Duration, audience ...string) (string, error)
}
