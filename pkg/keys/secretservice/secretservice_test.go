package secretservice

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/internal/require"
	"github.com/vexa-ai/vexa/pkg/keys/keyringtest"
)

// config is a bus that starts nothing by itself.
const config = `<busconfig><type>session</type><listen>unix:path=DIR/bus</listen><policy context="default">
<allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy></busconfig>`

// bus starts a session bus of its own and returns its environment.
func bus(t *testing.T) map[string]string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "vx")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	file := filepath.Join(dir, "bus.conf")
	if err := os.WriteFile(file, []byte(strings.Replace(config, "DIR", dir, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(require.Tool(t, "dbus-daemon"), "--config-file="+file, "--nofork", "--nopidfile", "--print-address=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	run(t, cmd)
	address, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return map[string]string{"DBUS_SESSION_BUS_ADDRESS": strings.TrimSpace(address), "HOME": dir, "XDG_RUNTIME_DIR": dir, "XDG_DATA_HOME": dir}
}

// run starts a program that ends with the test.
func run(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
}

// gnome starts a keyring with an unlocked collection on the bus.
func gnome(t *testing.T, env map[string]string) {
	t.Helper()
	cmd := exec.Command(require.Tool(t, "gnome-keyring-daemon"), "--foreground", "--unlock", "--components=secrets")
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
	for name, value := range env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	cmd.Stdin = strings.NewReader("login")
	run(t, cmd)
	k := New(func(name string) string { return env[name] })
	deadline := time.After(20 * time.Second)
	for tick := time.NewTicker(20 * time.Millisecond); ; {
		var collection dbus.ObjectPath
		err := k.with(t.Context(), answerTime, func(ctx context.Context, s session) error {
			return s.call(ctx, root, ifService+"ReadAlias", "default").Store(&collection)
		})
		if err == nil && collection != nothing {
			return
		}
		select {
		case <-deadline:
			t.Fatalf("the keyring does not come up: %q, %v", collection, err)
		case <-tick.C:
		}
	}
}

func TestGNOMEKeyring(t *testing.T) {
	t.Parallel()
	env := bus(t)
	gnome(t, env)
	k := New(func(name string) string { return env[name] })
	keyringtest.Suite(t, k, func() {
		err := k.with(t.Context(), answerTime, func(ctx context.Context, s session) error {
			var collection, prompt dbus.ObjectPath
			var locked []dbus.ObjectPath
			if err := s.call(ctx, root, ifService+"ReadAlias", "default").Store(&collection); err != nil {
				return err
			}
			return s.call(ctx, root, ifService+"Lock", []dbus.ObjectPath{collection}).Store(&locked, &prompt)
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}

func TestMemory(t *testing.T) {
	t.Parallel()
	m := &keyringtest.Memory{}
	keyringtest.Suite(t, m, m.Lock)
}

// Where there is no bus, or no keyring on it, that is said at once, and nothing
// is started.
func TestNoKeyring(t *testing.T) {
	t.Parallel()
	empty := bus(t)
	planted := t.TempDir()
	for name, env := range map[string]map[string]string{
		"nothing":          {},
		"no socket":        {"XDG_RUNTIME_DIR": planted},
		"a relative one":   {"XDG_RUNTIME_DIR": "."},
		"a bus that ended": {"DBUS_SESSION_BUS_ADDRESS": "unix:path=" + filepath.Join(planted, "bus")},
		"a program":        {"DBUS_SESSION_BUS_ADDRESS": "unixexec:path=/bin/touch,argv1=" + filepath.Join(planted, "ran")},
		"the network":      {"DBUS_SESSION_BUS_ADDRESS": "tcp:host=127.0.0.1,port=1"},
		"no keyring":       empty,
		"by its folder":    {"XDG_RUNTIME_DIR": empty["XDG_RUNTIME_DIR"]},
	} {
		k := New(func(name string) string { return env[name] })
		if _, err := k.Get(t.Context(), "a", true); !fault.Is(err, fault.NotFound) || fault.HintOf(err) == "" {
			t.Errorf("%s: %v", name, err)
		}
		if err := k.Put(t.Context(), "a", []byte("x")); !fault.Is(err, fault.NotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if left, err := os.ReadDir(planted); err != nil || len(left) > 0 {
		t.Errorf("something ran: %v, %v", left, err)
	}
}
