package workspace

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/internal/atomicfile"
	"github.com/vexa-ai/vexa/pkg/workspace/bucket"
	"github.com/vexa-ai/vexa/pkg/workspace/git"
	"github.com/vexa-ai/vexa/pkg/workspace/object"
)

// repo is one workspace's repository.
type repo struct {
	*git.Repo
	store  *Store
	bucket *bucket.Bucket
	id     string
	name   string
}

// config is the whole configuration of a workspace's repository. It is written
// again before each use; a section that is not in it is refused.
const config = `[core]
	repositoryformatversion = 0
	filemode = true
	bare = true
	logAllRefUpdates = false
	fsync = objects,derived-metadata,reference
[gc]
	auto = 0
[pack]
	writeReverseIndex = false
`

// attributes undo every attribute of a tree that changes bytes or names a
// program; they outrank the trees' own.
const attributes = "* -text !eol !ident !filter !working-tree-encoding !diff !merge !export-subst\n"

// layout are the directories of a new repository.
func layout() []string {
	return []string{"objects/pack", "objects/info", "refs/heads/vexa", "refs/tags", "info"}
}

// initRepo makes an empty bare repository at dir, sha1, HEAD at main.
func initRepo(dir string) error {
	for _, d := range layout() {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o700); err != nil {
			return err
		}
	}
	return errors.Join(
		atomicfile.WriteFile(filepath.Join(dir, "info/attributes"), []byte(attributes), 0o600),
		atomicfile.WriteFile(filepath.Join(dir, "config"), []byte(config), 0o600),
		atomicfile.WriteFile(filepath.Join(dir, "HEAD"), []byte("ref: "+refMain+"\n"), 0o600),
	)
}

// checkRepo holds the repository to the template.
func checkRepo(dir, name string) error {
	for _, odd := range []string{"objects/info/alternates", "info/grafts", "config.worktree", "commondir", "worktrees", "shallow"} {
		if _, err := os.Lstat(filepath.Join(dir, odd)); !errors.Is(err, fs.ErrNotExist) {
			return fault.New(fault.Denied, "the repository of "+name+" has "+odd+", which Vexa never makes", "look at it in "+dir+" and remove it")
		}
	}
	for file, want := range map[string]string{"config": config, "info/attributes": attributes} {
		path := filepath.Join(dir, file)
		got, err := os.ReadFile(path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fault.Wrap(fault.Internal, "open the repository of "+name, err)
		}
		if string(got) == want {
			continue
		}
		if odd := unknownSection(string(got)); file == "config" && odd != "" {
			return fault.New(fault.Denied, "the repository of "+name+" has a configuration section ["+odd+"], which Vexa never writes",
				"look at it in "+path+" and remove it")
		}
		if err := atomicfile.WriteFile(path, []byte(want), 0o600); err != nil {
			return fault.Wrap(fault.Internal, "open the repository of "+name, err)
		}
	}
	return nil
}

// unknownSection returns the first section of a configuration that the template
// does not have.
func unknownSection(text string) string {
	ours := []string{"core", "gc", "pack"}
	for line := range strings.SplitSeq(text, "\n") {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "[") {
			continue
		}
		name, _, _ := strings.Cut(line[1:], "]")
		if !slices.Contains(ours, strings.ToLower(name)) {
			return name
		}
	}
	return ""
}

// mainCommit returns main's commit, or fault.NotFound.
func (r *repo) mainCommit() (object.ID, error) {
	id, err := r.ref(refMain)
	if err == nil && id.IsZero() {
		return id, fault.New(fault.NotFound, "workspace "+r.name+" has no branch main", "push one: git push vexa::"+r.name+" HEAD:main")
	}
	return id, err
}

// lock takes the workspace's lock: who holds it may move refs.
func (r *repo) lock(ctx context.Context) (func(), error) {
	return r.store.lock(ctx, filepath.Join(r.store.dir(r.id), "lock"))
}

// packDir is where new packs go.
func (r *repo) packDir() string { return filepath.Join(r.Dir(), "objects/pack") }

// makePrivate makes a directory that only its owner can enter.
func makePrivate(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fault.Wrap(fault.Denied, "create "+dir, err)
	}
	st, err := os.Lstat(dir)
	if err != nil {
		return fault.Wrap(fault.Denied, "look at "+dir, err)
	}
	if !st.IsDir() || st.Mode().Perm()&0o077 != 0 {
		return fault.New(fault.Denied, dir+" is open to others", "chmod 700 "+dir)
	}
	return nil
}
