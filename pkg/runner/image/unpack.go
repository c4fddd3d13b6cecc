package image

import (
	"cmp"
	"context"
	"errors"
	"io"
	"io/fs"
	"runtime"
	"slices"
	"sync"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/runner/image/deb"
	"github.com/vexa-ai/vexa/pkg/runner/image/npm"
	"github.com/vexa-ai/vexa/pkg/runner/image/store"
	"github.com/vexa-ai/vexa/pkg/runner/image/tree"
	builtin "github.com/vexa-ai/vexa/pkg/runtime/image"
)

// unpack puts the tree of an image together.
func (l Lock) unpack(ctx context.Context, o Options, spool *tree.Spool) (*tree.Tree, error) {
	t := tree.New(spool)
	_, open, err := builtin.Resolve(builtin.Empty)
	if err != nil {
		return nil, err
	}
	base, err := open()
	if err != nil {
		return nil, err
	}
	if err := t.Extract("the built-in image", base, func(name string) string { return name }); err != nil {
		return nil, err
	}
	jobs, err := l.packed(o.Arch)
	if err != nil {
		return nil, err
	}
	trees, err := extractAll(ctx, spool, o.Cache, jobs)
	if err != nil {
		return nil, err
	}
	system := len(l.Locked[o.Arch].Debian)
	if err := join(t, trees[:system]); err != nil {
		return nil, err
	}
	if err := l.System.finish(t); err != nil {
		return nil, err
	}
	t.NextLayer()
	if err := join(t, trees[system:]); err != nil {
		return nil, err
	}
	return t, links(t, l.Program.Links, o.Arch)
}

func join(t *tree.Tree, trees []*tree.Tree) error {
	for _, sub := range trees {
		if err := t.Join(sub); err != nil {
			return err
		}
	}
	return nil
}

// packed lists what is unpacked, the packages of Debian first.
func (l Lock) packed(arch string) (out []packed, err error) {
	for _, d := range l.Locked[arch].Debian {
		out = append(out, packed{"Debian's " + d.Package + " " + d.Version, d.SHA256, d.Size, deb.Data, l.System.choose(d.Package)})
	}
	wanted := l.Program.For(arch)
	for i, n := range l.Locked[arch].NPM {
		digest, err := store.ParseIntegrity(n.Integrity)
		if err != nil {
			return nil, err
		}
		out = append(out, packed{"npm's " + n.Package + " " + n.Version, digest, n.Size, npm.Data, wanted[i].choose})
	}
	return out, nil
}

// extractAll unpacks inputs at once, each into a tree of its own, since
// decompressing takes the most of a build. The largest is begun first.
func extractAll(ctx context.Context, spool *tree.Spool, c store.Cache, jobs []packed) (_ []*tree.Tree, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	out := make([]*tree.Tree, len(jobs))
	order := make([]int, len(jobs))
	for i := range jobs {
		out[i], order[i] = tree.New(spool), i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(jobs[b].size, jobs[a].size) })
	slots := make(chan struct{}, runtime.GOMAXPROCS(0))
	var wg sync.WaitGroup
	var once sync.Once // the first error is why the others ended
	for _, i := range order {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			if jobErr := extract(ctx, out[i], c, jobs[i]); jobErr != nil {
				once.Do(func() { err = jobErr })
				cancel()
			}
		})
	}
	wg.Wait()
	return out, err
}

// packed is an input that is to be unpacked.
type packed struct {
	what   string
	digest store.Digest
	size   int64
	data   func(io.Reader) (io.Reader, error) // its tar
	choose tree.Choice
}

// extract puts one input into the tree.
func extract(ctx context.Context, t *tree.Tree, c store.Cache, p packed) error {
	what := p.what
	if err := ctx.Err(); err != nil {
		return fault.Wrap(fault.Interrupted, "unpack "+what, err)
	}
	f, err := c.Open(p.digest)
	if errors.Is(err, fs.ErrNotExist) {
		return fault.New(fault.Conflict, what+" went from the cache "+c.Dir, "try again")
	}
	if err != nil {
		return err
	}
	defer f.Close()
	in, err := p.data(f)
	if err != nil {
		return fault.Wrap(fault.Invalid, "unpack "+what, err)
	}
	return t.Extract(what, in, p.choose)
}
