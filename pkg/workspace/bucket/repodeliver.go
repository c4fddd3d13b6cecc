package bucket

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/workspace/git"
)

// What a repository does for an inbox: packs that stand alone, and what they are to have.

// Pack writes a pack of what include reaches and exclude does not, in which no delta has
// its base elsewhere, and returns how many objects it holds.
func (r *Repo) Pack(ctx context.Context, include, exclude []string, w io.Writer) (objects int64, err error) {
	head := packHead{w: w}
	dst := &failingWriter{w: &head}
	_, err = r.Run(ctx, git.Cmd{
		Args:  append([]string{"pack-objects", "--revs", "--stdout", "--delta-base-offset"}, r.verbosity()...),
		Stdin: revs(include, exclude), Stdout: dst, Progress: r.Progress,
	})
	if dst.err != nil {
		return 0, dst.err
	}
	return head.objects(), lacking(err)
}

// Boundary returns the commits at which what include reaches and exclude does not
// begins: those that exclude reaches, and what is new builds on, in order. A commit of
// include that exclude reaches is one of them.
func (r *Repo) Boundary(ctx context.Context, include, exclude []string) ([]string, error) {
	res, err := r.Run(ctx, git.Cmd{Args: []string{"rev-list", "--boundary", "--stdin"}, Stdin: revs(include, exclude), Limit: 1 << 30})
	if err != nil {
		return nil, err
	}
	fresh := map[string]bool{}
	var out []string
	for line := range strings.Lines(string(res.Stdout)) {
		id, boundary := strings.CutPrefix(strings.TrimSpace(line), "-")
		if boundary {
			out = append(out, id)
		}
		fresh[id] = true
	}
	for _, id := range include {
		if !fresh[id] {
			out = append(out, id)
		}
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// Missing returns an object that include reaches and that neither exclude reaches nor the
// set has, or that cannot be read; "" is none.
func (r *Repo) Missing(ctx context.Context, include, exclude []string, set map[string]bool) (string, error) {
	left, whole, err := r.reached(ctx, include, exclude, set)
	if err != nil || !whole {
		return "an object", err
	}
	if len(left) == 0 || len(exclude) == 0 {
		return first(left), nil
	}
	// Where clocks are off git walks past what is excluded: all of that is looked at.
	known := map[string]bool{}
	all, whole, err := r.reached(ctx, exclude, nil, nil)
	if err != nil || !whole {
		return "an object", err
	}
	for _, id := range all {
		known[id] = true
	}
	return first(slices.DeleteFunc(left, func(id string) bool { return known[id] })), nil
}

func first(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return list[0]
}

// reached lists the objects that include reaches, less those that a walk from there does
// not come to for what is excluded, and those of a set. whole is false where one cannot
// be read.
func (r *Repo) reached(ctx context.Context, include, exclude []string, set map[string]bool) (ids []string, whole bool, err error) {
	res, err := r.Run(ctx, git.Cmd{Args: []string{"rev-list", "--objects", "--stdin"}, Stdin: revs(include, exclude), Limit: 1 << 30, OK: []int{128}})
	if err != nil || res.Code != 0 {
		return nil, false, err
	}
	for line := range strings.Lines(string(res.Stdout)) {
		id, _, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		if !set[id] {
			ids = append(ids, id)
		}
	}
	return ids, true, nil
}

// Unpack takes over a pack from somebody whose objects are looked at one by one: their
// ids are computed and their forms checked, all deltas have their bases in it, and nothing
// of it is in the repository unless all of it is good; else the error is fault.Invalid. An
// error of the reader is returned. The ids are those of its objects.
func (r *Repo) Unpack(ctx context.Context, pack io.Reader) (ids map[string]bool, err error) {
	name, err := r.index(ctx, pack, "", true, "index-pack", "--stdin", "--fsck-objects")
	err = r.trouble(err)
	if e, ok := errors.AsType[*git.Error](err); ok && e.Code > 0 && fault.KindOf(err) == fault.Internal {
		return nil, fault.Wrap(fault.Invalid, "the pack is not sound", err)
	}
	if err != nil {
		return nil, err
	}
	index, err := os.Open(filepath.Join(r.Objects, "pack", name+".idx"))
	if err != nil {
		return nil, err
	}
	defer index.Close()
	res, err := r.Run(ctx, git.Cmd{Args: []string{"show-index"}, Stdin: index, Limit: 1 << 30})
	if err != nil {
		return nil, err
	}
	ids = map[string]bool{}
	for line := range strings.Lines(string(res.Stdout)) {
		if f := strings.Fields(line); len(f) >= 2 {
			ids[f[1]] = true
		}
	}
	return ids, nil
}
