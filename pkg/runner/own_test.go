package runner_test

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/runner"
	"github.com/vexa-ai/vexa/runners"
)

// catalog is what ships and nothing else, as the daemon has it.
func catalog(t *testing.T) *runner.Catalog {
	t.Helper()
	c, err := runner.Load(runners.FS)
	if err != nil {
		t.Fatal(err)
	}
	if broken := c.Own(os.DirFS(filepath.Join(t.TempDir(), "none"))); len(broken) != 0 {
		t.Fatal(broken)
	}
	return c
}

// ownFiles are those of a runner that is a copy of one that ships.
func ownFiles(t *testing.T, name, ref string) runner.Files {
	t.Helper()
	m := shipped(t, "claude-code")
	m.Name, m.Image.Ref = name, ref
	return runner.Files{Manifest: manifestFile(t, m).Data}
}

// TestAnImageIsOneRunnersAlone: what is made of an own manifest must not be what
// another runner starts.
func TestAnImageIsOneRunnersAlone(t *testing.T) {
	t.Parallel()
	theirs := shipped(t, "claude-code").Image.Ref
	repository, _, _ := strings.Cut(theirs, ":")
	c, dir := catalog(t), t.TempDir()
	for _, ref := range []string{"localhost/tool:1", "localhost/tool:2", "localhost/other"} {
		if _, err := c.Add(dir, ownFiles(t, "tool", ref), true); err != nil {
			t.Errorf("a name that is free: %v", err)
		}
	}
	for name, bad := range map[string]runner.Files{
		"another name, one that ships":   ownFiles(t, "nice-tool", theirs),
		"the name of one that ships":     ownFiles(t, "claude-code", theirs),
		"a version to come":              ownFiles(t, "claude-code", repository+":99"),
		"the latest of one that ships":   ownFiles(t, "nice-tool", repository),
		"built in: empty":                ownFiles(t, "nice-tool", "localhost/vexa/empty:0123456789ab"),
		"built in: shell":                ownFiles(t, "nice-tool", "localhost/vexa/shell:0123456789ab"),
		"another of the person's own":    ownFiles(t, "nice-tool", "localhost/other:latest"),
		"another of the person's own, 2": ownFiles(t, "claude-code", "localhost/other"),
	} {
		if m, err := c.Add(dir, bad, true); !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), m.Image.Ref) || !strings.Contains(fault.HintOf(err), "localhost/my-"+m.Name) {
			t.Errorf("%s: %v (%s)", name, err, fault.HintOf(err))
		}
	}
	for name, good := range map[string]string{"claude-code": "localhost/my-claude-code:1", "by-digest": theirs + "@sha256:" + strings.Repeat("0a", 32)} {
		if _, err := c.Add(dir, ownFiles(t, name, good), false); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := c.CheckImage(name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := c.Remove(dir, "claude-code"); err != nil {
		t.Fatal(err)
	}
	if err := c.CheckImage("claude-code"); err != nil {
		t.Errorf("the one that ships: %v", err)
	}
}

// TestAReplacedRunnerIsOneOrTheOther: whoever looks, and whenever a replacement is
// killed, there is no manifest with the lock of another.
func TestAReplacedRunnerIsOneOrTheOther(t *testing.T) {
	t.Parallel()
	c, dir := catalog(t), t.TempDir()
	pair := func(n string) runner.Files {
		f := ownFiles(t, "tool", "localhost/tool:"+n)
		f.Lock = []byte(n)
		return f
	}
	if _, err := c.Add(dir, pair("0"), false); err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	var looks sync.WaitGroup
	looks.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			at, err := os.OpenRoot(filepath.Join(dir, "tool")) // one directory, whatever takes its place
			if err != nil {
				t.Error(err)
				return
			}
			manifest, manifestErr := at.ReadFile(runner.ManifestFile)
			lock, lockErr := at.ReadFile(runner.LockFile)
			if manifestErr == nil && lockErr == nil && !strings.Contains(string(manifest), `"localhost/tool:`+string(lock)+`"`) {
				t.Errorf("the lock %s beside %s", lock, manifest)
			}
			if err := at.Close(); err != nil {
				t.Error(err)
			}
		}
	})
	for n := range 25 {
		if _, err := c.Add(dir, pair(strconv.Itoa(n)), true); err != nil {
			t.Fatal(err)
		}
	}
	close(stop)
	looks.Wait()
	if _, err := c.Add(dir, ownFiles(t, "tool", "localhost/tool:last"), true); err != nil {
		t.Fatal(err)
	}
	if entries, err := os.ReadDir(filepath.Join(dir, "tool")); err != nil || len(entries) != 1 {
		t.Errorf("without a lock there are %v, %v", entries, err)
	}
	// What a killed one left is no runner, and goes with the next.
	if err := os.Rename(filepath.Join(dir, "tool"), filepath.Join(dir, ".new-1")); err != nil {
		t.Fatal(err)
	}
	if broken := catalog(t).Own(os.DirFS(dir)); len(broken) != 0 {
		t.Errorf("what was left is broken: %v", broken)
	}
	if _, err := c.Add(dir, pair("1"), true); err != nil {
		t.Fatal(err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}
