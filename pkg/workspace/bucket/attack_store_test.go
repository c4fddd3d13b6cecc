package bucket_test

import (
	"context"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/workspace/blob"
	"github.com/vexa-ai/vexa/pkg/workspace/blob/mem"
	"github.com/vexa-ai/vexa/pkg/workspace/bucket"
)

// liar is a store that answers what it likes.
type liar struct {
	blob.Store
	open   func(name string) (io.ReadCloser, bool) // false: the truth
	hidden func(name string) bool                  // from listings and looks
}

func (l *liar) Open(ctx context.Context, name string) (io.ReadCloser, error) {
	if l.open != nil {
		if r, ok := l.open(name); ok {
			return r, nil
		}
	}
	return l.Store.Open(ctx, name)
}

func (l *liar) Stat(ctx context.Context, name string) (blob.Info, error) {
	if l.hidden != nil && l.hidden(name) {
		return blob.Info{}, blob.ErrNotExist
	}
	return l.Store.Stat(ctx, name)
}

func (l *liar) List(ctx context.Context, prefix, after string, fn func(blob.Info) error) error {
	return l.Store.List(ctx, prefix, after, func(i blob.Info) error {
		if l.hidden != nil && l.hidden(i.Name) {
			return nil
		}
		return fn(i)
	})
}

// endless is a blob that has no end.
type endless struct{ read int64 }

func (e *endless) Read(p []byte) (int, error) {
	e.read += int64(len(p))
	for i := range p {
		p[i] = 'a'
	}
	return len(p), nil
}

func (e *endless) Close() error { return nil }

// TestLies: a storage that lies is told from one that does not answer, whatever
// it says, and ends nothing in a read without end.
func TestLies(t *testing.T) {
	t.Parallel()
	names := objectsOf(t)
	for kind, name := range names {
		t.Run("no end/"+kind, func(t *testing.T) {
			t.Parallel()
			s := newScene(t, "mem")
			e := &endless{}
			l := &liar{open: func(n string) (io.ReadCloser, bool) { return e, n == name }}
			for _, who := range []string{atNone, atBehind} {
				c := s.client(who)
				l.Store, c.store = c.store, l
				before := c.knows()
				st, err := c.visit()
				switch {
				case err != nil:
					told(t, "an installation "+who, err, name+"|"+alsoNamed(kind))
					c.unchanged(before)
				case slices.Contains(refusers(kind), who) || s.sums[st.Generation] != st.SHA256:
					t.Errorf("an installation %s sees generation %d", who, st.Generation)
				}
			}
			if limit := int64(200 << 20); e.read > limit {
				t.Errorf("%d bytes were read", e.read)
			}
		})
		t.Run("another blob/"+kind, func(t *testing.T) {
			t.Parallel()
			s := newScene(t, "mem")
			for other, data := range s.blobs {
				if other == name || strings.Compare(other, name) < 0 && kind != "pack" {
					continue // enough of them
				}
				l := &liar{open: func(n string) (io.ReadCloser, bool) { return io.NopCloser(strings.NewReader(string(data))), n == name }}
				c := s.client(atBehind)
				l.Store, c.store = c.store, l
				look := c.look
				if kind == "pack" || kind == "segment" || kind == "index" {
					look = c.visit
				}
				st, err := look()
				if err == nil && (slices.Contains(refusers(kind), atBehind) || s.sums[st.Generation] != st.SHA256) {
					t.Errorf("%s for %s is taken for generation %d", other, name, st.Generation)
				}
				if err != nil {
					told(t, other+" for "+name, err, name+"|"+alsoNamed(kind))
				}
			}
		})
	}
}

// TestHidden: a storage that shows less than there is.
func TestHidden(t *testing.T) {
	t.Parallel()
	keyring := objectsOf(t)["keyring"]
	for name, c := range map[string]struct {
		hidden  func(string) bool
		refused []string
		object  string
	}{
		"the newest keyring":  {func(n string) bool { return n == keyring }, []string{atNone, atBehind, atLog}, "k/"},
		"every keyring":       {func(n string) bool { return strings.HasPrefix(n, "k/") }, []string{atNone, atBehind, atLog}, "k/"},
		"the newest manifest": {func(n string) bool { return n == head(13) }, []string{atNewest}, head(13)},
		"every manifest":      {func(n string) bool { return strings.HasPrefix(n, "m/") }, installations, "m/"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t, "mem")
			for _, who := range installations {
				cl := s.client(who)
				cl.store = &liar{Store: cl.store, hidden: c.hidden, open: func(n string) (io.ReadCloser, bool) { return gone{}, c.hidden(n) }}
				before := cl.knows()
				st, err := cl.visit()
				switch {
				case err != nil:
					told(t, "an installation "+who, err, c.object)
					cl.unchanged(before)
				case slices.Contains(c.refused, who) || s.sums[st.Generation] != st.SHA256:
					t.Errorf("an installation %s sees generation %d", who, st.Generation)
				}
			}
		})
	}
}

// gone is a blob that is not there, said at the first read.
type gone struct{}

func (gone) Read([]byte) (int, error) { return 0, blob.ErrNotExist }

func (gone) Close() error { return nil }

// TestAnotherBucketInItsPlace: the whole of another bucket of the same person,
// which others read too, where this one was.
func TestAnotherBucketInItsPlace(t *testing.T) {
	t.Parallel()
	s := newScene(t, "mem")
	other := create(t, mem.New())
	other.who = s.jane
	c := s.client(atNewest)
	before := c.knows()
	for name, data := range blobsOf(t, other.store) {
		s.put(name, data)
	}
	_, err := c.visit()
	if err == nil {
		t.Fatal("it is taken")
	}
	told(t, "another bucket", err, "FORMAT")
	if _, file, ok := strings.Cut(fault.HintOf(err), "rm "); !ok {
		t.Errorf("the hint is %q", fault.HintOf(err))
	} else if _, err := os.Stat(file); err != nil {
		t.Error(err)
	}
	c.unchanged(before)
	if err := bucket.Forget(c.state, c.store.URL()); err != nil {
		t.Fatal(err)
	}
	if _, err := bucket.Open(t.Context(), options(s.jane, c.store, c.state)); err != nil {
		t.Fatalf("after it was forgotten: %v", err)
	}
}
