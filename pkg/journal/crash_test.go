package journal

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vexa-ai/vexa/pkg/fault"
)

// childEnv makes the test binary a process that writes to the journal it names.
const childEnv = "JOURNAL_TEST_CHILD"

func TestMain(m *testing.M) {
	switch role, root, _ := strings.Cut(os.Getenv(childEnv), ":"); role {
	case "":
		os.Exit(m.Run())
	case "append":
		os.Exit(report(appendForEver(root)))
	case "full":
		os.Exit(report(outOfSpace(root)))
	}
}

func report(err error) int {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func childOptions(root string) Options {
	return Options{Dir: filepath.Join(root, "s"), Checkpoint: filepath.Join(root, "c"), Key: testKey(), Name: "child", SegmentBytes: 20 << 10}
}

func child(t *testing.T, role, root string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+role+":"+root)
	cmd.Stderr = os.Stderr
	return cmd
}

// appendForEver appends from several goroutines and says which records are
// durable.
func appendForEver(root string) error {
	j, err := Open(childOptions(root))
	if err != nil {
		return err
	}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for {
				mu.Lock()
				seq, err := j.Write(payload(j.Last() + 1))
				mu.Unlock()
				if err = errors.Join(err, j.Sync(context.Background())); err != nil {
					fmt.Fprintln(os.Stderr, err)
					return
				}
				fmt.Println(seq)
			}
		})
	}
	wg.Wait()
	return errors.New("the writers ended")
}

func TestKill(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	durable := uint64(0)
	for round := range 6 {
		cmd := child(t, "append", root)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for n := 0; lines.Scan(); n++ {
			var seq uint64
			if _, err := fmt.Sscan(lines.Text(), &seq); err != nil {
				t.Fatal(err)
			}
			durable = max(durable, seq)
			if n == 50+90*round {
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := cmd.Wait(); err == nil || cmd.ProcessState.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
			t.Fatalf("the child ended by itself: %v", err)
		}
		j := mustOpen(t, childOptions(root))
		if j.Last() < durable {
			t.Fatalf("round %d: record %d was durable, and %d is the last", round, durable, j.Last())
		}
		holds(t, j, 1, j.Last())
		mustClose(t, j)
	}
}

// outOfSpace lets a write fail half way, and goes on once there is room again.
func outOfSpace(root string) error {
	signal.Ignore(unix.SIGXFSZ)
	j, err := Open(childOptions(root))
	if err != nil {
		return err
	}
	for seq := uint64(1); seq <= 5; seq++ {
		if _, err := j.Write(payload(seq)); err != nil {
			return err
		}
	}
	limit := unix.Rlimit{Cur: uint64(j.active.size + 30), Max: math.MaxUint64}
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &limit); err != nil {
		return err
	}
	before := j.active
	if _, err := j.Write(make([]byte, 200)); !errors.Is(err, unix.EFBIG) {
		return fmt.Errorf("a write without room: %w", err)
	}
	if st, err := before.file.Stat(); err != nil || st.Size() != before.size {
		return fmt.Errorf("the failed write left %d bytes, want %d: %w", st.Size(), before.size, err)
	}
	limit.Cur = math.MaxUint64
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &limit); err != nil {
		return err
	}
	for seq := uint64(6); seq <= 9; seq++ {
		if _, err := j.Append(context.Background(), payload(seq)); err != nil {
			return err
		}
	}
	if j.active == before {
		return errors.New("the nonce of a failed write was used again")
	}
	return j.Close()
}

func TestOutOfSpace(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	if err := child(t, "full", root).Run(); err != nil {
		t.Fatal(err)
	}
	holds(t, mustOpen(t, childOptions(root)), 1, 9)
}

func TestFailedFlushIsFatal(t *testing.T) {
	t.Parallel()
	for _, of := range []string{segmentTemp, "c"} { // a segment keeps the name it was made under
		o := options(t)
		broken := errors.New("the disk is gone")
		armed, calls := false, 0
		o.flush = func(f *os.File) error {
			if armed && strings.HasSuffix(f.Name(), of) {
				if calls++; calls == 1 { // the kernel reports it once
					return broken
				}
			}
			return fdatasync(f)
		}
		j := mustOpen(t, o)
		write(t, j, 3)
		mustSync(t, j)
		write(t, j, 5)
		armed = true
		first := j.Sync(t.Context())
		if !errors.Is(first, broken) || !strings.Contains(first.Error(), o.Dir) {
			t.Fatalf("%s: the flush that failed: %v", of, first)
		}
		_, err := j.Write(nil)
		_, err2 := j.Append(t.Context(), nil)
		for what, err := range map[string]error{"write": err, "append": err2, "sync": j.Sync(t.Context()), "trim": j.TrimBefore(5)} {
			if !errors.Is(err, broken) {
				t.Errorf("%s: %s after the failed flush: %v", of, what, err)
			}
		}
		if got, err := j.Read(1, 10); err != nil || len(got) != 5 {
			t.Errorf("%s: reading: %d records, %v", of, len(got), err)
		}
		<-j.Changed() // who waits learns that nothing will come
		if err := j.Close(); !errors.Is(err, broken) {
			t.Errorf("%s: close: %v", of, err)
		}
		if calls != 1 {
			t.Errorf("%s: flushed %d times", of, calls)
		}
		o.flush = nil
		holds(t, mustOpen(t, o), 1, 5)
	}
}

