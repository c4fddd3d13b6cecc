package workspace

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/vexa-ai/vexa/pkg/fault"
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
	var found object.ID
	err := r.packedRefs(func(ref, id string) (err error) {
		if ref == name {
			found, err = object.ParseID(id)
		}
		return err
	})
	return found, err
}

// packedRefs calls fn with each ref of that file.
func (r *repo) packedRefs(fn func(name, id string) error) error {
	data, err := os.ReadFile(filepath.Join(r.Dir(), "packed-refs"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(data)) {
		id, name, ok := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		if !ok || strings.HasPrefix(line, "#") || strings.HasPrefix(line, "^") {
			continue
		}
		if err := fn(name, id); err != nil {
			return fmt.Errorf("the packed refs of workspace %s are damaged: %w", r.id, err)
		}
	}
	return nil
}

// refsBelow returns the refs whose names begin with a prefix that ends in a
// slash. Those with a file of their own are read first: one that git packs
// meanwhile is then in the other place.
func (r *repo) refsBelow(prefix string) (map[string]object.ID, error) {
	refs := make(map[string]object.ID)
	err := filepath.WalkDir(filepath.Join(r.Dir(), prefix), func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || d.IsDir() || strings.HasSuffix(path, ".lock") {
			return err
		}
		name, err := filepath.Rel(r.Dir(), path)
		if err != nil {
			return err
		}
		id, err := r.ref(name)
		if err == nil && !id.IsZero() {
			refs[name] = id
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	err = r.packedRefs(func(name, id string) (err error) {
		if _, loose := refs[name]; loose || !strings.HasPrefix(name, prefix) {
			return nil
		}
		refs[name], err = object.ParseID(id)
		return err
	})
	return refs, err
}

// setRef moves a ref of the repository, not of the bucket, from old (zero: it
// must not exist) to id. The caller holds the workspace's lock.
func (r *repo) setRef(name string, id, old object.ID) error {
	now, err := r.ref(name)
	if err != nil {
		return err
	}
	if now != old {
		return fault.Newf(fault.Conflict, "%s of workspace %s has moved", name, r.id)
	}
	return r.writeRef(name, id.String())
}

// writeRef makes a ref of the repository point at an id, whatever it was. It
// speaks git's own protocol of lock files; one that is in the way is left over
// from a process that was killed, for nobody else moves refs while the
// workspace's lock is held.
func (r *repo) writeRef(name, id string) error {
	path := filepath.Join(r.Dir(), name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(path+".lock", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(id + "\n")
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return os.Rename(path+".lock", path)
}

// dropRef removes a ref of the repository, which may be gone.
func (r *repo) dropRef(ctx context.Context, name string) error {
	now, err := r.ref(name)
	if err != nil || now.IsZero() {
		return err
	}
	return r.deleteRef(ctx, name, now)
}

// deleteRef removes a ref that points at old. The caller holds the lock.
func (r *repo) deleteRef(ctx context.Context, name string, old object.ID) error {
	for _, stale := range []string{name + ".lock", "packed-refs.lock"} {
		if err := os.Remove(filepath.Join(r.Dir(), stale)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	packed, err := r.packedRef(name)
	if err != nil {
		return err
	}
	if !packed.IsZero() {
		_, err := r.Run(ctx, git.Cmd{Args: []string{"update-ref", "-d", name, old.String()}})
		return err
	}
	now, err := r.ref(name)
	if err != nil {
		return err
	}
	if now != old {
		return fault.Newf(fault.Conflict, "%s of workspace %s has moved", name, r.id)
	}
	return os.Remove(filepath.Join(r.Dir(), name))
}

// resolve validates a revision from outside and returns its commit.
func (r *repo) resolve(ctx context.Context, rev string) (object.ID, error) {
	hex, err := r.Resolve(ctx, rev)
	if err != nil {
		return object.ID{}, err
	}
	return object.ParseID(hex)
}
