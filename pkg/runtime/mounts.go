package runtime

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/vexa-ai/vexa/pkg/contract/identityv1"
	"github.com/vexa-ai/vexa/pkg/contract/runtimev1"
	"github.com/vexa-ai/vexa/pkg/contract/unitv1"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/internal/textform"
)

// Places of the mounts in the container.
const (
	TargetWorkspace  = "/workspace"   // the first workspace, the working directory
	TargetWorkspaces = "/workspaces/" // the others, by id
	TargetHistory    = "/.vexa/history/"
	TargetSession    = "/.vexa/session"
	TargetRun        = "/.vexa/run"
	TargetBinary     = "/.vexa/bin/vexa"
)

// idPattern is what a unit's or workspace's id must look like before it becomes
// part of a path, a label or a container's name.
var idPattern = textform.Name{First: textform.Alnum, Rest: textform.Alnum + "_-", Max: 64}

// Layout says where on the host each mount of a unit lies. Nothing else beneath
// the root may be mounted, and nothing outside it but the binary.
//
//	ROOT/UNIT/ws/WORKSPACE        workspace  /workspace or /workspaces/WORKSPACE
//	ROOT/UNIT/history/WORKSPACE   history    /.vexa/history/WORKSPACE, read-only
//	ROOT/UNIT/session             session    /.vexa/session
//	ROOT/UNIT/run                 run        /.vexa/run, read-only
//	the vexa binary               bin        /.vexa/bin/vexa, read-only
type Layout struct {
	root, binary         string // as configured: what a spec names
	realRoot, realBinary string // without symbolic links: what is bound
}

// NewLayout returns the layout beneath root, which holds one directory for each
// unit, with the given vexa binary. Both must exist; the way to them may lead
// through symbolic links, for who configures the kernel is trusted.
func NewLayout(root, binary string) (Layout, error) {
	l := Layout{root: filepath.Clean(root), binary: filepath.Clean(binary)}
	if !filepath.IsAbs(root) || !filepath.IsAbs(binary) {
		return Layout{}, fault.New(fault.Invalid, "the root of the units and the vexa binary must be absolute paths", "")
	}
	var err error
	if l.realRoot, err = filepath.EvalSymlinks(l.root); err != nil {
		return Layout{}, fault.Newf(fault.Invalid, "root of the units: %w", err)
	}
	if l.realBinary, err = filepath.EvalSymlinks(l.binary); err != nil {
		return Layout{}, fault.Newf(fault.Invalid, "vexa binary: %w", err)
	}
	info, err := os.Stat(l.realBinary)
	if err != nil || !info.Mode().IsRegular() {
		return Layout{}, fault.New(fault.Invalid, "the vexa binary is not a regular file", "")
	}
	return l, nil
}

// place is where a mount of unit lies, relative to the unit's directory.
func place(m runtimev1.Mount) (string, bool) {
	switch m.Kind {
	case runtimev1.MountWorkspace:
		return filepath.Join("ws", m.Workspace), true
	case runtimev1.MountHistory:
		return filepath.Join("history", m.Workspace), true
	case runtimev1.MountSession:
		return "session", true
	case runtimev1.MountRun:
		return "run", true
	default:
		return "", false
	}
}

// target reports whether m may be mounted at its target.
func target(m runtimev1.Mount) bool {
	switch m.Kind {
	case runtimev1.MountWorkspace:
		return m.Target == TargetWorkspace || m.Target == TargetWorkspaces+m.Workspace
	case runtimev1.MountHistory:
		return m.Target == TargetHistory+m.Workspace
	case runtimev1.MountSession:
		return m.Target == TargetSession
	case runtimev1.MountRun:
		return m.Target == TargetRun
	case runtimev1.MountBin:
		return m.Target == TargetBinary
	default:
		return false
	}
}

