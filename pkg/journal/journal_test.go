package journal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/vexa-ai/vexa/pkg/fault"
)

// testKey is the data key of most tests.
func testKey() []byte { return bytes.Repeat([]byte{1, 2, 3, 4}, KeySize/4) }

// options places a journal in a fresh directory.
func options(tb testing.TB) Options {
	tb.Helper()
	root := tb.TempDir()
	return Options{
		Dir:        filepath.Join(root, "segments"),
		Checkpoint: filepath.Join(root, "checkpoints", "c"),
		Key:        testKey(),
		Name:       "test",
	}
}

func mustOpen(tb testing.TB, o Options) *Journal {
	tb.Helper()
	j, err := Open(o)
	if err != nil {
		tb.Fatalf("open: %v", err)
	}
	tb.Cleanup(func() { _ = j.Close() })
	return j
}

func mustClose(tb testing.TB, j *Journal) {
	tb.Helper()
	if err := j.Close(); err != nil {
		tb.Fatalf("close: %v", err)
	}
}

// payload makes payloads of different lengths that say their number.
func payload(seq uint64) []byte {
	return fmt.Appendf(nil, "record %d %s", seq, strings.Repeat("x", int(seq*7%41)))
}

// write appends records up to number last.
func write(tb testing.TB, j *Journal, last uint64) {
	tb.Helper()
	for want := j.Last() + 1; want <= last; want++ {
		seq, err := j.Write(payload(want))
		if err != nil || seq != want {
			tb.Fatalf("write: %d, %v, want %d", seq, err, want)
		}
	}
}

func mustSync(tb testing.TB, j *Journal) {
	tb.Helper()
	if err := j.Sync(tb.Context()); err != nil {
		tb.Fatalf("sync: %v", err)
	}
}

// holds fails unless exactly the records first to last are in the journal.
func holds(tb testing.TB, j *Journal, first, last uint64) {
	tb.Helper()
	if j.First() != first || j.Last() != last || first > last+1 {
		tb.Fatalf("holds %d to %d, want %d to %d", j.First(), j.Last(), first, last)
	}
	next := first
	for {
		records, err := j.Read(next, 13)
		if err != nil {
			tb.Fatalf("read from %d: %v", next, err)
		}
		if len(records) == 0 {
			break
		}
		for _, r := range records {
			if r.Seq != next || !bytes.Equal(r.Payload, payload(next)) {
				tb.Fatalf("record %d: %d %q", next, r.Seq, r.Payload)
			}
			next++
		}
	}
	if next != last+1 {
		tb.Fatalf("reading ended before %d, want %d", next, last+1)
	}
	if err := j.Verify(tb.Context()); err != nil {
		tb.Fatalf("verify: %v", err)
	}
}

func TestReopen(t *testing.T) {
	t.Parallel()
	o := options(t)
	o.SegmentBytes = 600
	for round := range uint64(6) {
		j := mustOpen(t, o)
		holds(t, j, 1, round*20)
		write(t, j, round*20+20)
		holds(t, j, 1, round*20+20)
		mustClose(t, j)
	}
	if n := len(segmentsOf(t, o)); n < 12 {
		t.Fatalf("%d segments: none was full", n)
	}
	// Opening and closing alone changes nothing.
	before := snapshot(t, o)
	mustClose(t, mustOpen(t, o))
	if after := snapshot(t, o); !before.equal(after) {
		t.Fatal("opening the journal changed its files")
	}
}

func TestPayloads(t *testing.T) {
	t.Parallel()
	o := options(t)
	o.SegmentBytes = 4 << 10
	j := mustOpen(t, o)
	var want [][]byte
	for _, size := range []int{0, 1, 15, 16, 17, markEvery, readChunk - 1, readChunk, readChunk + 1, maxKeptFrame + 5, 0, 3 * readBudget, 1} {
		want = append(want, bytes.Repeat([]byte{byte(size)}, size))
	}
	for _, p := range want {
		if _, err := j.Append(t.Context(), p); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		for i, p := range want {
			got, err := j.Read(uint64(i+1), 1)
			if err != nil || len(got) != 1 || !bytes.Equal(got[0].Payload, p) {
				t.Fatalf("payload %d of %d bytes: %d records, %v", i, len(p), len(got), err)
			}
		}
		mustClose(t, j)
		j = mustOpen(t, o)
	}
}

