// Package gitbase finds, in a Git checkout, the seal that contracts are
// compared with: the one at the merge base of HEAD and the main branch.
//
// It decides what to ask and leaves the asking to the caller, because one
// package alone in this code base starts git.
package gitbase

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/vexa-ai/vexa/pkg/contract"
)

// Run runs one git command (rev-parse, merge-base, ls-tree or cat-file) on the
// repository whose git directory is dir, and returns what it printed and its
// exit code. The error is for commands that could not run at all.
type Run func(ctx context.Context, dir string, args ...string) (stdout []byte, code int, err error)

// Base implements contract.Base for a checkout.
type Base struct {
	schemas string
	run     Run
}

// New returns the Base for the directory of contracts schemas.
func New(schemas string, run Run) *Base { return &Base{schemas: schemas, run: run} }

// mains are where the main branch is looked for, first upstream, then locally.
func mains() []string {
	return []string{
		"refs/remotes/upstream/HEAD", "refs/remotes/upstream/main", "refs/remotes/upstream/master",
		"refs/remotes/origin/HEAD", "refs/remotes/origin/main", "refs/remotes/origin/master",
		"refs/heads/main", "refs/heads/master",
	}
}

// Seal returns the seal at the merge base, and false where the directory is in
// no checkout, the checkout has no commit, or nothing was sealed there. Where
// no main branch is known it takes HEAD itself.
func (b *Base) Seal(ctx context.Context) (map[string]string, bool, error) {
	dir, file, err := b.locate()
	if err != nil || dir == "" {
		return nil, false, err
	}
	base, err := b.mergeBase(ctx, dir)
	if err != nil || base == "" {
		return nil, false, err
	}
	data, err := b.read(ctx, dir, base, file)
	if err != nil || data == nil {
		return nil, false, err
	}
	seal, err := contract.ParseSeal(data)
	return seal, err == nil, err
}

// locate returns the git directory that the schemas are under, empty where
// there is none, and the path of their seal in its tree.
func (b *Base) locate() (dir, file string, err error) {
	abs, err := filepath.Abs(b.schemas)
	if err != nil {
		return "", "", err
	}
	if abs, err = filepath.EvalSymlinks(abs); err != nil {
		return "", "", err
	}
	for root := abs; ; root = filepath.Dir(root) {
		dir, err := gitDir(root)
		if err != nil {
			return "", "", err
		}
		if dir != "" {
			rel, err := filepath.Rel(root, abs)
			return dir, filepath.ToSlash(filepath.Join(rel, contract.SealFile)), err
		}
		if root == filepath.Dir(root) {
			return "", "", nil
		}
	}
}

// gitDir returns the git directory of the working tree at root, empty where it
// is none. In a linked working tree .git is a file that names it.
func gitDir(root string) (string, error) {
	path := filepath.Join(root, ".git")
	st, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", nil
	case err != nil:
		return "", err
	case st.IsDir():
		return path, nil
	case !st.Mode().IsRegular():
		return "", fmt.Errorf("%s is neither a directory nor a file", path)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	dir, ok := strings.CutPrefix(strings.TrimRight(string(data), "\r\n"), "gitdir: ")
	if !ok {
		return "", fmt.Errorf("%s names no git directory", path)
	}
	if !filepath.IsAbs(dir) {
		dir = filepath.Join(root, dir)
	}
	return dir, nil
}

// mergeBase returns the commit to compare with, empty where there is none.
func (b *Base) mergeBase(ctx context.Context, dir string) (string, error) {
	head, err := b.commit(ctx, dir, "HEAD")
	if err != nil || head == "" {
		return "", err
	}
	for _, ref := range mains() {
		tip, err := b.commit(ctx, dir, ref)
		if err != nil {
			return "", err
		}
		if tip == "" {
			continue
		}
		out, code, err := b.run(ctx, dir, "merge-base", head, tip)
		if err != nil {
			return "", err
		}
		if base := strings.TrimSpace(string(out)); code == 0 && base != "" {
			return base, nil
		}
	}
	return head, nil
}

// commit returns the commit a ref names, empty where there is none.
func (b *Base) commit(ctx context.Context, dir, ref string) (string, error) {
	out, code, err := b.run(ctx, dir, "rev-parse", "--verify", "--quiet", "--end-of-options", ref+"^{commit}")
	if err != nil || code != 0 {
		return "", err
	}
	return strings.TrimSpace(string(out)), nil
}

// read returns a file's bytes at a commit, nil where it is not there.
func (b *Base) read(ctx context.Context, dir, commit, file string) ([]byte, error) {
	out, code, err := b.run(ctx, dir, "ls-tree", "-z", "--full-tree", commit, "--", file)
	if err != nil {
		return nil, err
	}
	if code != 0 {
		return nil, fmt.Errorf("git cannot list %s at %s", file, commit)
	}
	// <mode> SP <type> SP <id> TAB <path> NUL
	fields := strings.Fields(strings.SplitN(string(out), "\t", 2)[0])
	if len(fields) != 3 || fields[1] != "blob" {
		return nil, nil
	}
	out, code, err = b.run(ctx, dir, "cat-file", "blob", fields[2])
	if err != nil {
		return nil, err
	}
	if code != 0 {
		return nil, fmt.Errorf("git cannot read %s at %s", file, commit)
	}
	return out, nil
}
