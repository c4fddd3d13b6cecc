package bucket

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/vexa-ai/vexa/pkg/contract/manifestv1"
	"github.com/vexa-ai/vexa/pkg/seal"
	"github.com/vexa-ai/vexa/pkg/workspace/git"
)

// freshPack is a pack that was made in memory and is to be stored.
type freshPack struct {
	pack, index string // paths
	generation  int64  // 0: the next one
}

// packs brings every pack that is sound into a repository in memory, beside the
// objects of the clone, and finds out what is missing.
func (r *repair) packs(ctx context.Context) error {
	if r.state == nil {
		return nil
	}
	if r.in.state == nil {
		r.in.state = r.state
	}
	for _, p := range r.state.Packs {
		if err := r.in.pack(ctx, p); err != nil { // those that were read are not read again
			return err
		}
	}
	borrow := ""
	if r.from != nil {
		if err := r.from.checkFormat(r.state, r.b.store.URL()); err != nil {
			return err
		}
		borrow = r.from.Objects
	}
	if borrow == "" && !r.anyBad() {
		return nil // nothing to compare with, and nothing that needs it
	}
	var err error
	if r.repo, err = r.b.newScratchRepo(ctx, r.opt.Git, r.opt.Scratch, r.state.ObjectFormat, borrow); err != nil {
		return err
	}
	r.repo.b = r.in.b // it has every key
	kept, lost, err := r.bring(ctx)
	if err != nil {
		return err
	}
	if err := r.refs(ctx); err != nil {
		return err
	}
	return r.replace(ctx, kept, lost)
}

func (r *repair) anyBad() bool {
	return slices.ContainsFunc(r.state.Packs, func(p manifestv1.Pack) bool {
		return slices.ContainsFunc(objectsOf(p), func(o manifestv1.Object) bool { return r.in.bad[o.SHA256] != "" })
	})
}

// keptPack is a pack that stays.
type keptPack struct {
	manifestv1.Pack
	brought
}

// bring sorts the packs into those that stay and those that are lost, and notes
// the indexes that have to be made again.
func (r *repair) bring(ctx context.Context) (kept []keptPack, lost []manifestv1.Pack, err error) {
	var again []manifestv1.Pack
	for _, p := range r.state.Packs {
		if r.in.bad[p.SHA256] != "" {
			lost = append(lost, p)
			continue
		}
		again = append(again, p)
	}
	// A thin pack may build on one that is lost, and on one that comes later
	// now that those before it are sorted otherwise.
	for last := -1; len(again) != last; {
		last = len(again)
		var failed []manifestv1.Pack
		for _, p := range again {
			got, err := r.repo.bring(ctx, p, false)
			switch {
			case err == nil:
				kept = append(kept, keptPack{Pack: p, brought: got})
			case errors.Is(err, errNoBase) || errors.Is(err, errGone) || errors.Is(err, errChanged):
				failed = append(failed, p)
			default: // it is whole: whatever stops git is no reason to drop it
				return nil, nil, err
			}
		}
		again = failed
	}
	lost = append(lost, again...)
	for _, k := range kept {
		if err := r.reindex(ctx, k); err != nil {
			return nil, nil, err
		}
	}
	return kept, lost, nil
}

// reindex notes that an index has to be made again, if so.
func (r *repair) reindex(ctx context.Context, k keptPack) error {
	if k.Index == nil {
		return nil
	}
	if r.in.bad[k.Index.SHA256] == "" {
		err := r.repo.sameIndex(ctx, k.brought, k.Pack)
		if err == nil || !isFinding(err) {
			return err
		}
	}
	if r.work.index == nil {
		r.work.index, r.remade = map[string]manifestv1.Object{}, map[string]string{}
	}
	r.work.index[k.SHA256] = manifestv1.Object{} // it is filled in when it is stored
	r.remade[k.SHA256] = r.repo.path(k.name, ".idx")
	r.act(objectName(k.Index.SHA256), k.Generation, "made again from its pack")
	return nil
}

// replace makes a pack of what only lost packs had, or what only the clone has.
func (r *repair) replace(ctx context.Context, kept []keptPack, lost []manifestv1.Pack) error {
	whole, err := r.repo.whole(ctx, r.state.Refs)
	if err != nil {
		return err
	}
	var ids []string
	for name, id := range r.state.Refs {
		if whole[name] {
			ids = append(ids, id)
			continue
		}
		if r.out.Broken == nil {
			r.out.Broken = map[string]string{}
		}
		r.out.Broken[name] = id
	}
	slices.Sort(ids)
	if r.from == nil && len(lost) > 0 && len(r.out.Broken) > 0 {
		return nil // without a clone it would only get worse: what is wrong is left, and said
	}
	missing, err := r.missing(ctx, slices.Compact(ids), kept)
	if err != nil {
		return err
	}
	what := "dropped: nothing in it is needed any more"
	if len(missing) > 0 {
		what = "replaced by a new one of what the clone has"
		if err := r.write(ctx, missing, lost); err != nil {
			return err
		}
	}
	if len(r.out.Broken) > 0 {
		what += fmt.Sprintf("; %d refs stay that cannot be made whole", len(r.out.Broken))
	}
	for _, p := range lost {
		r.work.drop = append(r.work.drop, p.SHA256)
		r.act(objectName(p.SHA256), p.Generation, what)
		if p.Index != nil {
			r.handled[objectName(p.Index.SHA256)] = true
		}
	}
	return nil
}

