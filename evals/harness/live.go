package harness

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/vexa-ai/vexa/pkg/client"
	"github.com/vexa-ai/vexa/pkg/home"
)

// Live is a running installation with a home of its own, for benchmarks.
type Live struct {
	Vexa    string   // the binary
	Env     []string // of its processes
	Install string   // install id
	Client  *client.Client
}

// NewLive builds vexa, makes an installation with the rehearsal and the example
// workspace field-notes, and takes it down when the benchmark ends.
func NewLive(b *testing.B) *Live {
	b.Helper()
	if err := podmanWorks(); err != nil {
		if slices.Contains(strings.Split(os.Getenv(EnvNeeds), ","), "podman") {
			b.Fatalf("%s requires podman: %v", EnvNeeds, err)
		}
		b.Skipf("needs podman: %v", err)
	}
	root := repository(b)
	dir := b.TempDir()
	l := &Live{Vexa: filepath.Join(build(b, root), "vexa"), Env: slices.Clone(os.Environ())}
	l.Env = append(l.Env, "VEXA_HOME="+dir, "VEXA_NO_INPUT=1")
	b.Cleanup(func() {
		tenancy{home: dir, vexa: l.Vexa, vars: l.Env}.leave(benchmark{b})
	})
	l.Run(b, "init", "--yes")
	l.Run(b, "workspace", "create", "field-notes", "--from", filepath.Join(root, "workspaces-example", "field-notes"))
	h, err := home.Open(func(name string) string {
		if name == "VEXA_HOME" {
			return dir
		}
		return os.Getenv(name)
	}, os.Getuid())
	if err != nil {
		b.Fatal(err)
	}
	l.Install = h.InstallID
	l.Client = client.New(client.Options{Socket: h.DaemonSocket()})
	if _, err := l.Client.Connect(context.Background()); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(l.Client.Close)
	return l
}

// Run runs vexa, which must succeed, and returns what it printed.
func (l *Live) Run(b *testing.B, args ...string) string {
	b.Helper()
	cmd := exec.Command(l.Vexa, args...)
	cmd.Env = l.Env
	out, err := cmd.CombinedOutput()
	if err != nil {
		b.Fatalf("vexa %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// benchmark makes a testing.B one who can be told of leftovers.
type benchmark struct{ *testing.B }

func (b benchmark) note(text string) { b.Log(text) }