// Check verifies every mount of spec against the layout and the token, and
// returns what to bind. The first breach is fault.Denied and names the mount by
// its target. The token itself has been verified already.
func (l Layout) Check(spec runtimev1.Spec, token identityv1.DispatchToken) ([]Bind, error) {
	if token.Unit != spec.WorkloadID {
		return nil, denied("the token belongs to another dispatch")
	}
	var binds []Bind
	targets := map[string]bool{}
	sources := map[string]bool{}
	for _, m := range spec.Mounts {
		b, err := l.check(spec.WorkloadID, m, token)
		if err != nil {
			return nil, err
		}
		if targets[b.Target] || sources[b.Source] {
			return nil, denied("mount %s is given twice", b.Target)
		}
		targets[b.Target], sources[b.Source] = true, true
		binds = append(binds, b)
	}
	if !targets[TargetWorkspace] {
		return nil, denied("no workspace is mounted at %s", TargetWorkspace)
	}
	return binds, nil
}

func (l Layout) check(unit string, m runtimev1.Mount, token identityv1.DispatchToken) (Bind, error) {
	named := m.Kind == runtimev1.MountWorkspace || m.Kind == runtimev1.MountHistory
	if named != (m.Workspace != "") || named && !idPattern.MatchString(m.Workspace) {
		return Bind{}, denied("mount %s names its workspace wrongly", m.Target)
	}
	if !target(m) {
		return Bind{}, denied("mount %s is not where kind %s belongs", m.Target, m.Kind)
	}
	if err := modes(m, token); err != nil {
		return Bind{}, err
	}
	b := Bind{Target: m.Target, ReadOnly: m.ReadOnly, NoExec: m.Kind == runtimev1.MountHistory || m.Kind == runtimev1.MountRun}
	if m.Kind == runtimev1.MountBin {
		if m.Source != l.binary {
			return Bind{}, denied("mount %s is not this kernel's own binary", m.Target)
		}
		b.Source = l.realBinary
		return b, nil
	}
	rel, ok := place(m)
	if !ok || m.Source != filepath.Join(l.root, unit, rel) {
		return Bind{}, denied("mount %s does not come from where its kind and dispatch prescribe", m.Target)
	}
	b.Source = filepath.Join(l.realRoot, unit, rel)
	return b, plain(b.Source)
}

// modes verifies that m is no more writable than its kind and the token allow.
func modes(m runtimev1.Mount, token identityv1.DispatchToken) error {
	switch m.Kind {
	case runtimev1.MountWorkspace, runtimev1.MountHistory:
		mode := granted(token, m.Workspace)
		if mode == "" {
			return denied("the token does not grant the workspace of mount %s", m.Target)
		}
		if m.Kind == runtimev1.MountHistory && !m.ReadOnly || !m.ReadOnly && mode != unitv1.ReadWrite {
			return denied("the token does not grant mount %s for writing", m.Target)
		}
	case runtimev1.MountRun, runtimev1.MountBin:
		if !m.ReadOnly {
			return denied("mount %s must be read-only", m.Target)
		}
	case runtimev1.MountSession: // its own unit's, always writable
	}
	return nil
}

// granted returns the mode in which token grants a workspace, "" for not at all.
func granted(token identityv1.DispatchToken, workspace string) unitv1.Mode {
	var mode unitv1.Mode
	for _, d := range token.Details {
		if d.Type != "workspace" || d.ID != workspace {
			continue
		}
		switch unitv1.Mode(d.Mode) {
		case unitv1.ReadWrite:
			return unitv1.ReadWrite
		case unitv1.ReadOnly:
			mode = unitv1.ReadOnly
		}
	}
	return mode
}

// plain verifies that path is a directory and that no component of it is a
// symbolic link. No container can write to any directory above a mount's
// source, so what holds now holds when the engine binds it.
func plain(path string) error {
	resolved, err := filepath.EvalSymlinks(path)
	if err != nil {
		return denied("the source of a mount cannot be read: %w", cause(err))
	}
	if resolved != path {
		return denied("the source of a mount is reached through a symbolic link")
	}
	info, err := os.Lstat(path)
	if err != nil {
		return denied("the source of a mount cannot be read: %w", cause(err))
	}
	if !info.IsDir() {
		return denied("the source of a mount is not a directory")
	}
	return nil
}

// cause strips the path off an error: host paths stay out of messages.
func cause(err error) error {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return pe.Err
	}
	return err
}

func denied(format string, args ...any) *fault.Error {
	return fault.Newf(fault.Denied, format, args...)
}
