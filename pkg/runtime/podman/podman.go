// Package podman is the runtime.Driver over rootless Podman.
//
// It speaks Podman's REST API (libpod) through the core of Podman's Go
// bindings, with small requests of its own. It finds the user's API socket, or
// runs the API service itself for as long as it lives; nothing has to be
// installed, enabled or configured, and no global file is touched.
//
// The boundary of a container is set here, in full, and nothing in a
// runtime.Container can weaken it: see [boundary]. What depends on the machine
// is detected: where control groups are not version 2, pids, memory and cpu
// cannot be limited (the processes limit holds all the same) and runc is used,
// because crun does not start there.
package podman

import (
	"context"
	_ "embed"
	"errors"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/internal/atomicfile"
	"github.com/vexa-ai/vexa/pkg/runtime"
)

//go:embed seccomp.json
var seccompProfile []byte

// hosts is /etc/hosts in a container: the host's own names are not for agents.
const hosts = "127.0.0.1 localhost\n::1 localhost\n"

// probeTimeout bounds the question whether a socket is served. A socket unit
// starts the service at the first connection, so it is not short.
const probeTimeout = 10 * time.Second

// Options configure a driver. RunDir is required.
type Options struct {
	// RunDir is a private directory for the service's socket and the files that
	// containers are given. It lives as long as the installation's runtime folder.
	RunDir string
	// URI is a Podman API socket to be used and no other, as in
	// "unix:///run/user/1000/podman/podman.sock". Only sockets of this machine can
	// be used, since mounts are paths of this machine.
	URI string
	// UserSocket is the path of the user's API socket, used where it answers.
	UserSocket string
	// Program is the podman that serves the API where there is no socket; "": from PATH.
	Program string
	// Environ is the environment of that service, as in os.Environ. Proxies and
	// Podman's own connection variables are taken out.
	Environ []string
	// AllowRootful permits a Podman that runs as root, whose containers are
	// separated from the host by less.
	AllowRootful bool
	Log          *slog.Logger // default: none
}

// Driver is the adapter. Make one with New and Close it.
type Driver struct {
	conn    *conn
	service *service // nil where the socket is another's
	host    host
	seccomp string // path of the profile
	hosts   string // path of the hosts file
	log     *slog.Logger

	importing sync.Mutex    // one image import at a time
	creating  chan struct{} // capacity 1: one create at a time

	finding sync.Mutex
	spaces  map[string]pidSpace // of container ids
}

var (
	_ runtime.Driver = (*Driver)(nil)
	_ runtime.Pauser = (*Driver)(nil)
	_ runtime.Finder = (*Driver)(nil)
)

// New connects to Podman, starting its API service where there is none, and
// learns what the machine can do. A missing or silent Podman is
// fault.Unavailable; a rootful one is fault.Denied unless it is allowed. ctx
// bounds the call, not the driver's life.
func New(ctx context.Context, opt Options) (_ *Driver, err error) {
	if !filepath.IsAbs(opt.RunDir) {
		return nil, errors.New("podman: RunDir must be an absolute path")
	}
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	logrus.SetOutput(io.Discard) // the bindings log through its global logger, to standard error
	d := &Driver{log: opt.Log, creating: make(chan struct{}, 1), seccomp: filepath.Join(opt.RunDir, "seccomp.json"), hosts: filepath.Join(opt.RunDir, "hosts")}
	if err := errors.Join(
		atomicfile.WriteFile(d.seccomp, seccompProfile, 0o600),
		atomicfile.WriteFile(d.hosts, []byte(hosts), 0o644),
	); err != nil {
		return nil, err
	}
	if err := d.connect(ctx, opt); err != nil {
		return nil, err
	}
	if err := d.learn(ctx, opt.AllowRootful); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

// Close ends the API service if this driver started it. Containers go on. It
// is called once.
func (d *Driver) Close() error {
	if d.conn != nil {
		d.conn.Client.CloseIdleConnections()
	}
	d.finding.Lock()
	defer d.finding.Unlock()
	var errs []error
	for _, space := range d.spaces {
		errs = append(errs, space.held.Close())
	}
	d.spaces = nil
	if d.service != nil {
		errs = append(errs, d.service.stop())
	}
	return errors.Join(errs...)
}

// connect finds a socket that answers, or makes one.
func (d *Driver) connect(ctx context.Context, opt Options) (err error) {
	if opt.URI != "" {
		if !strings.HasPrefix(opt.URI, "unix:///") {
			return fault.New(fault.Invalid, "the Podman socket "+opt.URI+" is not one of this machine", "unset CONTAINER_HOST")
		}
		d.conn, err = dial(ctx, opt.URI)
		return err
	}
	if opt.UserSocket != "" {
		if info, err := os.Stat(opt.UserSocket); err == nil && info.Mode().Type() == os.ModeSocket {
			probe, cancel := context.WithTimeout(ctx, probeTimeout)
			defer cancel()
			if d.conn, err = dial(probe, "unix://"+opt.UserSocket); err == nil {
				return nil
			}
			opt.Log.WarnContext(ctx, "the user's podman socket does not answer", "error", err.Error())
		}
	}
	program := opt.Program
	if program == "" {
		if program, err = exec.LookPath("podman"); err != nil {
			return fault.New(fault.Unavailable, "podman is not installed", "run vexa doctor --fix")
		}
	}
	socket := filepath.Join(opt.RunDir, "podman.sock")
	if d.service, err = serve(ctx, program, socket, opt); err != nil {
		return err
	}
	if d.conn, err = dial(ctx, "unix://"+socket); err != nil {
		return errors.Join(err, d.service.stop())
	}
	return nil
}

// Connection says which socket is used and whether this driver serves it.
func (d *Driver) Connection() (uri string, own bool) {
	return d.conn.URI.String(), d.service != nil
}