func TestLargestPayload(t *testing.T) {
	t.Parallel()
	j := mustOpen(t, options(t))
	largest := make([]byte, MaxPayload+1)
	if _, err := j.Write(largest); !fault.Is(err, fault.Invalid) {
		t.Fatalf("a payload beyond the limit: %v", err)
	}
	if _, err := j.Write(largest[:MaxPayload]); err != nil {
		t.Fatal(err)
	}
	got, err := j.Read(1, 1)
	if err != nil || len(got) != 1 || len(got[0].Payload) != MaxPayload {
		t.Fatalf("%d records, %v", len(got), err)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*Options){
		"short key": func(o *Options) { o.Key = o.Key[1:] },
		"no name":   func(o *Options) { o.Name = "" },
		"long name": func(o *Options) { o.Name = strings.Repeat("n", maxName+1) },
	} {
		o := options(t)
		change(&o)
		if _, err := Open(o); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestReadBounds(t *testing.T) {
	t.Parallel()
	j := mustOpen(t, options(t))
	write(t, j, 10)
	for _, from := range []uint64{11, 12, 1 << 60} {
		if got, err := j.Read(from, 5); err != nil || len(got) != 0 {
			t.Errorf("from %d: %v, %v", from, got, err)
		}
	}
	if _, err := j.Read(0, 5); !errors.Is(err, ErrTrimmed) {
		t.Errorf("from 0: %v", err)
	}
	for _, limit := range []int{0, -3} {
		if got, err := j.Read(1, limit); err != nil || len(got) != 0 {
			t.Errorf("limit %d: %v, %v", limit, got, err)
		}
	}
	if got, err := j.Read(4, 3); err != nil || len(got) != 3 || got[0].Seq != 4 {
		t.Errorf("from 4: %v, %v", got, err)
	}
}

func TestWrongKey(t *testing.T) {
	t.Parallel()
	o := options(t)
	j := mustOpen(t, o)
	write(t, j, 3)
	mustClose(t, j)
	other := o
	other.Key = bytes.Repeat([]byte{9}, KeySize)
	if _, err := Open(other); !fault.Is(err, fault.Denied) || !strings.Contains(err.Error(), "another key") {
		t.Fatalf("another key: %v", err)
	}
	other = o
	other.Name = "tent"
	var damage *CorruptError
	if _, err := Open(other); !errors.As(err, &damage) {
		t.Fatalf("another name: %v", err)
	}
	holds(t, mustOpen(t, o), 1, 3)
}

func TestTwoWriters(t *testing.T) {
	t.Parallel()
	o := options(t)
	j := mustOpen(t, o)
	_, err := Open(o)
	if !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), fmt.Sprint(os.Getpid())) || !strings.Contains(err.Error(), o.Dir) {
		t.Fatalf("a second writer: %v", err)
	}
	mustClose(t, j)
	mustClose(t, mustOpen(t, o))
}

func TestClosed(t *testing.T) {
	t.Parallel()
	j := mustOpen(t, options(t))
	write(t, j, 3)
	changed := j.Changed()
	mustClose(t, j)
	<-changed
	<-j.Changed()
	_, err := j.Write(nil)
	_, err2 := j.Read(1, 1)
	for what, err := range map[string]error{"write": err, "read": err2, "trim": j.TrimBefore(2)} {
		if !errors.Is(err, ErrClosed) {
			t.Errorf("%s: %v", what, err)
		}
	}
	mustSync(t, j) // Close has flushed what was written
	mustClose(t, j)
}

func TestChanged(t *testing.T) {
	t.Parallel()
	j := mustOpen(t, options(t))
	changed := j.Changed()
	select {
	case <-changed:
		t.Fatal("changed before anything was written")
	default:
	}
	write(t, j, 1)
	<-changed
	select {
	case <-j.Changed():
		t.Fatal("changed twice by one record")
	default:
	}
}

func TestReadersDuringWrites(t *testing.T) {
	t.Parallel()
	o := options(t)
	o.SegmentBytes = 2 << 10
	j := mustOpen(t, o)
	const last = 3000
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for next := uint64(1); next <= last; {
				changed := j.Changed()
				records, err := j.Read(next, 50)
				if err != nil {
					t.Errorf("read from %d: %v", next, err)
					return
				}
				for _, r := range records {
					if r.Seq != next || !bytes.Equal(r.Payload, payload(next)) {
						t.Errorf("record %d: %d %q", next, r.Seq, r.Payload)
						return
					}
					next++
				}
				if len(records) == 0 {
					<-changed
				}
			}
		})
	}
	for range 2 {
		wg.Go(func() {
			for j.Last() < last {
				if err := j.Sync(context.Background()); err != nil {
					t.Errorf("sync: %v", err)
					return
				}
			}
		})
	}
	write(t, j, last)
	wg.Wait()
}

// segmentsOf returns the paths of the segments, oldest first.
func segmentsOf(tb testing.TB, o Options) []string {
	tb.Helper()
	paths, err := filepath.Glob(filepath.Join(o.Dir, "*"+segmentSuffix))
	if err != nil {
		tb.Fatal(err)
	}
	return paths
}

// files are the segments and the checkpoint by path.
type files map[string][]byte

func snapshot(tb testing.TB, o Options) files {
	tb.Helper()
	f := files{}
	for _, path := range append(segmentsOf(tb, o), o.Checkpoint) {
		data, err := os.ReadFile(path)
		if err != nil {
			tb.Fatal(err)
		}
		f[path] = data
	}
	return f
}

func (f files) equal(g files) bool {
	for path, data := range f {
		if !bytes.Equal(data, g[path]) {
			return false
		}
	}
	return len(f) == len(g)
}

// restore puts the files of a snapshot in place of what is there.
func (f files) restore(tb testing.TB, o Options) {
	tb.Helper()
	for _, path := range segmentsOf(tb, o) {
		if err := os.Remove(path); err != nil {
			tb.Fatal(err)
		}
	}
	for path, data := range f {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			tb.Fatal(err)
		}
	}
}
