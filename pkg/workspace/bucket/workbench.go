package bucket

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/vexa-ai/vexa/pkg/contract/manifestv1"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/workspace/git"
)

// workbench is a temporary repository that packs are joined in. What it holds is
// not encrypted, and gone with it.
type workbench struct {
	*Repo
	bucket  *Bucket
	dir     string
	brought map[string]broughtPack // by the hash of what is stored
}

// broughtPack is a stored pack that was taken over.
type broughtPack struct {
	name    string // in the repository
	objects int64  // that it holds itself; those that it builds on are put behind them
}

// newWorkbench makes a repository of a format in the directory dir, which need
// not exist. Objects are also read from the alternates, those of them that are
// there.
func (b *Bucket) newWorkbench(ctx context.Context, g *git.Git, dir, format string, alternates []string) (*workbench, error) {
	r, err := initBare(ctx, g, dir, format, "")
	if err != nil {
		return nil, fault.Wrap(fault.KindOf(err), "make a repository in "+dir, err)
	}
	var list strings.Builder
	for _, path := range alternates {
		if st, err := os.Stat(path); err == nil && st.IsDir() {
			list.WriteString(path + "\n")
		}
	}
	if err := os.WriteFile(filepath.Join(r.Objects, alternatesFile), []byte(list.String()), 0o600); err != nil {
		return nil, err
	}
	return &workbench{Repo: r, bucket: b, dir: dir, brought: map[string]broughtPack{}}, nil
}

const alternatesFile = "info/alternates"

// alone has it do without the alternates from now on. git takes objects that it
// packs as they are where it finds them, so that the indexes of a clone, which
// others may have written, would be believed.
func (w *workbench) alone() error {
	if err := os.Remove(filepath.Join(w.Objects, alternatesFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// bring takes over stored packs that are not here yet, in the order in which they
// are applied.
func (w *workbench) bring(ctx context.Context, packs []manifestv1.Pack) error {
	for _, p := range packs {
		if _, err := w.take(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

// take takes over one pack, unless it is here. It is indexed here: what others
// say of its content does not count.
func (w *workbench) take(ctx context.Context, p manifestv1.Pack) (broughtPack, error) {
	if got, ok := w.brought[p.SHA256]; ok {
		return got, nil
	}
	in, err := w.bucket.openPack(ctx, p)
	if err != nil {
		return broughtPack{}, err
	}
	defer in.Close()
	head := packHead{w: io.Discard}
	name, err := w.indexPack(ctx, io.TeeReader(in, &head), "", false)
	if isUnresolved(err) {
		err = w.bucket.damaged(objectName(p.SHA256), fmt.Sprintf("the pack of generation %d", p.Generation), readableWithout(p), err)
	}
	if err != nil {
		return broughtPack{}, err
	}
	if _, err := io.Copy(io.Discard, in); err != nil { // only its end says that it is what was stored
		return broughtPack{}, err
	}
	got := broughtPack{name: name, objects: head.objects()}
	w.brought[p.SHA256] = got
	return got, nil
}

// join makes one pack of what the packs hold themselves, whole by itself, and
// returns where it and its index lie.
func (w *workbench) join(ctx context.Context, packs []manifestv1.Pack) (files packFiles, err error) {
	f, err := os.Create(filepath.Join(w.dir, "objects.list"))
	if err != nil {
		return files, err
	}
	defer f.Close()
	ids := bufio.NewWriter(f)
	for _, p := range packs {
		got, err := w.take(ctx, p)
		if err != nil {
			return files, err
		}
		if err := w.list(ctx, got, ids); err != nil {
			return files, err
		}
	}
	if err := ids.Flush(); err != nil {
		return files, err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return files, err
	}
	if err := w.alone(); err != nil {
		return files, err
	}
	files.pack, files.index, err = w.packWhole(ctx, filepath.Join(w.dir, "joined"), f)
	return files, err
}

// packFiles are a pack and its index on this machine.
type packFiles struct{ pack, index string }

// free returns how many bytes are free in the file system of a directory.
func free(dir string) (int64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, fault.Wrap(fault.Internal, "see how much room is in "+dir, err)
	}
	return int64(st.Bavail) * st.Bsize, nil
}
