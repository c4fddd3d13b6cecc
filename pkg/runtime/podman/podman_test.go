package podman_test

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/internal/require"
	"github.com/vexa-ai/vexa/pkg/runtime"
	"github.com/vexa-ai/vexa/pkg/runtime/image"
	"github.com/vexa-ai/vexa/pkg/runtime/podman"
	"github.com/vexa-ai/vexa/pkg/runtime/runtimetest"
)

// open returns a driver with its own API service.
func open(tb testing.TB) *podman.Driver {
	tb.Helper()
	require.Tool(tb, "podman")
	if os.Getuid() == 0 {
		require.Missing(tb, "podman", "the tests run as root; rootless Podman needs an ordinary user")
	}
	ctx, cancel := context.WithTimeout(tb.Context(), time.Minute)
	defer cancel()
	d, err := podman.New(ctx, podman.Options{
		RunDir: runDir(tb), Environ: os.Environ(), Log: slog.New(slog.NewTextHandler(tb.Output(), nil)),
	})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := d.Close(); err != nil {
			tb.Errorf("close: %v", err)
		}
	})
	return d
}

// runDir is a short private directory: a socket's path has 103 bytes.
func runDir(tb testing.TB) string {
	tb.Helper()
	dir, err := os.MkdirTemp("", "vx")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			tb.Error(err)
		}
	})
	return dir
}

func shellImage(tb testing.TB) runtime.Image {
	tb.Helper()
	img, err := image.Lookup(image.Prefix + image.Shell)
	if err != nil {
		require.Missing(tb, "busybox", err.Error())
	}
	return img
}

func TestPodmanIsADriver(t *testing.T) {
	t.Parallel()
	d := open(t)
	img := shellImage(t)
	runtimetest.Run(t, func(t *testing.T) runtimetest.Setup {
		t.Helper()
		work := filepath.Join(t.TempDir(), "ws")
		if err := os.Mkdir(work, 0o700); err != nil {
			t.Fatal(err)
		}
		sh := func(script string) []string { return []string{"/bin/sh", "-c", script} }
		return runtimetest.Setup{
			Driver: d, Image: img,
			Exit0: sh("exit 0"), Exit7: sh("exit 7"),
			Sleep:    sh(`trap "exit 3" TERM; : >/workspace/listens; while :; do sleep 60 & wait $!; done`),
			Stubborn: sh(`trap "" TERM; while :; do sleep 1; done`),
			Mounts:   []runtime.Bind{{Source: work, Target: runtime.TargetWorkspace}},
			Listens: func() bool {
				_, err := os.Stat(filepath.Join(work, "listens"))
				return err == nil
			},
		}
	})
}
