package bucket

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/vexa-ai/vexa/pkg/contract/manifestv1"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/workspace/git"
)

// scratchRepo is an empty repository in memory into which the packs of a bucket
// are brought to look at what is in them. It is not safe for concurrent use.
type scratchRepo struct {
	*Repo
	b    *Bucket
	drop func()
}

// newScratchRepo makes one below parent. borrow is the objects directory of
// another repository whose objects it has, too, without writing to it; empty:
// none.
func (b *Bucket) newScratchRepo(ctx context.Context, g *git.Git, parent, format, borrow string) (*scratchRepo, error) {
	dir, drop, err := roomBelow(parent)
	if err != nil {
		return nil, fault.Wrap(fault.Failed, "make a repository in "+parent, err)
	}
	r, err := initBare(ctx, g, dir, format, borrow)
	if err != nil {
		drop()
		return nil, fault.Wrap(fault.Failed, "make a repository in "+parent, err)
	}
	return &scratchRepo{Repo: r, b: b, drop: drop}, nil
}

func initBare(ctx context.Context, g *git.Git, dir, format, borrow string) (*Repo, error) {
	config := "[core]\n\trepositoryformatversion = 0\n\tbare = true\n"
	if format == formatSHA256 {
		config = "[core]\n\trepositoryformatversion = 1\n\tbare = true\n[extensions]\n\tobjectFormat = sha256\n"
	}
	files := map[string]string{"HEAD": "ref: refs/heads/main\n", "config": config}
	if borrow != "" {
		if strings.ContainsAny(borrow, "\n") || !filepath.IsAbs(borrow) {
			return nil, fault.Newf(fault.Invalid, "objects cannot be borrowed from %.200q", borrow)
		}
		files["objects/info/alternates"] = borrow + "\n"
	}
	for _, d := range []string{"objects/info", "objects/pack", "refs/heads"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o700); err != nil {
			return nil, err
		}
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			return nil, err
		}
	}
	return OpenRepo(ctx, g.Repo(dir))
}

// Close removes it.
func (s *scratchRepo) Close() { s.drop() }

// brought is a pack that was brought into a scratch repository.
type brought struct {
	name  string // "pack-<id>", in the repository
	bytes int64  // of the pack as the bucket has it; what git added to a thin one comes after
}

// errNoBase: a thin pack builds on objects that are not there.
var errNoBase = errors.New("it builds on objects that are not there")

// bring indexes a pack of the bucket; strict looks at every object's form, too.
// The error is the storage's or this machine's, or one that isFinding says is
// about the pack.
func (s *scratchRepo) bring(ctx context.Context, p manifestv1.Pack, strict bool) (brought, error) {
	in, err := s.b.openPack(ctx, p)
	if err != nil {
		return brought{}, err
	}
	defer in.Close()
	src := &failing{r: in}
	count := newPackCheck(s.Format)
	name, err := s.indexPack(ctx, io.TeeReader(src, count), "", strict)
	if src.err != nil {
		return brought{}, src.err
	}
	if err != nil {
		return brought{}, aboutPack(err)
	}
	if _, err := count.id(p.Objects); err != nil {
		return brought{}, fault.Wrap(fault.Invalid, "", err)
	}
	return brought{name: name, bytes: count.n}, nil
}

// aboutPack tells what git says of a pack from what it says of this machine.
func aboutPack(err error) error {
	e, said := errors.AsType[*git.Error](err)
	if !said || e.Code < 0 {
		return err
	}
	if strings.Contains(e.Stderr, "unresolved delta") {
		return fault.Wrap(fault.Invalid, "", errors.Join(errNoBase, err))
	}
	for _, words := range []string{"No space left", "out of memory", "Out of memory", "annot allocate", "Disk quota", "write error", "nable to create", "nable to write", "ermission denied", "Too many open files"} {
		if strings.Contains(e.Stderr, words) {
			return err
		}
	}
	return fault.Wrap(fault.Invalid, "git refuses the pack", err)
}

func (s *scratchRepo) path(name, ext string) string {
	return filepath.Join(s.Objects, "pack", name+ext)
}

// sameIndex compares the index that git made of a pack with the one that is
// stored.
func (s *scratchRepo) sameIndex(ctx context.Context, got brought, p manifestv1.Pack) error {
	in, err := s.b.openIndex(ctx, p)
	if err != nil {
		return err
	}
	path := s.path(got.name, ".stored")
	defer os.Remove(path) //nolint:errcheck // the repository is removed in the end
	if err := copyOut(in, path, io.Discard); err != nil {
		return err
	}
	same, err := sameFile(path, s.path(got.name, ".idx"))
	if err != nil || same {
		return err
	}
	// Another git may write another form of the same.
	made, err := s.entries(ctx, s.path(got.name, ".idx"))
	if err != nil {
		return err
	}
	kept, err := s.entries(ctx, path)
	if err != nil {
		return fault.Wrap(fault.Invalid, "git cannot read it", err)
	}
	if !bytes.Equal(made, kept) {
		return fault.New(fault.Invalid, "it says of objects what the pack does not hold: a member stored it so, and clones that trust it show other files than those that were committed", "")
	}
	return nil
}

// entries lists an index: offsets, ids and checksums of objects, by id.
func (s *scratchRepo) entries(ctx context.Context, path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	res, err := s.Run(ctx, git.Cmd{Args: []string{"show-index", "--object-format=" + s.Format}, Stdin: f, Limit: 8 << 30})
	return res.Stdout, err
}

func sameFile(a, b string) (bool, error) {
	fa, err := os.Open(a)
	if err != nil {
		return false, err
	}
	defer fa.Close()
	fb, err := os.Open(b)
	if err != nil {
		return false, err
	}
	defer fb.Close()
	bufA, bufB := make([]byte, 64<<10), make([]byte, 64<<10)
	for {
		n, errA := io.ReadFull(fa, bufA)
		m, errB := io.ReadFull(fb, bufB)
		if !bytes.Equal(bufA[:n], bufB[:m]) {
			return false, nil
		}
		switch {
		case errors.Is(errA, io.EOF) || errors.Is(errA, io.ErrUnexpectedEOF):
			return errors.Is(errB, io.EOF) || errors.Is(errB, io.ErrUnexpectedEOF), nil
		case errA != nil || errB != nil:
			return false, fmt.Errorf("compare two indexes: %w", errors.Join(errA, errB))
		}
	}
}

// remove removes a pack again.
func (s *scratchRepo) remove(name string) {
	for _, ext := range []string{".idx", ".rev", ".pack"} {
		_ = os.Remove(s.path(name, ext))
	}
}
