package home

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/vexa-ai/vexa/pkg/fault"
)

func env(kv map[string]string) Env { return func(name string) string { return kv[name] } }

func TestOpenIsStableAndPrivate(t *testing.T) {
	t.Parallel()
	e := env(map[string]string{"VEXA_HOME": filepath.Join(t.TempDir(), "v"), "XDG_RUNTIME_DIR": t.TempDir(), "VEXA_PLAINTEXT_DIR": t.TempDir()})
	first, err := Open(e, os.Getuid())
	if err != nil {
		t.Fatal(err)
	}
	second, err := Open(e, os.Getuid())
	if err != nil {
		t.Fatal(err)
	}
	if first != second {
		t.Fatalf("two opens differ: %+v and %+v", first, second)
	}
	for _, dir := range []string{first.Config, first.Data, first.State, first.Run, first.Plain} {
		st, err := os.Stat(dir)
		if err != nil {
			t.Fatal(err)
		}
		if st.Mode().Perm() != 0o700 {
			t.Errorf("%s has mode %o", dir, st.Mode().Perm())
		}
	}
}

func TestTwoHomesShareNothing(t *testing.T) {
	t.Parallel()
	run, plain := t.TempDir(), t.TempDir()
	open := func(root string) Home {
		h, err := Open(env(map[string]string{"VEXA_HOME": root, "XDG_RUNTIME_DIR": run, "VEXA_PLAINTEXT_DIR": plain}), os.Getuid())
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	a, b := open(t.TempDir()), open(t.TempDir())
	if a.InstallID == b.InstallID || a.Run == b.Run || a.Plain == b.Plain || a.DaemonSocket() == b.DaemonSocket() {
		t.Fatalf("homes share something: %+v and %+v", a, b)
	}
}

func TestInstallIDHasOneMaker(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "install-id")
	ids := make([]string, 16)
	var wg sync.WaitGroup
	for i := range ids {
		wg.Go(func() {
			id, err := installID(path)
			if err != nil {
				t.Error(err)
			}
			ids[i] = id
		})
	}
	wg.Wait()
	for _, id := range ids {
		if id != ids[0] {
			t.Fatalf("several ids: %v", ids)
		}
	}
}

func TestOpenRefusesForeignDirectories(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	if _, err := private(filepath.Join(base, "ours")); err != nil {
		t.Fatal(err)
	}
	open := filepath.Join(base, "open")
	if err := os.Mkdir(open, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(open, 0o755); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(base, "link")
	if err := os.Symlink(t.TempDir(), link); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{open, link} {
		if _, err := private(dir); !fault.Is(err, fault.Denied) {
			t.Errorf("%s was accepted: %v", dir, err)
		}
	}
}

func TestLongRuntimeFolderIsNamed(t *testing.T) {
	t.Parallel()
	long := filepath.Join(t.TempDir(), strings.Repeat("x", 90))
	_, err := Open(env(map[string]string{"VEXA_HOME": t.TempDir(), "XDG_RUNTIME_DIR": long, "VEXA_PLAINTEXT_DIR": t.TempDir()}), os.Getuid())
	if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), long) || fault.HintOf(err) == "" {
		t.Fatalf("got %v", err)
	}
}

func TestWithoutHome(t *testing.T) {
	t.Parallel()
	if _, err := Open(env(nil), os.Getuid()); !fault.Is(err, fault.Invalid) {
		t.Fatalf("got %v", err)
	}
	h, err := locate(env(map[string]string{"HOME": "/home/jane", "XDG_STATE_HOME": "/s"}))
	if err != nil {
		t.Fatal(err)
	}
	if h.Data != "/home/jane/.local/share/vexa" || h.Config != "/home/jane/.config/vexa" || h.State != "/s/vexa" || h.Root != h.Data {
		t.Fatalf("got %+v", h)
	}
}
