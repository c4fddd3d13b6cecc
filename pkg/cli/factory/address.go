package factory

import (
	"path/filepath"
	"strings"

	"github.com/vexa-ai/vexa/pkg/fault"
)

// AbsolutePath makes a path one that the daemon, which has another working
// directory, understands. The empty one stays empty.
func AbsolutePath(path string) (string, error) {
	if path == "" {
		return "", nil
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", fault.Newf(fault.Usage, "find %s: %w", path, err)
	}
	return abs, nil
}

// AbsoluteAddress does so with the address of a bucket, where that is a path. As
// git does, it takes what has a colon before its first slash for a URL or for
// USER@HOST:PATH.
func AbsoluteAddress(at string) (string, error) {
	if first, _, ok := strings.Cut(at, ":"); ok && !strings.Contains(first, "/") {
		return at, nil
	}
	return AbsolutePath(at)
}
