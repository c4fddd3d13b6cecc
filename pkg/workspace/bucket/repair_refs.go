package bucket

import (
	"context"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/vexa-ai/vexa/pkg/contract/manifestv1"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/seal"
	"github.com/vexa-ai/vexa/pkg/workspace/git"
)

const (
	headsPrefix   = "refs/heads/"
	remotesPrefix = "refs/remotes/"
)

// refs takes branches from the clone that it has newer, where generations were
// lost. A branch of the clone itself, which may have been pushed nowhere, is
// taken only where no remote-tracking one says what was.
func (r *repair) refs(ctx context.Context) error {
	if r.from == nil || !r.lost {
		return nil
	}
	who, err := r.b.self(ctx, r.state)
	if err != nil {
		return err
	}
	theirs, err := r.from.Refs(ctx)
	if err != nil {
		return err
	}
	r.work.set = map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(r.state.Refs)) {
		if strings.HasPrefix(name, "refs/tags/") || !Allows(who, RightWrite, name) {
			continue
		}
		best, err := r.newest(ctx, name, theirs)
		if err != nil {
			return err
		}
		if best.From == "" {
			continue
		}
		r.out.Moved = append(r.out.Moved, best)
		r.work.set[name] = best.New
		r.act(name, 0, "moved forward from "+best.Old+" to "+best.New+", as the clone has it in "+best.From)
	}
	moved := *r.state
	moved.Refs = maps.Clone(r.state.Refs)
	maps.Copy(moved.Refs, r.work.set)
	r.state = &moved
	r.offer(theirs)
	return nil
}

// newest finds where the clone has a ref newer, whole; From is empty where it has
// not.
func (r *repair) newest(ctx context.Context, name string, theirs map[string]string) (MovedRef, error) {
	old := MovedRef{Ref: name, Old: r.state.Refs[name], New: r.state.Refs[name]}
	best := old
	for _, c := range candidates(theirs, name, r.opt.Remote) {
		forward, err := r.repo.isAncestor(ctx, best.New, theirs[c])
		if err != nil {
			return old, err
		}
		if forward && best.New != theirs[c] {
			best.New, best.From = theirs[c], c
		}
	}
	if best.From == "" {
		return old, nil
	}
	whole, err := r.repo.reachesAll(ctx, []string{best.New}, nil)
	if err != nil || !whole { // the clone lacks some of it
		return old, err
	}
	return best, nil
}

// candidates are the refs of a clone that may be a ref of the bucket.
func candidates(theirs map[string]string, name, remote string) []string {
	branch, ok := strings.CutPrefix(name, headsPrefix)
	if !ok {
		if theirs[name] == "" {
			return nil
		}
		return []string{name}
	}
	var out []string
	for _, c := range slices.Sorted(maps.Keys(theirs)) {
		if b, of := remoteBranch(c, remote); of && b == branch {
			out = append(out, c)
		}
	}
	if len(out) == 0 && theirs[name] != "" {
		out = append(out, name)
	}
	return out
}

// remoteBranch returns the branch that a remote-tracking ref follows. Without a
// remote its name is taken to have no slash.
func remoteBranch(ref, remote string) (string, bool) {
	rest, ok := strings.CutPrefix(ref, remotesPrefix)
	if !ok {
		return "", false
	}
	if remote != "" {
		branch, ok := strings.CutPrefix(rest, remote+"/")
		return branch, ok && branch != "HEAD"
	}
	_, branch, ok := strings.Cut(rest, "/")
	return branch, ok && branch != "HEAD"
}

// offer notes what the clone has of a remote and the bucket has not.
func (r *repair) offer(theirs map[string]string) {
	for _, c := range slices.Sorted(maps.Keys(theirs)) {
		if branch, ok := remoteBranch(c, r.opt.Remote); ok && r.state.Refs[headsPrefix+branch] == "" {
			r.out.Offered = append(r.out.Offered, c)
		}
	}
}

