package git

import (
	"context"
	"errors"
	"os"
	"path/filepath"
)

// ErrNoText reports a file that git merges no lines of.
var ErrNoText = errors.New("it is no text")

// MergeFile merges three versions of a file, base, ours and theirs, by lines, with
// markers where that conflicts; clean where none is needed (git-merge-file(1), whose
// flags these are). The versions are files below a directory meanwhile. The error is
// ErrNoText where a version has no lines.
func (g *Git) MergeFile(ctx context.Context, below string, sides [3][]byte, flags ...string) (text []byte, clean bool, err error) {
	dir, err := os.MkdirTemp(below, "page-*")
	if err != nil {
		return nil, false, err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // it is swept with the rest
	args := append([]string{"merge-file", "-p", "-q"}, flags...)
	var files []string
	for i, name := range []string{"base", "ours", "theirs"} {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, sides[i], 0o600); err != nil {
			return nil, false, err
		}
		files = append(files, file)
	}
	args = append(args, "-L", "ours", "-L", "base", "-L", "theirs", files[1], files[0], files[2])
	conflicts := make([]int, 127) // the exit code says how many there are
	for i := range conflicts {
		conflicts[i] = i + 1
	}
	res, err := g.run(ctx, dir, Cmd{Args: args, OK: conflicts}, nil)
	if failed, ok := errors.AsType[*Error](err); ok && failed.Code == 255 {
		err = ErrNoText
	}
	return res.Stdout, err == nil && res.Code == 0, err
}
