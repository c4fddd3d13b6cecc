package bucket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/vexa-ai/vexa/pkg/contract/manifestv1"
	"github.com/vexa-ai/vexa/pkg/fault"
)

// FetchOptions says how a fetch is made.
type FetchOptions struct {
	Since    int64 // the repository has everything of this generation
	Paranoid bool  // index and check every object again, trusting no index that was written elsewhere
	Keep     bool  // hold what is taken over with .keep files
}

// Fetched is the outcome of a fetch.
type Fetched struct {
	State *State
	Keeps []string // absolute paths of .keep files
	Packs int      // that were taken over
}

// maxMoved is how often a fetch looks again where a collection removed what it
// was about to read.
const maxMoved = 5

// Fetch brings every object of the newest generation into a repository. Refs
// are the caller's business. What was taken over when it fails is sound, and
// needs not be taken over again.
func (b *Bucket) Fetch(ctx context.Context, r *Repo, opt FetchOptions) (Fetched, error) {
	var out Fetched
	for try := 0; ; try++ {
		st, err := b.Head(ctx)
		if err != nil {
			return out, err
		}
		out.State = st
		err = b.fetch(ctx, r, st, opt, &out)
		if err == nil {
			err = b.prove(ctx, r, st)
		}
		if err == nil || !errors.Is(err, errGone) || try == maxMoved {
			return out, err
		}
		if now, herr := b.Head(ctx); herr != nil || now.Generation == st.Generation {
			return out, err // it really is missing
		}
	}
}

func (b *Bucket) fetch(ctx context.Context, r *Repo, st *State, opt FetchOptions, out *Fetched) error {
	if len(st.Packs) > 0 {
		if err := r.checkFormat(st, b.store.URL()); err != nil {
			return err
		}
	}
	for _, p := range st.newer(opt.Since) {
		name, err := b.fetchPack(ctx, r, p, opt)
		if err != nil {
			return r.trouble(err)
		}
		out.Packs++
		if opt.Keep {
			out.Keeps = append(out.Keeps, filepath.Join(r.Objects, "pack", name+".keep"))
		}
		if err := b.opt.Failpoints.At(ctx, pointFetched); err != nil {
			return err
		}
	}
	return nil
}

// keepNote is what .keep files say.
const keepNote = "vexa fetch"

// staleKeep is how long a fetch may take, and git after it, before a .keep file is
// that of a process that was killed.
const staleKeep = 24 * time.Hour

// clearKeeps removes the .keep files of fetches that ended long ago: git gc would
// leave their packs as they are for ever.
func clearKeeps(dir string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || filepath.Ext(e.Name()) != ".keep" || time.Since(info.ModTime()) < staleKeep {
			continue
		}
		path := filepath.Join(dir, e.Name())
		if note, err := os.ReadFile(path); err == nil && string(note) == keepNote+"\n" {
			_ = os.Remove(path)
		}
	}
}

// fetchPack takes over one pack and returns its name in the repository.
func (b *Bucket) fetchPack(ctx context.Context, r *Repo, p manifestv1.Pack, opt FetchOptions) (string, error) {
	if p.Kind == kindBase && !opt.Paranoid {
		return b.fetchBase(ctx, r, p, opt.Keep)
	}
	in, err := b.openPack(ctx, p)
	if err != nil {
		return "", err
	}
	defer in.Close()
	keep := ""
	if opt.Keep {
		keep = keepNote
	}
	name, err := r.indexPack(ctx, in, keep, opt.Paranoid)
	if said := aboutPack(err); err != nil && fault.KindOf(err) == fault.Internal && fault.Is(said, fault.Invalid) {
		return "", b.damaged(objectName(p.SHA256), fmt.Sprintf("the pack of generation %d", p.Generation), readableWithout(p), err)
	}
	return name, err
}

func (b *Bucket) openPack(ctx context.Context, p manifestv1.Pack) (io.ReadCloser, error) {
	return b.openObject(ctx, manifestv1.Object{SHA256: p.SHA256, Size: p.Size}, b.identities(), fmt.Sprintf("the pack of generation %d", p.Generation), readableWithout(p))
}

