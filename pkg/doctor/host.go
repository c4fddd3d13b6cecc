package doctor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Host is the machine this process runs on. Its zero value is ready.
type Host struct{}

var _ System = Host{}

// commandTime bounds one command: installing packages may take minutes.
const commandTime = 20 * time.Minute

// Run implements System.
func (Host) Run(ctx context.Context, c Command) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, commandTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, c.Argv[0], c.Argv[1:]...) //nolint:gosec // what is run was shown to the person
	cmd.Dir = "/"                                             // another user may not enter the current directory
	cmd.WaitDelay = time.Second
	cmd.Stdin = bytes.NewReader(c.Stdin)
	var out, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &stderr
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("%s: %w%s", c.Argv[0], err, lastLine(stderr.String()))
	}
	return out.Bytes(), nil
}

// lastLine returns the last line that is not empty, after a colon.
func lastLine(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	if last := lines[len(lines)-1]; last != "" {
		return ": " + last
	}
	return ""
}

// LookPath implements System. Programs for administrators count, too.
func (Host) LookPath(name string) (string, error) {
	path, err := exec.LookPath(name)
	if err == nil {
		return path, nil
	}
	for _, dir := range []string{"/usr/local/sbin/", "/usr/sbin/", "/sbin/"} {
		if st, err := os.Stat(dir + name); err == nil && st.Mode().IsRegular() && st.Mode()&0o111 != 0 {
			return dir + name, nil
		}
	}
	return "", fmt.Errorf("%s: %w", name, fs.ErrNotExist)
}

// ReadFile implements System.
func (Host) ReadFile(path string) ([]byte, error) { return os.ReadFile(path) }

// ReadDir implements System.
func (Host) ReadDir(path string) ([]string, error) {
	entries, err := os.ReadDir(path)
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	return names, err
}

// Stat implements System.
func (Host) Stat(path string) (File, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return File{}, err
	}
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		return File{}, err
	}
	return File{Mode: info.Mode(), UID: int(st.Uid)}, nil
}

// Disk implements System.
func (Host) Disk(path string) (Disk, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(path, &st); err != nil {
		return Disk{}, err
	}
	const ramfs = 0x858458f6
	return Disk{
		Free:     st.Bavail * uint64(st.Bsize),
		InMemory: st.Type == unix.TMPFS_MAGIC || st.Type == ramfs,
	}, nil
}

// missing reports whether err says that a file is not there.
func missing(err error) bool { return errors.Is(err, fs.ErrNotExist) }
