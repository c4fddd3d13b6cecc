package runtime

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"

	"github.com/vexa-ai/vexa/pkg/contract/identityv1"
	"github.com/vexa-ai/vexa/pkg/contract/runtimev1"
	"github.com/vexa-ai/vexa/pkg/contract/unitv1"
	"github.com/vexa-ai/vexa/pkg/fault"
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
var idPattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$`)

// Layout says where on the host each mount of a unit lies. Nothing else beneath
// the root may be mounted, and nothing outside it but the binary.
type Layout struct {
	Root   string // holds one directory for each unit
	Binary string // the vexa binary
}

// Unit is the directory of one unit.
func (l Layout) Unit(unit string) string { return filepath.Join(l.Root, unit) }

// Source is where the mount m of unit must come from.
func (l Layout) Source(unit string, m runtimev1.Mount) (string, bool) {
	dir := l.Unit(unit)
	switch m.Kind {
	case runtimev1.MountWorkspace:
		return filepath.Join(dir, "ws", m.Workspace), true
	case runtimev1.MountHistory:
		return filepath.Join(dir, "history", m.Workspace), true
	case runtimev1.MountSession:
		return filepath.Join(dir, "session"), true
	case runtimev1.MountRun:
		return filepath.Join(dir, "run"), true
	case runtimev1.MountBin:
		return l.Binary, true
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
	source, ok := l.Source(unit, m)
	if !ok || m.Source != source {
		return Bind{}, denied("mount %s does not come from where its kind and dispatch prescribe", m.Target)
	}
	if !target(m) {
		return Bind{}, denied("mount %s is not where kind %s belongs", m.Target, m.Kind)
	}
	if err := modes(m, token); err != nil {
		return Bind{}, err
	}
	if err := plain(source, m.Kind == runtimev1.MountBin); err != nil {
		return Bind{}, err
	}
	return Bind{
		Source: source, Target: m.Target, ReadOnly: m.ReadOnly,
		NoExec: m.Kind == runtimev1.MountHistory || m.Kind == runtimev1.MountRun,
	}, nil
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

// plain verifies that path exists, is what it should be, and that no component
// of it is a symbolic link. No container can write to any directory above a
// mount's source, so what holds now holds when the engine binds it.
func plain(path string, file bool) error {
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return denied("the source of a mount cannot be read: %v", cause(err))
	}
	if real != path {
		return denied("the source of a mount is reached through a symbolic link")
	}
	info, err := os.Lstat(path)
	switch {
	case err != nil:
		return denied("the source of a mount cannot be read: %v", cause(err))
	case file && !info.Mode().IsRegular(), !file && !info.IsDir():
		return denied("the source of a mount is not a %s", map[bool]string{true: "regular file", false: "directory"}[file])
	}
	return nil
}

// cause strips the path off an error: host paths stay out of messages.
func cause(err error) error {
	if pe, ok := err.(*fs.PathError); ok { //nolint:errorlint // only the outermost is a path's
		return pe.Err
	}
	return err
}

func denied(format string, args ...any) *fault.Error {
	return fault.Newf(fault.Denied, format, args...)
}