// TestGroupFlush: everybody who came while one flush was running is served by
// the next one.
func TestGroupFlush(t *testing.T) {
	t.Parallel()
	o := options(t)
	entered, release := make(chan struct{}), make(chan struct{})
	var mu sync.Mutex
	flushes := 0
	o.flush = func(f *os.File) error {
		if !strings.HasSuffix(f.Name(), segmentTemp) || f.Name() == o.Checkpoint {
			return nil
		}
		mu.Lock()
		flushes++
		n := flushes
		mu.Unlock()
		if n == 2 { // the first is of the new segment's header
			close(entered)
			<-release
		}
		return nil
	}
	j := mustOpen(t, o)
	write(t, j, 1)
	var wg sync.WaitGroup
	wg.Go(func() { mustSync(t, j) })
	<-entered
	const callers = 100
	ctx, cancel := context.WithCancel(t.Context())
	cancelled := make(chan error)
	go func() {
		_, err := j.Append(ctx, payload(2))
		cancelled <- err
	}()
	for range callers {
		wg.Go(func() {
			if _, err := j.Append(t.Context(), nil); err != nil {
				t.Error(err)
			}
		})
	}
	for {
		changed := j.Changed()
		if j.Last() == callers+2 {
			break
		}
		<-changed
	}
	cancel()
	if err := <-cancelled; !errors.Is(err, context.Canceled) {
		t.Errorf("a caller that gave up: %v", err)
	}
	close(release)
	wg.Wait()
	if flushes != 3 {
		t.Fatalf("%d flushes for %d callers, want 2", flushes-1, callers+1)
	}
}

// disk remembers what a crash of the machine would leave: of each file what
// was flushed last.
type disk struct {
	mu      sync.Mutex
	flushed map[uint64][]byte // by inode
}

func inode(info os.FileInfo) uint64 { return info.Sys().(*syscall.Stat_t).Ino }

func (d *disk) flush(f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	data := make([]byte, info.Size())
	if _, err := f.ReadAt(data, 0); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.flushed[inode(info)] = data
	return nil
}

// crash returns the files as they are after a power cut, with torn bytes that
// were written and not flushed at the end of each segment.
func (d *disk) crash(t *testing.T, o Options, torn int) files {
	t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	f := files{}
	for _, path := range append(segmentsOf(t, o), o.Checkpoint) {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		data, known := d.flushed[inode(info)]
		if !known && path != o.Checkpoint {
			t.Fatalf("%s has its name before it was flushed", path)
		}
		now, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !known {
			data = now // made by atomicfile, which flushes by itself
		}
		if path != o.Checkpoint {
			data = now[:min(len(now), len(data)+torn)]
		}
		f[path] = data
	}
	return f
}

func TestPowerCut(t *testing.T) {
	t.Parallel()
	o := options(t)
	d := &disk{flushed: map[uint64][]byte{}}
	durable := uint64(0)
	// survives checks what a power cut at this instant would leave.
	survives := func(torn int) {
		f := files{}
		after := options(t)
		after.SegmentBytes = o.SegmentBytes
		for path, data := range d.crash(t, o, torn) {
			if path == o.Checkpoint {
				f[after.Checkpoint] = data
			} else {
				f[filepath.Join(after.Dir, filepath.Base(path))] = data
			}
		}
		for _, dir := range []string{after.Dir, filepath.Dir(after.Checkpoint)} {
			if err := os.MkdirAll(dir, 0o700); err != nil {
				t.Fatal(err)
			}
		}
		f.restore(t, after)
		j := mustOpen(t, after)
		if j.Last() < durable {
			t.Fatalf("record %d was durable, and %d is the last", durable, j.Last())
		}
		holds(t, j, j.First(), j.Last())
		mustClose(t, j)
	}
	o.SegmentBytes = 400
	o.flush = func(f *os.File) error {
		if _, err := os.Stat(o.Checkpoint); err == nil {
			survives(0)
			survives(25)
		}
		return d.flush(f)
	}
	j := mustOpen(t, o)
	for i := range uint64(40) {
		write(t, j, j.Last()+1+i%4)
		if i%3 == 0 {
			mustSync(t, j)
			durable = j.Last()
		}
		if i%7 == 6 {
			if err := j.TrimBefore(j.Last() - 12 + 13*(i%2)); err != nil {
				t.Fatal(err)
			}
		}
		survives(0)
		survives(60)
	}
}

func TestCheckpointDirectoryMissing(t *testing.T) {
	t.Parallel()
	o := options(t)
	o.Checkpoint = filepath.Join(t.TempDir(), "file", "c")
	if err := os.WriteFile(filepath.Dir(o.Checkpoint), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Open(o)
	if err == nil || fault.KindOf(err) != fault.Internal {
		t.Fatalf("a checkpoint below a file: %v", err)
	}
	o.Checkpoint = filepath.Join(t.TempDir(), "a", "b", "c")
	write(t, mustOpen(t, o), 1) // and the lock was given back
}

// What the last writer did not flush is written once more before it is flushed:
// after a flush that failed the kernel takes its pages for clean.
func TestUnflushedIsWrittenAgain(t *testing.T) {
	t.Parallel()
	o := options(t)
	crashed(t, o, 2, 5).restore(t, o)
	path := segmentsOf(t, o)[0]
	long := time.Unix(1_000_000, 0)
	touched := func() bool {
		st, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		return !st.ModTime().Equal(long)
	}
	for _, want := range []bool{true, false} { // the second time everything is flushed
		if err := os.Chtimes(path, long, long); err != nil {
			t.Fatal(err)
		}
		j := mustOpen(t, o)
		holds(t, j, 1, 5)
		mustClose(t, j)
		if touched() != want {
			t.Fatalf("the segment was written: %v, want %v", !want, want)
		}
	}
}
