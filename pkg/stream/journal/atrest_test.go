package streamjournal_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/journal"
	"github.com/vexa-ai/vexa/pkg/stream"
	streamjournal "github.com/vexa-ai/vexa/pkg/stream/journal"
)

func add(tb testing.TB, l stream.Log, topic, payload string) stream.Cursor {
	tb.Helper()
	c, err := l.Append(tb.Context(), topic, []byte(payload))
	if err == nil {
		err = l.Sync(tb.Context(), topic)
	}
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

func shut(tb testing.TB, l stream.Log) {
	tb.Helper()
	if err := l.Close(); err != nil {
		tb.Fatal(err)
	}
}

// count reads a topic to its end.
func count(tb testing.TB, l stream.Log, topic string) int {
	tb.Helper()
	n := 0
	for after := stream.Cursor(""); ; {
		entries, err := l.Read(tb.Context(), topic, after, 100)
		if err != nil {
			tb.Fatal(err)
		}
		if len(entries) == 0 {
			return n
		}
		n += len(entries)
		after = entries[len(entries)-1].Cursor
	}
}

// Neither a payload nor a topic's name rests in any file or file name.
func TestNothingReadableRests(t *testing.T) {
	t.Parallel()
	const canary, secret = "canaryTopic", "canaryPayload"
	root := t.TempDir()
	l := open(t, streamjournal.Options{Root: root})
	for i := range 20 {
		add(t, l, fmt.Sprintf("unit:%s%d:out", canary, i%3), strings.Repeat(secret, i))
	}
	look := func() {
		files := 0
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return errors.Join(err, hides(path, nil))
			}
			files++
			data, err := os.ReadFile(path)
			return errors.Join(err, hides(path, data))
		})
		if err != nil {
			t.Fatal(err)
		}
		if files < 10 {
			t.Fatalf("only %d files were looked at", files)
		}
	}
	look()
	shut(t, l)
	look()
	// Two homes do not name the same topic alike.
	other := t.TempDir()
	l = open(t, streamjournal.Options{Root: other, Key: bytes.Repeat([]byte{8}, journal.KeySize)})
	add(t, l, "unit:"+canary+"0:out", "x")
	shut(t, l)
	mine, theirs := dirs(t, root), dirs(t, other)
	for name := range theirs {
		if mine[name] {
			t.Fatalf("both homes have the directory %s", name)
		}
	}
}

func hides(path string, data []byte) error {
	for _, word := range []string{"canary", "payload", "unit"} {
		if bytes.Contains(bytes.ToLower(data), []byte(word)) || strings.Contains(strings.ToLower(filepath.Base(path)), word) {
			return fmt.Errorf("%s shows %q", path, word)
		}
	}
	return nil
}

func dirs(t *testing.T, root string) map[string]bool {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(root, "topics"))
	if err != nil || len(entries) == 0 {
		t.Fatalf("%d topics, %v", len(entries), err)
	}
	names := map[string]bool{}
	for _, e := range entries {
		names[e.Name()] = true
	}
	return names
}

