// Package home lays out the files of one installation.
//
// VEXA_HOME moves all durable state; without it the XDG base directories are
// used. Every home has an install id, carried by its runtime folder, sockets,
// containers and labels, so that installations never touch each other.
package home

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/vexa-ai/vexa/pkg/fault"
)

// MaxSocketPath is the longest usable path of a Unix socket (sun_path less its
// final NUL, on the shortest platform).
const MaxSocketPath = 103

// Home is the layout of one installation. All paths are absolute.
type Home struct {
	Root      string // what VEXA_HOME says; without it Data
	Config    string // providers, user manifests
	Data      string // keys, workspaces: what a backup must hold
	State     string // journals
	Cache     string // what can be downloaded again
	Run       string // sockets, pid files; gone after a reboot
	Plain     string // memory-backed working copies; gone after a reboot
	InstallID string // 12 lower-case hex digits
}

// Env reads one environment variable; os.Getenv in production.
type Env func(string) string

// Open finds the home and creates its directories, 0700, and its install id
// where they are missing. It is safe to call from several processes at once.
func Open(env Env, uid int) (Home, error) {
	h, err := locate(env)
	if err != nil {
		return Home{}, err
	}
	for _, dir := range []string{h.Config, h.Data, h.State} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return Home{}, fault.New(fault.Denied, "cannot create "+dir+": "+err.Error(), "set VEXA_HOME to a directory you own")
		}
	}
	if h.InstallID, err = installID(filepath.Join(h.Data, "install-id")); err != nil {
		return Home{}, err
	}
	if h.Run, err = runDir(env, uid, h.InstallID); err != nil {
		return Home{}, err
	}
	if h.Plain, err = plainDir(env, uid, h.InstallID, h.Run); err != nil {
		return Home{}, err
	}
	if n := len(h.RuntimeSocket()); n > MaxSocketPath {
		return Home{}, fault.New(fault.Invalid, "the runtime folder "+h.Run+" is too long for a Unix socket",
			"set XDG_RUNTIME_DIR to a shorter path")
	}
	return h, nil
}

func locate(env Env) (Home, error) {
	if root := env("VEXA_HOME"); root != "" {
		abs, err := filepath.Abs(root)
		if err != nil {
			return Home{}, err
		}
		return Home{
			Root:   abs,
			Config: filepath.Join(abs, "config"),
			Data:   filepath.Join(abs, "data"),
			State:  filepath.Join(abs, "state"),
			Cache:  filepath.Join(abs, "cache"),
		}, nil
	}
	user := env("HOME")
	if user == "" {
		return Home{}, fault.New(fault.Invalid, "neither VEXA_HOME nor HOME is set", "set VEXA_HOME")
	}
	xdg := func(name, fallback string) string {
		if v := env(name); filepath.IsAbs(v) {
			return filepath.Join(v, "vexa")
		}
		return filepath.Join(user, fallback, "vexa")
	}
	data := xdg("XDG_DATA_HOME", ".local/share")
	return Home{
		Root:   data,
		Config: xdg("XDG_CONFIG_HOME", ".config"),
		Data:   data,
		State:  xdg("XDG_STATE_HOME", ".local/state"),
		Cache:  xdg("XDG_CACHE_HOME", ".cache"),
	}, nil
}

// installID reads the id or makes one; link(2) lets exactly one maker win.
func installID(path string) (string, error) {
	for {
		data, err := os.ReadFile(path)
		if err == nil {
			id := strings.TrimSpace(string(data))
			if len(id) != 12 {
				return "", fault.New(fault.Invalid, path+" does not hold an install id", "restore it from a backup")
			}
			return id, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
		if err := writeInstallID(path); err != nil {
			return "", err
		}
	}
}

func writeInstallID(path string) error {
	var b [6]byte
	if _, err := rand.Read(b[:]); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), ".install-id-*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name()) //nolint:errcheck // a leftover temporary file is harmless
	_, err = tmp.WriteString(hex.EncodeToString(b[:]) + "\n")
	if err = errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	if err := os.Link(tmp.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

// DaemonSocket is where the daemon listens.
func (h Home) DaemonSocket() string { return filepath.Join(h.Run, "daemon.sock") }

// RuntimeSocket is where the runtime kernel listens.
func (h Home) RuntimeSocket() string { return filepath.Join(h.Run, "runtime.sock") }

// PodmanSocket is where the kernel's own Podman service listens.
func (h Home) PodmanSocket() string { return filepath.Join(h.Run, "podman.sock") }

// DaemonLog is the daemon's log file; it carries ids, never contents.
func (h Home) DaemonLog() string { return filepath.Join(h.State, "daemon.log") }

// Packs holds the readable history that live containers are given; an open
// installation makes it anew.
func (h Home) Packs() string { return filepath.Join(h.Plain, "packs") }

// Units is the directory of the per-dispatch directories: the kernel's root.
func (h Home) Units() string { return filepath.Join(h.Plain, "units") }

// Unit is the directory of one dispatch; every mount of its container but the
// binary lies beneath it.
func (h Home) Unit(id string) string { return filepath.Join(h.Units(), id) }

// Keys is the directory of the installation's keys.
func (h Home) Keys() string { return filepath.Join(h.Data, "keys") }

// Buckets is the directory of the encrypted buckets of workspaces that are kept
// on this machine.
func (h Home) Buckets() string { return filepath.Join(h.Data, "buckets") }

// BucketState is the directory of what the installation knows of buckets, here
// and elsewhere: which generation it saw last, and encrypted copies.
func (h Home) BucketState() string { return filepath.Join(h.State, "buckets") }

// ImageInputs is the directory of the packages that images of runners are made
// of. It is made by whoever needs it first.
func (h Home) ImageInputs() string { return filepath.Join(h.Cache, "images") }

// Images is the directory of what is known of the images that were made for runners.
func (h Home) Images() string { return filepath.Join(h.State, "images") }

// CheckedImages is the directory of what is known of the images that were brought for
// runners, ready-made.
func (h Home) CheckedImages() string { return filepath.Join(h.Images(), "checked") }

// Runners is the directory of a person's own runners.
func (h Home) Runners() string { return filepath.Join(h.Config, "runners") }

// Repos holds the readable repositories of open workspaces.
func (h Home) Repos() string { return filepath.Join(h.Plain, "repos") }

// Scratch holds readable repositories that a single piece of work needs.
func (h Home) Scratch() string { return filepath.Join(h.Plain, "scratch") }

// Workspaces is the directory of the registry of workspaces.
func (h Home) Workspaces() string { return filepath.Join(h.Data, "workspaces") }
