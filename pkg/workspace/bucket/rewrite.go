package bucket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/workspace/git"
)

// maxRewrites is how often everything is written again where others take away
// meanwhile what it was written from.
const maxRewrites = 4

// rewriting is a bucket's whole content on its way into one pack.
type rewriting struct {
	b      *Bucket
	opt    ConsolidateOptions
	dir    string
	source *workbench // every object
	from   *State     // what the pack is made of
	result *workbench // the pack, and what was pushed since: what the bucket will have
	whole  []string   // ids of which the result has all they reach, sorted
}

// rewrite is Consolidate with Full.
func (b *Bucket) rewrite(ctx context.Context, opt ConsolidateOptions) (Consolidated, error) {
	dir, drop, err := roomBelow(opt.Scratch)
	if err != nil {
		return Consolidated{}, err
	}
	defer drop()
	r := &rewriting{b: b, opt: opt, dir: dir}
	for try := range maxRewrites {
		out, err := r.once(ctx, try)
		if !errors.Is(err, errMoved) && !errors.Is(err, errGone) {
			return out, err
		}
	}
	return Consolidated{}, fault.Wrap(fault.Conflict, "the bucket at "+b.store.URL()+" is not written anew", errMoved)
}

// once makes the pack of the newest state and puts it in place.
func (r *rewriting) once(ctx context.Context, try int) (Consolidated, error) {
	st, err := r.b.Head(ctx)
	if err != nil {
		return Consolidated{}, err
	}
	r.from = st
	x := &exchange{newest: newestOf(st.Packs), follow: r.follow, fits: r.fits}
	if x.files, err = r.pack(ctx, try); err != nil {
		return Consolidated{}, err
	}
	objects, err := objectsIn(x.files.pack)
	if err != nil {
		return Consolidated{}, err
	}
	if len(st.Packs) == 0 || len(st.Packs) == 1 && st.Packs[0].Kind == kindBase && st.Packs[0].Objects == objects {
		return Consolidated{State: st}, nil
	}
	now, err := r.b.exchange(ctx, x)
	return x.outcome(now, len(st.Packs)), err
}

// pack makes one pack of what the refs reach, no files where that is nothing, and
// sees that it has all of it.
func (r *rewriting) pack(ctx context.Context, try int) (files packFiles, err error) {
	format := r.from.ObjectFormat
	if r.source == nil || r.source.Format != format {
		dir := filepath.Join(r.dir, fmt.Sprintf("source-%d", try))
		if r.source, err = r.b.newWorkbench(ctx, r.opt.Git, dir, format, r.opt.Alternates); err != nil {
			return files, err
		}
	}
	if r.result, err = r.b.newWorkbench(ctx, r.opt.Git, filepath.Join(r.dir, fmt.Sprintf("result-%d", try)), format, nil); err != nil {
		return files, err
	}
	r.whole = slices.Compact(slices.Sorted(valuesOf(r.from.Refs)))
	if len(r.whole) == 0 {
		return files, nil
	}
	if err := r.source.fits(r.from, r.opt.Limit); err != nil {
		return files, err
	}
	files, err = r.write(ctx)
	if isUnresolved(err) { // the alternates do not have everything, or something else
		if err = r.source.alone(); err == nil {
			err = r.source.bring(ctx, r.from.Packs)
		}
		if err == nil {
			files, err = r.write(ctx)
		}
	}
	if isUnresolved(err) {
		err = fault.Wrap(fault.Invalid, "write the bucket at "+r.b.store.URL()+" anew", err)
	}
	return files, err
}

// write makes the pack. It is indexed once more: with what git took from the
// alternates as it was there, each object is what its id says only if that is
// what comes out again.
func (r *rewriting) write(ctx context.Context) (files packFiles, err error) {
	made, index, err := r.source.packWhole(ctx, filepath.Join(r.source.dir, "whole"), revs(r.whole, nil), "--revs")
	if err != nil {
		return files, err
	}
	defer os.Remove(index) //nolint:errcheck // the directory is removed in the end
	defer os.Remove(made)  //nolint:errcheck // likewise
	f, err := os.Open(made)
	if err != nil {
		return files, err
	}
	defer f.Close()
	name, err := r.result.indexPack(ctx, f, "", false)
	if err != nil {
		return files, err
	}
	path := filepath.Join(r.result.Objects, "pack", name)
	return packFiles{pack: path + ".pack", index: path + ".idx"}, r.connected(ctx, r.whole, nil)
}

// connected fails where the result lacks something that ids reach and others do
// not.
func (r *rewriting) connected(ctx context.Context, ids, others []string) error {
	_, err := r.result.Run(ctx, git.Cmd{Args: []string{"rev-list", "--objects", "--stdin", "--quiet"}, Stdin: revs(ids, others)})
	return err
}

// follow takes over what was pushed since the pack was made, and sees that the
// refs have all they need there and in the pack: a push may build on what no ref
// reached any more.
func (r *rewriting) follow(ctx context.Context, st *State) error {
	if st.ObjectFormat != r.from.ObjectFormat || !hasAll(st.Packs, r.from.Packs) {
		return errMoved
	}
	before := setOf(packNames(r.from.Packs))
	for _, p := range st.Packs {
		if before[p.SHA256] {
			continue
		}
		if _, err := r.result.take(ctx, p); err != nil {
			return r.moved(err)
		}
	}
	have := slices.Compact(slices.Sorted(valuesOf(st.Refs)))
	if contains(r.whole, have) {
		return nil
	}
	if err := r.connected(ctx, have, r.whole); err != nil {
		return r.moved(err)
	}
	r.whole = slices.Compact(slices.Sorted(slices.Values(append(r.whole, have...))))
	return nil
}

// moved tells that something builds on what the pack does not have.
func (r *rewriting) moved(err error) error {
	if isUnresolved(err) || errors.Is(err, errGone) {
		return errors.Join(errMoved, err)
	}
	return err
}

// fits implements exchange.fits: the pack takes the place of all those that it
// was made of.
func (r *rewriting) fits(st *State) (drop []string, ok bool) {
	before := setOf(packNames(r.from.Packs))
	for _, p := range st.Packs {
		if _, ok := r.result.brought[p.SHA256]; !ok && !before[p.SHA256] {
			return nil, false
		}
	}
	have := slices.Compact(slices.Sorted(valuesOf(st.Refs)))
	return packNames(r.from.Packs), hasAll(st.Packs, r.from.Packs) && contains(r.whole, have)
}

// objectsIn returns how many objects a pack has; of none it is 0.
func objectsIn(path string) (int64, error) {
	if path == "" {
		return 0, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	head := packHead{w: io.Discard}
	_, err = io.CopyN(&head, f, packHeadBytes)
	return head.objects(), err
}
