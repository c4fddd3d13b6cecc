package home

import (
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/vexa-ai/vexa/pkg/fault"
)

// runBase is the parent of the runtime folder: XDG_RUNTIME_DIR where it is
// set, else a private folder of the user's under /tmp.
func runBase(env Env, uid int) string {
	if dir := env("XDG_RUNTIME_DIR"); filepath.IsAbs(dir) {
		return dir
	}
	return filepath.Join(os.TempDir(), "vexa-run-"+strconv.Itoa(uid))
}

// plainDir is where open workspaces live: VEXA_PLAINTEXT_DIR where it is set,
// else whichever of the runtime directory and /dev/shm is a tmpfs.
func plainDir(env Env, uid int, installID string) (string, error) {
	if dir := env("VEXA_PLAINTEXT_DIR"); dir != "" {
		abs, err := filepath.Abs(dir)
		if err != nil {
			return "", err
		}
		return private(abs, "vexa-"+installID)
	}
	base := runBase(env, uid)
	if InMemory(base) {
		return private(filepath.Join(base, "vexa-"+installID), "plain")
	}
	const shm = "/dev/shm"
	if InMemory(shm) {
		return private(filepath.Join(shm, "vexa-"+strconv.Itoa(uid)), installID)
	}
	return "", fault.New(fault.Unavailable, "no memory-backed directory for open workspaces: neither "+base+" nor "+shm+" is a tmpfs",
		"set VEXA_PLAINTEXT_DIR to one")
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

// private makes base (0700 where it is missing) and base/name, and refuses a
// name that is not a directory of the user's own that nobody else can enter.
func private(base, name string) (string, error) {
	if err := os.MkdirAll(base, 0o700); err != nil {
		return "", fault.Newf(fault.Denied, "create %s: %w", base, err)
	}
	dir := filepath.Join(base, name)
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
