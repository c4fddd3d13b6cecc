package workspace

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/workspace/git"
	"github.com/vexa-ai/vexa/pkg/workspace/object"
	"github.com/vexa-ai/vexa/pkg/workspace/tree"
)

// writers is how many files are written at once.
const writers = 2

// small is the size up to which a file is handed to a writer in one piece.
const small = 1 << 20

// materialise writes the tree of the checkout's index, the blobs' bytes as they
// are, and a disposable .git. Each file's modification time is that of the
// commit, so that the container's git sees at once what was changed since. The
// index learns the files' stats.
func (s *Store) materialise(ctx context.Context, r *repo, c *Checkout, when time.Time) error {
	root, err := unix.Open(c.note.Dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(root) //nolint:errcheck // a directory
	m := &materialiser{root: root, when: when}
	if err := m.directories("", &c.index.Root); err != nil {
		return err
	}
	if err := m.files(ctx, r); err != nil {
		return fault.Wrap(fault.Internal, "check out workspace "+r.name, err)
	}
	if err := m.makeLinks(); err != nil {
		return err
	}
	return writeGitDir(c, when)
}

// materialiser writes one checkout.
type materialiser struct {
	root  int
	when  time.Time
	todo  []target // regular files
	links []target
}

// target is one file to be written.
type target struct {
	path  string
	entry *tree.Entry
	text  string // of a link
}

// directories makes the directories and notes what is to be written.
func (m *materialiser) directories(prefix string, dir *tree.Entry) error {
	for i := range dir.Children {
		e := &dir.Children[i]
		path := prefix + e.Name
		switch e.Mode {
		case object.ModeFile, object.ModeExec, object.ModeLink:
			m.todo = append(m.todo, target{path: path, entry: e})
			continue
		}
		if err := unix.Mkdirat(m.root, path, 0o755); err != nil {
			return &os.PathError{Op: "mkdir", Path: path, Err: err}
		}
		if err := unix.Fchmodat(m.root, path, 0o755, 0); err != nil {
			return &os.PathError{Op: "chmod", Path: path, Err: err}
		}
		if err := m.directories(path+"/", e); err != nil {
			return err
		}
	}
	return nil
}

// piece is a small file on its way to a writer.
type piece struct {
	target
	data []byte
}

// files reads the blobs through one git process and writes them.
func (m *materialiser) files(ctx context.Context, r *repo) error {
	ids := make([]string, len(m.todo))
	for i := range m.todo {
		ids[i] = m.todo[i].entry.ID.String()
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	work := make(chan piece, 16*writers)
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			for p := range work {
				if ctx.Err() != nil {
					continue
				}
				if err := m.write(p.target, bytes.NewReader(p.data), int64(len(p.data))); err != nil {
					cancel(err)
				}
			}
		})
	}
	next := 0
	err := r.Objects(ctx, ids, func(o git.Object) error {
		t := m.todo[next]
		next++
		return m.take(ctx, t, o, work)
	})
	close(work)
	wg.Wait()
	return cmp.Or(context.Cause(ctx), err)
}

// take writes one blob, or hands it to a writer.
func (m *materialiser) take(ctx context.Context, t target, o git.Object, work chan<- piece) error {
	if o.Type != "blob" {
		return fmt.Errorf("%s is a %s, not a file", tree.Escape(t.path), o.Type)
	}
	if t.entry.Mode == object.ModeLink {
		return m.noteLink(t, o)
	}
	if o.Size > small {
		return m.write(t, o.Content, o.Size)
	}
	data := make([]byte, o.Size)
	if _, err := io.ReadFull(o.Content, data); err != nil {
		return err
	}
	select {
	case work <- piece{t, data}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (m *materialiser) noteLink(t target, o git.Object) error {
	if o.Size == 0 || o.Size >= unix.PathMax {
		return fmt.Errorf("%s is not a link", tree.Escape(t.path))
	}
	text, err := io.ReadAll(o.Content)
	if err != nil {
		return err
	}
	if strings.ContainsRune(string(text), 0) {
		return fmt.Errorf("%s is not a link", tree.Escape(t.path))
	}
	t.text = string(text)
	m.links = append(m.links, t)
	return nil
}

// write makes one file and learns its stat.
func (m *materialiser) write(t target, content io.Reader, size int64) error {
	perm := uint32(0o644)
	if t.entry.Mode == object.ModeExec {
		perm = 0o755
	}
	fd, err := unix.Openat(m.root, t.path, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, perm)
	if err != nil {
		return &os.PathError{Op: "create", Path: t.path, Err: err}
	}
	defer unix.Close(fd) //nolint:errcheck // a checkout can be made again
	n, err := io.Copy(rawFile(fd), content)
	if err != nil {
		return &os.PathError{Op: "write", Path: t.path, Err: err}
	}
	if n != size {
		return &os.PathError{Op: "write", Path: t.path, Err: io.ErrShortWrite}
	}
	var st unix.Stat_t
	err = unix.Fstat(fd, &st)
	if err == nil && st.Mode&0o777 != perm { // the umask
		err = unix.Fchmod(fd, perm)
	}
	if err == nil {
		err = m.touch(t.path)
	}
	if err == nil {
		err = unix.Fstat(fd, &st)
	}
	if err != nil {
		return &os.PathError{Op: "write", Path: t.path, Err: err}
	}
	t.entry.Stat = tree.StatOf(&st)
	return nil
}

// touch sets the modification time.
func (m *materialiser) touch(path string) error {
	stamp := unix.NsecToTimespec(m.when.UnixNano())
	return unix.UtimesNanoAt(m.root, path, []unix.Timespec{stamp, stamp}, unix.AT_SYMLINK_NOFOLLOW)
}

// rawFile writes to a descriptor without the runtime's poller.
type rawFile int

func (f rawFile) Write(p []byte) (int, error) {
	n := 0
	for n < len(p) {
		m, err := unix.Write(int(f), p[n:])
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return n, err
		}
		n += m
	}
	return n, nil
}

// makeLinks makes the symbolic links, last, so that nothing is written through one.
func (m *materialiser) makeLinks() error {
	for _, t := range m.links {
		if err := unix.Symlinkat(t.text, m.root, t.path); err != nil {
			return &os.PathError{Op: "symlink", Path: t.path, Err: err}
		}
		if err := m.touch(t.path); err != nil {
			return &os.PathError{Op: "touch", Path: t.path, Err: err}
		}
		var st unix.Stat_t
		if err := unix.Fstatat(m.root, t.path, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
			return &os.PathError{Op: "stat", Path: t.path, Err: err}
		}
		t.entry.Stat = tree.StatOf(&st)
	}
	return nil
}

// settle waits until the clock of change times has passed the newest file, one
// tick at most, so that any later change shows.
func settle(ctx context.Context, x *tree.Index) error {
	newest := int64(0)
	err := x.Files(func(_ string, e *tree.Entry) error {
		newest = max(newest, e.Stat.Ctime)
		return nil
	})
	if err != nil {
		return err
	}
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for tree.Clock() <= newest {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// gitDir is the disposable .git of a checkout.
func (c *Checkout) gitDir() string { return filepath.Join(c.note.Dir, ".git") }