// Refs returns the refs of a repository with what they point at.
func (r *Repo) Refs(ctx context.Context) (map[string]string, error) {
	res, err := r.Run(ctx, git.Cmd{Args: []string{"for-each-ref", "--format=%(objectname) %(refname)"}, Limit: 1 << 30})
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	for line := range strings.Lines(string(res.Stdout)) {
		id, name, ok := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		if ok {
			out[name] = id
		}
	}
	return out, nil
}

// plan decides on what the next generation needs besides packs, and whether this
// installation may make it.
func (r *repair) plan(ctx context.Context) error {
	if r.state == nil {
		return nil
	}
	r.newLog()
	if !r.publishes() {
		return nil
	}
	who, err := r.b.self(ctx, r.state)
	if err != nil {
		return err
	}
	if r.work.repairs != nil && !Allows(who, RightAdmin, Everything) {
		return fault.New(fault.Denied, "generations of the bucket at "+r.b.store.URL()+" have to be passed over to repair it, which is for an administrator", "ask an administrator to repair it")
	}
	return nil
}

// newLog makes a log where the one that there is cannot be read, or where a
// generation is lost that others may have seen last.
func (r *repair) newLog() {
	in := r.in
	last := int64(0)
	if l := in.head.Log; l != nil && in.bad[l.SHA256] != "" {
		last = l.Generation
		r.act(objectName(l.SHA256), l.Generation, "made again of what is known")
	}
	for _, h := range in.holes {
		if h.generation < in.head.Generation && h.sha256 != "" {
			last = max(last, h.generation)
			r.act(manifestName(h.generation), h.generation, "noted as removed: whoever has seen it can go on")
		}
	}
	if last == 0 {
		return
	}
	if in.head.Log != nil {
		last = max(last, in.head.Log.Generation)
	}
	r.work.log = &manifestv1.Log{Generation: last}
	if in.head.Log != nil {
		r.work.retire = append(r.work.retire, in.head.Log.SHA256)
	}
}

// storeLog stores the log that newLog decided on.
func (r *repair) storeLog(ctx context.Context, to seal.Recipient) error {
	if r.work.log == nil {
		return nil
	}
	in, last := r.in, r.work.log.Generation
	hashes := maps.Clone(in.log)
	note := func(g int64, hash string) {
		if g > 0 && g <= last && hash != "" {
			hashes[g] = hash
		}
	}
	for _, s := range in.good {
		note(s.Generation, s.sha256)
		note(predecessor(s).Generation, predecessor(s).SHA256)
		if s.Log == nil || in.head.Log == nil || s.Log.SHA256 == in.head.Log.SHA256 || len(in.log) > 0 {
			continue
		}
		text, f, err := in.small(ctx, manifestv1.Object{SHA256: s.Log.SHA256, Size: s.Log.Size})
		if err != nil {
			return err
		}
		if f != nil {
			continue
		}
		if old, err := decodeLog(text); err == nil {
			for g, hash := range old {
				note(g, hash)
			}
		}
	}
	if !in.pin.Unverified {
		note(in.pin.Generation, in.pin.SHA256)
	}
	o, err := r.b.writeSmall(ctx, encodeLog(hashes), to)
	r.work.log.SHA256, r.work.log.Size = o.SHA256, o.Size
	return err
}

// storeIndexes stores the indexes that were made again.
func (r *repair) storeIndexes(ctx context.Context, to seal.Recipient) error {
	for hash := range r.work.index {
		o, err := r.b.storeFile(ctx, to, r.remade[hash])
		if err != nil {
			return err
		}
		r.work.index[hash] = o
	}
	return nil
}

// storeFile stores what a file holds.
func (b *Bucket) storeFile(ctx context.Context, to seal.Recipient, path string) (manifestv1.Object, error) {
	return b.storeObject(ctx, to, func(w io.Writer) error {
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		_, err = io.CopyBuffer(struct{ io.Writer }{w}, struct{ io.Reader }{f}, make([]byte, 256<<10))
		return err
	})
}
