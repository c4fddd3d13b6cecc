package workspace

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/internal/textform"
	"github.com/vexa-ai/vexa/pkg/workspace/git"
	"github.com/vexa-ai/vexa/pkg/workspace/object"
)

// Private refs hold what belongs to a workspace but to no working tree:
// session capsules. They live under refs/vexa/, which no branch reaches, so that
// no checkout and no pack of a history holds them.

const privateSpace = "refs/vexa/"

var (
	// privateForm is a private ref's name below refs/vexa/.
	privateForm = textform.Regexp(`^[a-z]+(?:/[A-Za-z0-9_%-]+)+$`)
	// prefixForm is what some of them begin with.
	prefixForm = textform.Regexp(`^[a-z]+/(?:[A-Za-z0-9_%-]+/)*$`)
)

// PrivateFile is one file of a private commit. Write is called once.
type PrivateFile struct {
	Name  string
	Write func(io.Writer) error
}

// PrivateRef is one private ref.
type PrivateRef struct {
	Name string // below refs/vexa/
	SHA  string
	Time time.Time // of its commit
}

// PutPrivate commits files, and nothing else, to the private ref "name". Its
// history is kept until it is longer than keep commits; then it starts anew.
func (s *Store) PutPrivate(ctx context.Context, id, name string, keep int, files []PrivateFile) error {
	r, err := s.openPrivate(ctx, id, name)
	if err != nil {
		return err
	}
	pack := object.NewStoredPack(r.packDir())
	defer func() {
		if pack != nil {
			pack.Abort()
		}
	}()
	entries := make([]object.TreeEntry, 0, len(files))
	for _, f := range files {
		blob, err := addFile(r.packDir(), pack, f.Write)
		if err != nil {
			return fmt.Errorf("keep %s: %w", f.Name, err)
		}
		entries = append(entries, object.TreeEntry{Name: f.Name, Mode: object.ModeFile, ID: blob})
	}
	root, err := pack.Add(object.KindTree, object.EncodeTree(entries))
	if err != nil {
		return err
	}
	put := &putting{store: s, repo: r, name: name, keep: keep, root: root, pack: pack}
	pack = nil
	defer put.abort()
	return r.change(ctx, func() error { return put.try(ctx) })
}

// putting is a private commit on its way.
type putting struct {
	store *Store
	repo  *repo
	name  string
	keep  int
	root  object.ID
	pack  *object.Pack // nil: a try has finished it
	packs []string     // that are finished
}

func (p *putting) abort() {
	if p.pack != nil {
		p.pack.Abort()
	}
}

// try makes the commit and publishes it; the workspace's lock is held.
func (p *putting) try(ctx context.Context) error {
	r := p.repo
	old, err := r.ref(privateSpace + p.name)
	if err != nil {
		return err
	}
	parents, depth, err := r.boundedParents(ctx, old, p.keep)
	if err != nil {
		return err
	}
	if p.pack == nil {
		p.pack = object.NewStoredPack(r.packDir())
	}
	commit, err := p.pack.Add(object.KindCommit, p.store.commit(vexaAuthor(), p.root, parents, message{
		subject: "Keep", trailers: [][2]string{{trailerDepth, strconv.Itoa(depth)}},
	}))
	if err != nil {
		return err
	}
	done, err := p.pack.Finish()
	if err != nil {
		return err
	}
	p.pack, p.packs = nil, append(p.packs, done)
	p.store.step("private")
	if err := r.publish(ctx, []move{{ref: privateSpace + p.name, from: old, to: commit}}, p.packs); err != nil {
		return err
	}
	if len(parents) == 0 && !old.IsZero() {
		return r.wantPrune()
	}
	return nil
}

// vexaAuthor is who commits what is nobody's.
func vexaAuthor() Author { return Author{Subject: CommitterName, Email: CommitterEmail} }

// boundedParents is old, or nothing where its history has reached keep commits;
// depth is how many commits the history then has with the next.
func (r *repo) boundedParents(ctx context.Context, old object.ID, keep int) (parents []object.ID, depth int, err error) {
	if old.IsZero() {
		return nil, 1, nil
	}
	c, err := r.readCommit(ctx, old)
	if err != nil {
		return nil, 0, err
	}
	_, said, _ := strings.Cut(c.Message, "\n"+trailerDepth+": ")
	depth, err = strconv.Atoi(strings.TrimSpace(said))
	if err != nil || depth < 1 { // written before commits said it, or by somebody else
		if depth, err = r.depth(ctx, old, keep); err != nil {
			return nil, 0, err
		}
	}
	if depth >= keep {
		return nil, 1, nil
	}
	return []object.ID{old}, depth + 1, nil
}

// depth counts the commits of a history, up to limit.
func (r *repo) depth(ctx context.Context, from object.ID, limit int) (int, error) {
	res, err := r.Run(ctx, git.Cmd{Args: []string{"rev-list", "--count", "--max-count=" + strconv.Itoa(limit), from.String()}})
	if err != nil {
		return 0, err
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(res.Stdout)))
	if err != nil {
		return 0, fmt.Errorf("git rev-list counted %q", res.Stdout)
	}
	return n, nil
}

