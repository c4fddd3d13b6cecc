package home

import (
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/vexa-ai/vexa/pkg/fault"
)

// runDir makes the runtime folder: below XDG_RUNTIME_DIR where it is set, else
// below a private folder of the user's under /tmp.
func runDir(env Env, uid int, installID string) (string, error) {
	if dir := env("XDG_RUNTIME_DIR"); filepath.IsAbs(dir) {
		return private(filepath.Join(dir, "vexa-"+installID))
	}
	base, err := private(filepath.Join(os.TempDir(), "vexa-run-"+strconv.Itoa(uid)))
	if err != nil {
		return "", err
	}
	return private(filepath.Join(base, "vexa-"+installID))
}

// plainDir is where open workspaces live: VEXA_PLAINTEXT_DIR where it is set,
// else the runtime folder if that is memory-backed, else /dev/shm.
func plainDir(env Env, uid int, installID, run string) (string, error) {
	if dir := env("VEXA_PLAINTEXT_DIR"); dir != "" {
		abs, err := filepath.Abs(dir)
		if err != nil {
			return "", err
		}
		return private(filepath.Join(abs, "vexa-"+installID))
	}
	if InMemory(run) {
		return private(filepath.Join(run, "plain"))
	}
	const shm = "/dev/shm"
	if !InMemory(shm) {
		return "", fault.New(fault.Unavailable, "no memory-backed directory for open workspaces: neither "+run+" nor "+shm+" is a tmpfs",
			"set VEXA_PLAINTEXT_DIR to one")
	}
	base, err := private(filepath.Join(shm, "vexa-"+strconv.Itoa(uid)))
	if err != nil {
		return "", err
	}
	return private(filepath.Join(base, installID))
}

// InMemory reports whether dir lies on a tmpfs or ramfs.
func InMemory(dir string) bool {
	var st unix.Statfs_t
	for d := dir; ; d = filepath.Dir(d) {
		if err := unix.Statfs(d, &st); err == nil {
			const ramfs = 0x858458f6
			return st.Type == unix.TMPFS_MAGIC || st.Type == ramfs
		}
		if d == filepath.Dir(d) {
			return false
		}
	}
}

// private makes dir and refuses one that is not a directory of the user's own
// that nobody else can enter: its parent may be open to all.
func private(dir string) (string, error) {
	if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
		return "", fault.Newf(fault.Denied, "create %s: %w", filepath.Dir(dir), err)
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !os.IsExist(err) {
		return "", fault.Newf(fault.Denied, "create %s: %w", dir, err)
	}
	var st unix.Stat_t
	if err := unix.Lstat(dir, &st); err != nil {
		return "", fault.Newf(fault.Denied, "look at %s: %w", dir, err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFDIR || int(st.Uid) != os.Getuid() || st.Mode&0o077 != 0 {
		return "", fault.New(fault.Denied, dir+" is not a private directory of yours", "remove it, or set XDG_RUNTIME_DIR")
	}
	return dir, nil
}
