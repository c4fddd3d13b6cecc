package runtime_test

import (
	"maps"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vexa-ai/vexa/pkg/contract/identityv1"
	"github.com/vexa-ai/vexa/pkg/contract/runtimev1"
	"github.com/vexa-ai/vexa/pkg/runtime"
)

// FuzzLayout: whatever a spec says, what is bound lies beneath the unit's own
// directory or is the binary, goes where its kind belongs, and is writable only
// where the token says so.
func FuzzLayout(f *testing.F) {
	w := newWorld(f)
	for _, m := range w.spec(unitA).Mounts {
		f.Add(unitA, string(m.Kind), m.Source, m.Target, m.Workspace, m.ReadOnly)
	}
	w.spec(unitB)
	f.Add(unitA, "workspace", filepath.Join(w.root, unitB, "ws", wsRW), "/workspace", wsRW, false)
	f.Add("..", "workspace", "/", "/workspace", "..", false)
	layout, err := runtime.NewLayout(w.root, w.binary)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, id, kind, source, target, workspace string, readOnly bool) {
		binds, err := layout.Check(runtimev1.Spec{WorkloadID: id, Mounts: []runtimev1.Mount{
			{Kind: runtimev1.MountKind(kind), Source: source, Target: target, Workspace: workspace, ReadOnly: readOnly},
			{Kind: runtimev1.MountWorkspace, Source: filepath.Join(w.root, unitA, "ws", wsRO), Target: "/workspace", Workspace: wsRO, ReadOnly: true},
		}}, identityv1.DispatchToken{Unit: unitA, Details: []identityv1.Detail{
			{Type: "workspace", ID: wsRW, Mode: "rw"}, {Type: "workspace", ID: wsRO, Mode: "ro"},
		}})
		if err != nil {
			return
		}
		b := binds[0]
		own := filepath.Join(w.root, unitA) + "/"
		if id != unitA || b.Source != w.binary && !strings.HasPrefix(b.Source, own) || strings.Contains(b.Source, "..") {
			t.Errorf("unit %q: %q is bound", id, b.Source)
		}
		if !b.ReadOnly && b.Source != own+"ws/"+wsRW && b.Source != own+"session" {
			t.Errorf("%q is writable", b.Source)
		}
		if !strings.HasPrefix(b.Target, "/workspace") && !strings.HasPrefix(b.Target, "/.vexa/") {
			t.Errorf("bound at %q", b.Target)
		}
	})
}

// FuzzLabels: labels that are taken for whole are what the kernel would write.
func FuzzLabels(f *testing.F) {
	w := newWorld(f)
	k, err := runtime.New(w.opt)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(unitA, "agent", "60", "3600", "1", "4096", "ws/"+wsRW+",session")
	f.Add("../x", "agent", "-1", "99999999999999999999", "", "0", "../../etc")
	f.Fuzz(func(t *testing.T, unit, profile, idle, life, disk, base, writable string) {
		labels := map[string]string{
			runtime.LabelInstall: install, runtime.LabelUnit: unit, runtime.LabelProfile: profile, runtime.LabelIdle: idle,
			runtime.LabelMax: life, runtime.LabelDisk: disk, runtime.LabelDiskBase: base, runtime.LabelNames: base, runtime.LabelWritable: writable,
		}
		again, whole := k.Facts(labels)
		if !whole {
			return
		}
		twice, whole := k.Facts(again)
		if !whole || !maps.Equal(again, twice) {
			t.Errorf("got %v, then %v", again, twice)
		}
		for rel := range strings.SplitSeq(again[runtime.LabelWritable], ",") {
			if strings.Contains(rel, "..") || strings.HasPrefix(rel, "/") {
				t.Errorf("writable %q", rel)
			}
		}
	})
}

// FuzzEventID: no id is taken for a position that the kernel did not give.
func FuzzEventID(f *testing.F) {
	w := newWorld(f)
	k, err := runtime.New(w.opt)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(k.EventID(7))
	f.Add("0-0")
	f.Fuzz(func(t *testing.T, id string) {
		if n, ok := k.Position(id); ok && k.EventID(n) != id {
			t.Errorf("%q is taken for %q", id, k.EventID(n))
		}
	})
}