// missing returns the objects that the refs reach, or that thin packs build on,
// and no pack that stays has.
func (r *repair) missing(ctx context.Context, ids []string, kept []keptPack) ([]string, error) {
	need := map[string]bool{}
	have := map[string]bool{}
	for _, k := range kept {
		if err := r.contents(ctx, k, have, need); err != nil {
			return nil, err
		}
	}
	out := &lines{each: func(line string) {
		id, _, _ := strings.Cut(line, " ")
		need[id] = true
	}}
	if len(ids) > 0 {
		_, err := r.repo.Run(ctx, git.Cmd{Args: []string{"rev-list", "--objects", "--no-object-names", "--stdin"}, Stdin: revs(ids, nil), Stdout: out})
		if err != nil {
			return nil, err
		}
	}
	maps.DeleteFunc(need, func(id string, _ bool) bool { return have[id] })
	return slices.Sorted(maps.Keys(need)), nil
}

// contents adds what a pack has, and what git added to it because it builds on
// that.
func (r *repair) contents(ctx context.Context, k keptPack, have, need map[string]bool) error {
	list, err := r.repo.entries(ctx, r.repo.path(k.name, ".idx"))
	if err != nil {
		return err
	}
	end := k.bytes - int64(newHash(r.repo.Format).Size()) // where the trailer was, and what was added begins
	scan := bufio.NewScanner(bytes.NewReader(list))
	for scan.Scan() {
		f := strings.Fields(scan.Text())
		if len(f) < 2 {
			return fmt.Errorf("git show-index printed %.100q", scan.Text())
		}
		at, err := strconv.ParseInt(f[0], 10, 64)
		if err != nil {
			return err
		}
		if at < end {
			have[f[1]] = true
		} else {
			need[f[1]] = true
		}
	}
	return scan.Err()
}

// lines is a writer that calls each with every line.
type lines struct {
	each func(string)
	rest []byte
}

func (l *lines) Write(p []byte) (int, error) {
	n := len(p)
	for {
		i := bytes.IndexByte(p, '\n')
		if i < 0 {
			l.rest = append(l.rest, p...)
			return n, nil
		}
		l.each(string(append(l.rest, p[:i]...)))
		l.rest, p = l.rest[:0], p[i+1:]
	}
}

// write makes one pack of objects.
func (r *repair) write(ctx context.Context, ids []string, lost []manifestv1.Pack) error {
	f := freshPack{}
	if len(r.out.Moved) == 0 && !r.lost {
		for _, p := range lost {
			f.generation = max(f.generation, p.Generation)
		}
	}
	var err error
	list := io.Reader(strings.NewReader(strings.Join(ids, "\n") + "\n"))
	if f.pack, f.index, err = r.repo.packWhole(ctx, filepath.Join(r.repo.Dir(), "new"), list); err != nil {
		return err
	}
	if f.pack != "" {
		r.fresh = append(r.fresh, f)
		r.act("a new pack", f.generation, fmt.Sprintf("stored, with %d objects that only what is lost had", len(ids)))
	}
	return nil
}

// publishes reports whether there is a next generation to make.
func (r *repair) publishes() bool {
	w := r.work
	return w.repairs != nil || w.snapshot || w.log != nil || len(w.drop) > 0 || len(w.index) > 0 || len(w.set) > 0 || len(r.fresh) > 0
}

// publish stores the packs and makes the generation that names them. b.mu is
// held.
func (r *repair) publish(ctx context.Context) (*State, error) {
	b, st := r.b, r.state
	to, err := seal.ParseRecipient(st.Membership.Recipient)
	if err != nil {
		return nil, err
	}
	next := st.Generation + 1
	if r.work.over != nil {
		next = r.work.over.Generation + 1
	}
	for _, f := range r.fresh {
		p, err := b.storePack(ctx, to, f.pack, f.index, r.repo.Progress)
		if err != nil {
			return nil, err
		}
		if p.Generation = f.generation; p.Generation == 0 {
			p.Generation = next
		}
		r.work.add = append(r.work.add, p)
	}
	if err := r.storeIndexes(ctx, to); err != nil {
		return nil, err
	}
	if err := r.storeLog(ctx, to); err != nil {
		return nil, err
	}
	manifest, snap := st.apply(r.work)
	if snap != nil {
		if manifest.Snapshot, err = b.storeSnapshot(ctx, snap, manifest.ObjectFormat, st.Membership); err != nil {
			return nil, err
		}
	} else {
		snap = st.snapshot
	}
	maps.Copy(b.anchors, r.in.b.anchors)
	return b.publishWith(ctx, manifest, snap, st.Membership)
}
