package server

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/vexa-ai/vexa/pkg/internal/unixhttp"
	"github.com/vexa-ai/vexa/pkg/runtime"
)

// Serve runs the kernel and answers on the socket until ctx ends. Containers
// go on running. Where another kernel holds the socket it is fault.Conflict.
func Serve(ctx context.Context, socket string, kernel *runtime.Kernel, log *slog.Logger) error {
	l, err := unixhttp.Listen(ctx, socket)
	if err != nil {
		return err
	}
	defer l.Close() //nolint:errcheck // the server closed it already
	life, cancel := context.WithCancel(ctx)
	defer cancel()
	ran := make(chan error, 1)
	go func() { ran <- kernel.Run(life) }()
	srv := &http.Server{
		Handler: New(kernel, log), ReadHeaderTimeout: 10 * time.Second,
		BaseContext: func(net.Listener) context.Context { return life },
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(l) }()
	log.InfoContext(ctx, "runtime kernel serves", "pid", os.Getpid())
	select {
	case err = <-served:
	case err = <-ran:
	case <-ctx.Done():
	}
	cancel()
	stopping, done := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer done()
	if e := srv.Shutdown(stopping); e != nil && !errors.Is(e, context.DeadlineExceeded) {
		err = errors.Join(err, e)
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}
