package workspace

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/internal/atomicfile"
	"github.com/vexa-ai/vexa/pkg/workspace/git"
	"github.com/vexa-ai/vexa/pkg/workspace/object"
)

// The pack cache holds what main reaches, and nothing else, as a chain of
// packs: each has what its tip reaches and the tips before do not. Checkouts
// get hard links, so that a pack that was consolidated away stays where it is
// mounted.

// chain is chain.json beside the packs.
type chain struct {
	Links []chainLink `json:"links"`
}

type chainLink struct {
	Tip   string `json:"tip"`  // commit of main
	Pack  string `json:"pack"` // "pack-<id>"; empty where the tip added no object
	Bytes int64  `json:"bytes"`
}

// maxChain is how many packs a chain may have before the newest of them are
// made into one.
const maxChain = 16

// startHistory brings the pack cache up to main, links it into the checkout's
// history directory and returns main's commit.
func (s *Store) startHistory(ctx context.Context, r *repo, c *Checkout) (object.ID, error) {
	dir := s.packsDir(r.id)
	if s.opt.Packs != "" {
		if err := makePrivate(s.opt.Packs); err != nil {
			return object.ID{}, err
		}
	}
	if err := makePrivate(dir); err != nil {
		return object.ID{}, err
	}
	unlock, err := s.lock(ctx, filepath.Join(dir, "lock"))
	if err != nil {
		return object.ID{}, err
	}
	defer unlock()
	main, err := r.ref(refMain)
	if err != nil {
		return main, err
	}
	links, err := r.extendChain(ctx, dir, main)
	if err != nil {
		return main, fault.Wrap(fault.Internal, "pack the history of workspace "+r.name, err)
	}
	target := filepath.Join(c.note.History, "pack")
	if err := errors.Join(os.Mkdir(target, 0o755), os.Chmod(target, 0o755)); err != nil { //nolint:gosec // the container's user reads it
		return main, err
	}
	for _, l := range links {
		for _, ext := range []string{".idx", ".pack"} {
			if l.Pack == "" {
				continue
			}
			if err := linkOrCopy(filepath.Join(dir, "pack", l.Pack+ext), filepath.Join(target, l.Pack+ext)); err != nil {
				return main, err
			}
		}
	}
	return main, nil
}

// linkOrCopy makes to a hard link to from, or a copy on another file system.
func linkOrCopy(from, to string) error {
	err := os.Link(from, to)
	if !errors.Is(err, syscall.EXDEV) {
		return err
	}
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o444) //nolint:gosec // the container's user reads it
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Chmod(0o444), out.Close())
}

// extendChain returns the chain for main, packing what is new. A chain that
// cannot be read, or whose last tip main does not hold, is made anew.
func (r *repo) extendChain(ctx context.Context, dir string, main object.ID) ([]chainLink, error) {
	ch := readChain(dir)
	if n := len(ch.Links); n > 0 {
		last, err := object.ParseID(ch.Links[n-1].Tip)
		if err != nil {
			return nil, err
		}
		if last == main {
			return ch.Links, nil
		}
		holds, err := r.isAncestor(ctx, last, main)
		if err != nil || !holds {
			ch.Links = nil // rewritten, or the commit is gone
		}
	}
	if err := os.MkdirAll(filepath.Join(dir, "pack"), 0o700); err != nil {
		return nil, err
	}
	if err := r.addLink(ctx, dir, &ch, main); err != nil {
		return nil, err
	}
	data, err := json.Marshal(ch)
	if err != nil {
		return nil, err
	}
	if err := atomicfile.WriteFile(filepath.Join(dir, "chain.json"), data, 0o600); err != nil {
		return nil, err
	}
	return ch.Links, r.dropStale(dir, ch)
}

// readChain reads the chain; one that is damaged or lacks a pack is empty.
func readChain(dir string) chain {
	var ch chain
	data, err := os.ReadFile(filepath.Join(dir, "chain.json"))
	if err != nil || json.Unmarshal(data, &ch) != nil {
		return chain{}
	}
	for _, l := range ch.Links {
		for _, ext := range []string{".idx", ".pack"} {
			if _, err := os.Stat(filepath.Join(dir, "pack", l.Pack+ext)); l.Pack != "" && err != nil {
				return chain{}
			}
		}
	}
	return ch
}

// addLink packs what main reaches beyond the chain. Where the chain is long, or
// its newer packs have grown to half of what is before them, those are packed
// again together with the new ones, so that the work stays in proportion to
// the change.
func (r *repo) addLink(ctx context.Context, dir string, ch *chain, main object.ID) error {
	if n := len(ch.Links); n >= maxChain {
		keep := n - 1
		size := ch.Links[keep].Bytes
		for keep > 0 && (ch.Links[keep-1].Bytes < 2*size || keep > maxChain/2) {
			keep--
			size += ch.Links[keep].Bytes
		}
		ch.Links = ch.Links[:keep]
	}
	revs := main.String() + "\n"
	if n := len(ch.Links); n > 0 {
		revs += "^" + ch.Links[n-1].Tip + "\n"
	}
	res, err := r.Run(ctx, git.Cmd{
		Args:  []string{"pack-objects", "--revs", "--quiet", "--delta-base-offset", filepath.Join(dir, "pack", "pack")},
		Stdin: strings.NewReader(revs),
		// Git renames its temporary file from here; the repository may lie on
		// another file system.
		Objects: dir,
	})
	if err != nil {
		return err
	}
	link := chainLink{Tip: main.String()}
	if sum := strings.TrimSpace(string(res.Stdout)); sum != "" {
		link.Pack = "pack-" + sum
		st, err := os.Stat(filepath.Join(dir, "pack", link.Pack+".pack"))
		if err != nil {
			return fmt.Errorf("git wrote no pack: %w", err)
		}
		link.Bytes = st.Size()
	}
	ch.Links = append(ch.Links, link)
	return nil
}

// dropStale removes the packs that are no longer in the chain, and what killed
// writers left. Mounted histories have links of their own.
func (r *repo) dropStale(dir string, ch chain) error {
	entries, err := os.ReadDir(filepath.Join(dir, "pack"))
	if err != nil {
		return err
	}
	for _, e := range entries {
		name := strings.TrimSuffix(strings.TrimSuffix(e.Name(), ".idx"), ".pack")
		if slices.ContainsFunc(ch.Links, func(l chainLink) bool { return l.Pack == name }) {
			continue
		}
		if err := os.Remove(filepath.Join(dir, "pack", e.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