// readableWithout says what the loss of a pack leaves.
func readableWithout(p manifestv1.Pack) string {
	if p.Kind == kindBase {
		return fmt.Sprintf("what came to the bucket up to generation %d may be lost with it; clones have it", p.Generation)
	}
	return upTo(p.Generation)
}

// fetchBase takes over a pack with its index, as they are. What is in the
// repository already is never replaced.
func (b *Bucket) fetchBase(ctx context.Context, r *Repo, p manifestv1.Pack, keep bool) (string, error) {
	dir, drop, err := scratch(r.Objects)
	if err != nil {
		return "", err
	}
	defer drop()
	pack, index := filepath.Join(dir, "pack"), filepath.Join(dir, "idx")
	in, err := b.openPack(ctx, p)
	if err != nil {
		return "", err
	}
	check := newPackCheck(r.Format)
	if err := copyOut(in, pack, check); err != nil {
		return "", err
	}
	id, err := check.id(p.Objects)
	if err != nil {
		return "", b.damaged(objectName(p.SHA256), fmt.Sprintf("the pack of generation %d", p.Generation), readableWithout(p), err)
	}
	if err := b.fetchIndex(ctx, p, index, indexOf{format: r.Format, objects: p.Objects, pack: id, bytes: check.n}); err != nil {
		return "", err
	}
	for _, path := range []string{pack, index} {
		if err := flush(path); err != nil {
			return "", err
		}
	}
	name := "pack-" + id
	return name, takeOver(pack, index, filepath.Join(r.Objects, "pack", name), keep)
}

// flush makes a file durable, as git does with the packs that it writes: refs to
// what is in them are.
func flush(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// takeOver moves a pack and its index into a repository, where they are not
// there. The index comes last: with it git sees the pack.
func takeOver(pack, index, to string, keep bool) error {
	if keep {
		if err := os.WriteFile(to+".keep", []byte(keepNote+"\n"), 0o600); err != nil {
			return errors.Join(err, os.Remove(to+".keep"))
		}
	}
	if _, err := os.Stat(to + ".pack"); err == nil {
		if _, err := os.Stat(to + ".idx"); err == nil {
			return nil
		}
	}
	if err := os.Rename(pack, to+".pack"); err != nil {
		return err
	}
	return os.Rename(index, to+".idx")
}

// fetchIndex writes the index of a pack to a new file.
func (b *Bucket) fetchIndex(ctx context.Context, p manifestv1.Pack, path string, of indexOf) error {
	in, err := b.openIndex(ctx, p)
	if err != nil {
		return err
	}
	defer in.Close()
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o400)
	if err != nil {
		return err
	}
	src, dst := &failing{r: in}, &failingWriter{w: f}
	err = checkIndex(io.TeeReader(src, dst), of)
	if other := errors.Join(src.err, dst.err, f.Close()); other != nil {
		return other
	}
	if err != nil {
		return b.damaged(objectName(p.Index.SHA256), fmt.Sprintf("the index of the pack of generation %d", p.Generation), withoutIndex, err)
	}
	return nil
}

func (b *Bucket) openIndex(ctx context.Context, p manifestv1.Pack) (io.ReadCloser, error) {
	return b.openObject(ctx, *p.Index, b.identities(), fmt.Sprintf("the index of the pack of generation %d", p.Generation), withoutIndex)
}

// withoutIndex says what the loss of an index leaves.
const withoutIndex = "the pack itself can be read: git -c vexa.paranoid=true clone, or fetch, makes the index again"

// copyOut writes what in has to a new file, and to check, and closes in.
func copyOut(in io.ReadCloser, path string, check io.Writer) error {
	defer in.Close()
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o400)
	if err != nil {
		return err
	}
	_, err = io.CopyBuffer(struct{ io.Writer }{io.MultiWriter(f, check)}, struct{ io.Reader }{in}, make([]byte, 256<<10))
	return errors.Join(err, f.Close())
}