// timeOf reads the committer's time of a commit.
func timeOf(o git.Object) (time.Time, error) {
	if o.Type != "commit" || o.Size > object.MaxCommit {
		return time.Time{}, fmt.Errorf("%s is a %s of %d bytes, not a commit", o.ID, o.Type, o.Size)
	}
	data := make([]byte, o.Size)
	if _, err := io.ReadFull(o.Content, data); err != nil {
		return time.Time{}, err
	}
	c, err := object.ParseCommit(data)
	if err != nil {
		return time.Time{}, fmt.Errorf("commit %s: %w", o.ID, err)
	}
	return c.Committer.Time, nil
}

// inMemory is how much of a private file is held in memory.
const inMemory = 1 << 20

// spool holds a file whose size is not known beforehand: in memory, and once it
// is larger than inMemory in a file that has no name.
type spool struct {
	dir  string
	buf  bytes.Buffer
	file *os.File
}

// Write adds to what is held.
func (s *spool) Write(p []byte) (int, error) {
	if s.file == nil && s.buf.Len()+len(p) <= inMemory {
		return s.buf.Write(p)
	}
	if s.file == nil {
		f, err := os.CreateTemp(s.dir, "tmp_blob_*")
		if err != nil {
			return 0, err
		}
		s.file = f
		if err := os.Remove(f.Name()); err != nil {
			return 0, err
		}
		if _, err := s.buf.WriteTo(f); err != nil {
			return 0, err
		}
	}
	return s.file.Write(p)
}

// addTo adds what was written as a blob.
func (s *spool) addTo(pack *object.Pack) (object.ID, error) {
	if s.file == nil {
		return pack.Add(object.KindBlob, s.buf.Bytes())
	}
	size, err := s.file.Seek(0, io.SeekCurrent)
	if err != nil {
		return object.ID{}, err
	}
	if _, err := s.file.Seek(0, io.SeekStart); err != nil {
		return object.ID{}, err
	}
	return pack.AddStream(object.KindBlob, size, s.file)
}

func (s *spool) close() {
	if s.file != nil {
		_ = s.file.Close() // it has no name
	}
}

// addFile adds what write writes as a blob.
func addFile(dir string, pack *object.Pack, write func(io.Writer) error) (object.ID, error) {
	s := &spool{dir: dir}
	defer s.close()
	if err := write(s); err != nil {
		return object.ID{}, err
	}
	return s.addTo(pack)
}

// ReadPrivate calls read with the content of one file of a private ref. It
// returns fault.NotFound where there is no such ref or file.
func (s *Store) ReadPrivate(ctx context.Context, id, name, file string, read func(io.Reader) error) error {
	r, err := s.openPrivate(ctx, id, name)
	if err != nil {
		return err
	}
	if err := git.CheckPath(file); err != nil {
		return err
	}
	missing := fault.New(fault.NotFound, "nothing is kept as "+name, "")
	commit, err := r.ref(privateSpace + name)
	if err != nil {
		return err
	}
	if commit.IsZero() {
		return missing
	}
	e, err := r.entry(ctx, commit, file)
	if err != nil {
		return err
	}
	if e.ID.IsZero() {
		return missing
	}
	return r.Objects(ctx, []string{e.ID.String()}, func(o git.Object) error { return read(o.Content) })
}

// ListPrivate returns the private refs below a prefix that ends in a slash, the
// newest first.
func (s *Store) ListPrivate(ctx context.Context, id, prefix string) ([]PrivateRef, error) {
	if len(prefix) > 512 || !prefixForm.MatchString(prefix) {
		return nil, fault.Newf(fault.Invalid, "not a prefix of private refs: %q", prefix)
	}
	r, err := s.open(ctx, id)
	if err != nil {
		return nil, err
	}
	refs, err := r.refsBelow(privateSpace + prefix)
	if err != nil {
		return nil, err
	}
	var out []PrivateRef
	var ids []string
	for name, id := range refs {
		out = append(out, PrivateRef{Name: strings.TrimPrefix(name, privateSpace), SHA: id.String()})
		ids = append(ids, id.String())
	}
	next := 0
	err = r.Objects(ctx, ids, func(o git.Object) error {
		t, err := timeOf(o)
		out[next].Time = t
		next++
		return err
	})
	slices.SortFunc(out, func(a, b PrivateRef) int { return cmp.Or(b.Time.Compare(a.Time), cmp.Compare(a.Name, b.Name)) })
	return out, err
}

// DropPrivate removes a private ref, which need not exist.
func (s *Store) DropPrivate(ctx context.Context, id, name string) error {
	r, err := s.openPrivate(ctx, id, name)
	if err != nil {
		return err
	}
	return r.change(ctx, func() error {
		old, err := r.ref(privateSpace + name)
		if err != nil || old.IsZero() {
			return err
		}
		if err := r.publish(ctx, []move{{ref: privateSpace + name, from: old}}, nil); err != nil {
			return err
		}
		return errors.Join(r.dropRef(ctx, privateSpace+name), r.wantPrune())
	})
}

func (s *Store) openPrivate(ctx context.Context, id, name string) (*repo, error) {
	if len(name) > 512 || !privateForm.MatchString(name) {
		return nil, fault.Newf(fault.Invalid, "not the name of a private ref: %q", name)
	}
	return s.open(ctx, id)
}