// Many topics, few open: descriptors are bounded and nothing is lost.
func TestFewOpen(t *testing.T) {
	t.Parallel()
	const topics, each, limit = 120, 3, 5
	root := t.TempDir()
	l := open(t, streamjournal.Options{Root: root, MaxOpen: limit})
	name := func(i int) string { return fmt.Sprintf("unit:%d:out", i) }
	for range each {
		var wg sync.WaitGroup
		for w := range 4 {
			wg.Go(func() {
				for i := w; i < topics; i += 4 {
					if _, err := l.Append(t.Context(), name(i), []byte("x")); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		if n := descriptors(t, root); n > 1+3*(limit+1) {
			t.Fatalf("%d descriptors for %d journals", n, limit)
		}
	}
	for i := range topics {
		if n := count(t, l, name(i)); n != each {
			t.Fatalf("topic %d has %d entries", i, n)
		}
	}
	if names, err := l.Topics(t.Context()); err != nil || len(names) != topics {
		t.Fatalf("%d topics, %v", len(names), err)
	}
	shut(t, l)
	if n := descriptors(t, root); n != 0 {
		t.Fatalf("%d descriptors after Close", n)
	}
}

// descriptors counts this process's open files below root.
func descriptors(t *testing.T, root string) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, e := range entries {
		if target, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil && strings.HasPrefix(target, root+"/") {
			n++
		}
	}
	return n
}

func TestOneProcess(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	l := open(t, streamjournal.Options{Root: root})
	o := streamjournal.Options{Root: root, Key: key()}
	if _, err := streamjournal.Open(o); !fault.Is(err, fault.Conflict) {
		t.Fatalf("a second one: %v", err)
	}
	shut(t, l)
	shut(t, open(t, streamjournal.Options{Root: root}))
	o.Key = o.Key[1:]
	if _, err := streamjournal.Open(o); !fault.Is(err, fault.Invalid) {
		t.Fatalf("a short key: %v", err)
	}
}

// Another key neither reads nor lists, and says so.
func TestWrongKey(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	l := open(t, streamjournal.Options{Root: root})
	add(t, l, "a", "x")
	shut(t, l)
	l = open(t, streamjournal.Options{Root: root, Key: bytes.Repeat([]byte{8}, journal.KeySize)})
	defer shut(t, l)
	if names, err := l.Topics(t.Context()); err == nil {
		t.Fatalf("listed %q", names)
	}
}

// A removal that a crash cut short at any step is finished, or did not begin.
func TestInterruptedRemoval(t *testing.T) {
	t.Parallel()
	for name, interrupt := range map[string]func(dir, checkpoint string) error{
		"marked": func(dir, _ string) error { return os.WriteFile(filepath.Join(dir, "removed"), nil, 0o600) },
		"without checkpoint": func(dir, checkpoint string) error {
			return errors.Join(os.WriteFile(filepath.Join(dir, "removed"), nil, 0o600), os.Remove(checkpoint))
		},
		"renamed": func(dir, checkpoint string) error {
			return errors.Join(os.Remove(checkpoint), os.Rename(dir, filepath.Join(filepath.Dir(dir), ".gone-"+filepath.Base(dir))))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root := t.TempDir()
			l := open(t, streamjournal.Options{Root: root})
			add(t, l, "a", "old")
			add(t, l, "a", "old")
			shut(t, l)
			for dir := range dirs(t, root) {
				if err := interrupt(filepath.Join(root, "topics", dir), filepath.Join(root, "checkpoints", dir)); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.Mkdir(filepath.Join(root, "topics", ".new-123"), 0o700); err != nil {
				t.Fatal(err)
			}
			l = open(t, streamjournal.Options{Root: root})
			defer shut(t, l)
			if names, err := l.Topics(t.Context()); err != nil || len(names) != 0 {
				t.Fatalf("topics %q, %v", names, err)
			}
			add(t, l, "a", "new")
			if n := count(t, l, "a"); n != 1 || len(dirs(t, root)) != 1 {
				t.Fatalf("%d entries, directories %v", n, dirs(t, root))
			}
		})
	}
}

// A topic whose files are damaged or gone is an error, not an empty topic; the
// others are not touched by it.
func TestDamagedTopic(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	l := open(t, streamjournal.Options{Root: root})
	add(t, l, "a", "x")
	shut(t, l)
	segments, err := filepath.Glob(filepath.Join(root, "topics", "*", "*.seg"))
	if err != nil || len(segments) != 1 {
		t.Fatalf("segments %v, %v", segments, err)
	}
	if err := os.Truncate(segments[0], 100); err != nil {
		t.Fatal(err)
	}
	l = open(t, streamjournal.Options{Root: root})
	defer shut(t, l)
	var damage *journal.CorruptError
	if _, err := l.Read(t.Context(), "a", "", 1); !errors.As(err, &damage) || damage.File != segments[0] {
		t.Fatalf("read: %v", err)
	}
	if _, err := l.Append(t.Context(), "a", nil); !errors.As(err, &damage) {
		t.Fatalf("append: %v", err)
	}
	for _, err := range l.Tail(t.Context(), "a", "") {
		if !errors.As(err, &damage) {
			t.Fatalf("tail: %v", err)
		}
	}
	add(t, l, "b", "x")
}

// Trimming gives space back.
func TestTrimFreesSpace(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	l := open(t, streamjournal.Options{Root: root, SegmentBytes: 64 << 10})
	defer shut(t, l)
	for range 100 {
		if _, err := l.Append(t.Context(), "a", make([]byte, 10<<10)); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Trim(t.Context(), "a", stream.Policy{MaxBytes: 100 << 10}); err != nil {
		t.Fatal(err)
	}
	var size int64
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil && !d.IsDir() {
			size += info.Size()
		}
		return err
	})
	if err != nil || size > 100<<10+2*64<<10+20<<10 {
		t.Fatalf("%d bytes are left, %v", size, err)
	}
	if n := count(t, l, "a"); n != 10 {
		t.Fatalf("%d entries are left", n)
	}
}

// The name of a topic fits into its own directory only.
func TestNamesAreBoundToTheirPlace(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	l := open(t, streamjournal.Options{Root: root})
	defer shut(t, l)
	add(t, l, "a", "x")
	add(t, l, "b", "x")
	files, err := filepath.Glob(filepath.Join(root, "topics", "*", "topic"))
	if err != nil || len(files) != 2 {
		t.Fatalf("names %v, %v", files, err)
	}
	data, err := os.ReadFile(files[0])
	if err == nil {
		err = os.WriteFile(files[1], data, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	if names, err := l.Topics(t.Context()); err == nil {
		t.Fatalf("listed %q", names)
	}
}

// A clock that was put back makes no entry look older than the one before it.
func TestClockPutBack(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	root := t.TempDir()
	l := open(t, streamjournal.Options{Root: root, Now: func() time.Time { return now }})
	add(t, l, "a", "before")
	now = now.Add(-2 * time.Hour)
	add(t, l, "a", "after")
	shut(t, l)
	l = open(t, streamjournal.Options{Root: root, Now: func() time.Time { return now }})
	defer shut(t, l)
	add(t, l, "a", "after a restart")
	now = now.Add(150 * time.Minute)
	if err := l.Trim(t.Context(), "a", stream.Policy{MaxAge: time.Hour}); err != nil {
		t.Fatal(err)
	}
	if n := count(t, l, "a"); n != 3 {
		t.Fatalf("%d of 3 entries are left", n)
	}
}
