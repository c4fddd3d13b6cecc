package attach

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"github.com/vexa-ai/vexa/pkg/cli/plain"
	"github.com/vexa-ai/vexa/pkg/fault"
)

// into is how what does not fit into a message comes to an agent.
const into = "put it into a workspace, which agents read: vexa workspace create NAME --from DIRECTORY, or git clone vexa::NAME, add it and push"

// Load reads files that Find returned; home is the person's. It reads the disk, so that
// it belongs into a command. The error names the file and says what to do.
func Load(names []string, home string) ([]File, error) {
	if len(names) > MaxFiles {
		return nil, fault.New(fault.Invalid, fmt.Sprintf("%d files are too many for a message, which takes %d", len(names), MaxFiles), into)
	}
	var files []File
	total := 0
	for _, name := range names {
		text, err := load(name, home)
		if err != nil {
			return nil, err
		}
		if total += len(text); total > MaxTotal {
			return nil, fault.New(fault.Invalid, fmt.Sprintf("the files of the message have more than %d KiB together", MaxTotal>>10), into)
		}
		files = append(files, File{plain.Line(filepath.Base(name)), string(text)})
	}
	return files, nil
}

// load reads a file.
func load(name, home string) ([]byte, error) {
	shown := plain.Short(name, 200)
	path, err := resolve(name, home)
	if err != nil {
		return nil, explain(shown, err)
	}
	f, err := open(path)
	if errors.Is(err, unix.ELOOP) {
		hint := "name the file that it leads to"
		if target, err := filepath.EvalSymlinks(path); err == nil {
			hint += ": @" + plain.Short(target, 200)
		}
		return nil, fault.New(fault.Denied, shown+" leads through a link", hint)
	}
	if err != nil {
		return nil, explain(shown, err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, MaxBytes+1))
	switch {
	case err != nil:
		return nil, explain(shown, err)
	case len(text) > MaxBytes:
		return nil, fault.New(fault.Invalid, fmt.Sprintf("%s has more than %d KiB", shown, MaxBytes>>10), into)
	case bytes.IndexByte(text, 0) >= 0 || !utf8.Valid(text):
		return nil, fault.New(fault.Invalid, shown+" is no text", into)
	}
	return text, nil
}

// resolve returns the absolute path of a name. Links on the way to the home are the
// system's.
func resolve(name, home string) (string, error) {
	rest, ok := strings.CutPrefix(name, "~/")
	if !ok {
		if !filepath.IsAbs(name) {
			return "", fs.ErrNotExist
		}
		if rest, ok = strings.CutPrefix(filepath.Clean(name)+"/", filepath.Clean(home)+"/"); !ok {
			return filepath.Clean(name), nil
		}
	}
	if !filepath.IsAbs(home) {
		return "", fs.ErrNotExist
	}
	base, err := filepath.EvalSymlinks(home)
	return filepath.Join(base, rest), err
}

// errSpecial is about what is no file that can be read.
var errSpecial = errors.New("it is no regular file")

// open opens a regular file for reading. That nothing else is opened matters where
// opening does something, as of a device, or waits, as of a pipe; that it is still the
// one that was looked at is seen behind it.
func open(path string) (*os.File, error) {
	before, err := os.Lstat(path)
	if err != nil {
		return nil, err
	}
	if m := before.Mode(); !m.IsRegular() && m&fs.ModeSymlink == 0 {
		return nil, special(m)
	}
	fd, err := openat(path, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), path)
	after, err := f.Stat()
	if err == nil && (!after.Mode().IsRegular() || !os.SameFile(before, after)) {
		err = errSpecial
	}
	var system unix.Statfs_t
	if err == nil {
		err = unix.Fstatfs(fd, &system)
	}
	if err == nil && (system.Type == unix.PROC_SUPER_MAGIC || system.Type == unix.SYSFS_MAGIC) {
		err = errSpecial // the kernel's answers, which may wait or change what they tell of
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// special says what is there instead of a file.
func special(m fs.FileMode) error {
	if m.IsDir() {
		return errDirectory
	}
	return errSpecial
}

var errDirectory = errors.New("it is a directory")

// explain says what an error means for who named a file.
func explain(shown string, err error) error {
	switch {
	case errors.Is(err, errDirectory):
		return fault.New(fault.Invalid, shown+" is a directory", into)
	case errors.Is(err, errSpecial):
		return fault.New(fault.Denied, shown+" is no regular file", "attach a copy of what it holds")
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.ENOTDIR):
		return fault.New(fault.NotFound, "there is no file "+shown, `where no file is meant, write \@`)
	case errors.Is(err, fs.ErrPermission):
		return fault.New(fault.Denied, shown+" may not be read by you", "look at its mode: ls -l")
	default:
		return fault.Newf(fault.Internal, "read %s: %w", shown, err)
	}
}
