package workspace

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/internal/atomicfile"
	"github.com/vexa-ai/vexa/pkg/workspace/git"
	"github.com/vexa-ai/vexa/pkg/workspace/object"
)

// ref returns the commit a ref points at; zero where there is no such ref.
func (r *repo) ref(name string) (object.ID, error) {
	data, err := os.ReadFile(filepath.Join(r.Dir(), name))
	if errors.Is(err, fs.ErrNotExist) {
		return r.packedRef(name)
	}
	if err != nil {
		return object.ID{}, err
	}
	id, err := object.ParseID(strings.TrimSpace(string(data)))
	if err != nil {
		return id, fmt.Errorf("ref %s of workspace %s is damaged: %w", name, r.id, err)
	}
	return id, nil
}

// packedRef looks in the file that git keeps old refs in.
func (r *repo) packedRef(name string) (object.ID, error) {
	data, err := os.ReadFile(filepath.Join(r.Dir(), "packed-refs"))
	if errors.Is(err, fs.ErrNotExist) {
		return object.ID{}, nil
	}
	if err != nil {
		return object.ID{}, err
	}
	for sc := bufio.NewScanner(bytes.NewReader(data)); sc.Scan(); {
		if id, ref, ok := strings.Cut(sc.Text(), " "); ok && ref == name {
			return object.ParseID(id)
		}
	}
	return object.ID{}, nil
}

// setRef moves a ref from old (zero: it must not exist) to id, durably. The
// caller holds the workspace's lock and has made the objects durable. It speaks
// git's own protocol of lock files; one that is in the way is left over from a
// process that was killed, for nobody else moves refs while the lock is held.
func (r *repo) setRef(name string, id, old object.ID) error {
	now, err := r.ref(name)
	if err != nil {
		return err
	}
	if now != old {
		return fault.Newf(fault.Conflict, "%s of workspace %s has moved", name, r.id)
	}
	path := filepath.Join(r.Dir(), name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(path+".lock", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(id.String() + "\n")
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	if err := os.Rename(path+".lock", path); err != nil {
		return err
	}
	return atomicfile.SyncDir(filepath.Dir(path))
}

// deleteRef removes a ref that points at old. The caller holds the lock.
func (r *repo) deleteRef(ctx context.Context, name string, old object.ID) error {
	for _, stale := range []string{name + ".lock", "packed-refs.lock"} {
		if err := os.Remove(filepath.Join(r.Dir(), stale)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	_, err := r.Run(ctx, git.Cmd{Args: []string{"update-ref", "-d", name, old.String()}})
	return err
}

// isAncestor reports whether descendant holds every commit of ancestor.
func (r *repo) isAncestor(ctx context.Context, ancestor, descendant object.ID) (bool, error) {
	if ancestor == descendant {
		return true, nil
	}
	res, err := r.Run(ctx, git.Cmd{Args: []string{"merge-base", "--is-ancestor", ancestor.String(), descendant.String()}, OK: []int{1}})
	return err == nil && res.Code == 0, err
}

// resolve validates a revision from outside and returns its commit.
func (r *repo) resolve(ctx context.Context, rev string) (object.ID, error) {
	hex, err := r.Resolve(ctx, rev)
	if err != nil {
		return object.ID{}, err
	}
	return object.ParseID(hex)
}

// treeOf returns the tree of a commit.
func (r *repo) treeOf(ctx context.Context, commit object.ID) (object.ID, error) {
	res, err := r.Run(ctx, git.Cmd{Args: []string{"rev-parse", "--verify", "--end-of-options", commit.String() + "^{tree}"}})
	if err != nil {
		return object.ID{}, err
	}
	return object.ParseID(strings.TrimSpace(string(res.Stdout)))
}

// parents returns the parents of a commit.
func (r *repo) parents(ctx context.Context, commit object.ID) ([]object.ID, error) {
	res, err := r.Run(ctx, git.Cmd{Args: []string{"rev-list", "--parents", "--max-count=1", commit.String()}})
	if err != nil {
		return nil, err
	}
	fields := strings.Fields(string(res.Stdout))
	if len(fields) == 0 {
		return nil, fmt.Errorf("git names no parents of %s", commit)
	}
	var ids []object.ID
	for _, f := range fields[1:] {
		id, err := object.ParseID(f)
		if err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, nil
}
