package main

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/vexa-ai/vexa/pkg/daemon"
	"github.com/vexa-ai/vexa/pkg/failpoint"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/home"
	"github.com/vexa-ai/vexa/pkg/identity"
	"github.com/vexa-ai/vexa/pkg/runtime"
	"github.com/vexa-ai/vexa/pkg/runtime/image"
	"github.com/vexa-ai/vexa/pkg/runtime/podman"
	"github.com/vexa-ai/vexa/pkg/runtime/server"
)

func runtimeServeCmd() *cobra.Command {
	return &cobra.Command{
		Use: "serve", Short: "Serve the runtime kernel", Args: cobra.NoArgs,
		Long: "Serve the runtime kernel in the foreground: the one process that holds a Podman connection.\n" +
			"The daemon starts it by itself.",
		Example: "$ vexa runtime serve",
		RunE:    func(cmd *cobra.Command, _ []string) error { return serveRuntime(cmd.Context()) },
	}
}

func serveRuntime(ctx context.Context) error {
	syscall.Umask(0o077)
	log := newLog()
	h, err := home.Open(os.Getenv, os.Getuid())
	if err != nil {
		return err
	}
	if err := os.MkdirAll(h.Units(), 0o700); err != nil {
		return err
	}
	driver, err := succeed(ctx, answers(ctx, h.RuntimeSocket()), func() (*podman.Driver, error) {
		return podman.New(ctx, podman.Options{
			RunDir: h.Run, URI: chosenSocket(os.Getenv), UserSocket: userSocket(os.Getenv), Environ: os.Environ(), Log: log,
		})
	})
	if err != nil {
		return err
	}
	defer driver.Close() //nolint:errcheck // the process ends
	self, err := os.Executable()
	if err != nil {
		return err
	}
	verifier, err := tokenVerifier(h)
	if err != nil {
		return err
	}
	kernel, err := runtime.New(runtime.Options{
		Version: version().Version, Install: h.InstallID, Root: h.Units(), Binary: self, Driver: driver,
		Verifier: verifier, Images: image.NewCache(image.Source{}, time.Now).Lookup, Log: log,
		Failpoints: failpoint.New(os.Getenv(failpoint.Env)),
	})
	if err != nil {
		return err
	}
	return server.Serve(ctx, h.RuntimeSocket(), kernel, log)
}

// succeed opens what one kernel at a time may have. Another that serves is fault.Conflict at
// once; one that serves no more and holds it still is about to end, and waited for.
func succeed[T any](ctx context.Context, serves func() bool, open func() (T, error)) (T, error) {
	for end := time.Now().Add(daemon.KernelEnds); ; {
		opened, err := open()
		if !fault.Is(err, fault.Conflict) || serves() || time.Now().After(end) {
			return opened, err
		}
		select {
		case <-ctx.Done():
			return opened, err
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// answers reports whether somebody serves a socket.
func answers(ctx context.Context, socket string) func() bool {
	return func() bool {
		conn, err := (&net.Dialer{}).DialContext(ctx, "unix", socket)
		return err == nil && conn.Close() == nil
	}
}

// tokenVerifier is the kernel's.
func tokenVerifier(h home.Home) (*identity.Published, error) {
	clock, err := tokenClock(h)
	if err != nil {
		return nil, err
	}
	return identity.NewPublished(issuer(h), publicKeyPath(h), clock), nil
}

// chosenSocket is the Podman socket that the person named: CONTAINER_HOST
// counts only where VEXA_CONTAINER_HOST says so.
func chosenSocket(env home.Env) string { return env("VEXA_CONTAINER_HOST") }

// userSocket is where the user's own Podman service listens, if it does.
func userSocket(env home.Env) string {
	dir := env("XDG_RUNTIME_DIR")
	if dir == "" {
		return ""
	}
	return filepath.Join(dir, "podman", "podman.sock")
}
