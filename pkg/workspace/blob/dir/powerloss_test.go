package dir_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/internal/againtest"
	"github.com/vexa-ai/vexa/pkg/internal/require"
	"github.com/vexa-ai/vexa/pkg/workspace/blob/dir"
)

// disk is a file system in a file, which stands for the platters: what is in the
// file when the power goes is what is there afterwards.
type disk struct {
	*testing.T
	image, at string
	journal   bool
}

// newDisk makes and mounts an ext4, with a journal or without.
func newDisk(t *testing.T, journal bool) *disk {
	t.Helper()
	d := &disk{T: t, image: filepath.Join(t.TempDir(), "image"), at: t.TempDir(), journal: journal}
	f, err := os.Create(d.image)
	must(t, err)
	must(t, f.Truncate(16<<20))
	must(t, f.Close())
	args := []string{"-q", "-F", d.image}
	if !journal {
		args = append([]string{"-O", "^has_journal"}, args...)
	}
	d.run("mkfs.ext4", args...)
	d.mount(d.image)
	return d
}

func (d *disk) run(name string, args ...string) {
	d.Helper()
	if out, err := exec.CommandContext(d.Context(), name, args...).CombinedOutput(); err != nil {
		d.Fatalf("%s: %v\n%s", name, err, out)
	}
}

func (d *disk) mount(image string) {
	d.Helper()
	d.run("mount", "-o", "loop", image, d.at)
	d.Cleanup(func() { _ = syscall.Unmount(d.at, syscall.MNT_DETACH) })
}

// root is the directory of the storage.
func (d *disk) root() string { return filepath.Join(d.at, "storage") }

// content is what the disk holds at an instant. It is read until it stands still.
func (d *disk) content() []byte {
	d.Helper()
	var last []byte
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); {
		now, err := os.ReadFile(d.image)
		must(d, err)
		if bytes.Equal(now, last) {
			return now
		}
		last = now
	}
	d.Fatal("the disk does not stand still")
	return nil
}

// restored mounts a content as after the power came back.
func (d *disk) restored(content []byte) {
	d.Helper()
	image := d.image + "-restored"
	must(d, os.WriteFile(image, content, 0o600))
	if !d.journal {
		// 1: it was put in order.
		var exit *exec.ExitError
		if err := exec.CommandContext(d.Context(), "e2fsck", "-fy", image).Run(); err != nil && (!errors.As(err, &exit) || exit.ExitCode() > 1) {
			d.Fatalf("e2fsck: %v", err)
		}
	}
	d.mount(image)
}

// unmount waits for what holds the disk: a process that another test is starting
// has every file open for a moment.
func (d *disk) unmount() {
	d.Helper()
	err := syscall.Unmount(d.at, 0)
	for end := time.Now().Add(10 * time.Second); errors.Is(err, syscall.EBUSY) && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
		err = syscall.Unmount(d.at, 0)
	}
	must(d, err)
}

// TestPowerLoss takes what a disk holds between every two system calls that
// change something, and finds it sound: with a journal, which keeps the order of
// names, and without one.
func TestPowerLoss(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		require.Missing(t, "loop", "only root may mount a disk in a file")
	}
	require.Tool(t, "mkfs.ext4")
	require.Tool(t, "e2fsck")
	if _, err := os.Stat("/dev/loop-control"); err != nil {
		require.Missing(t, "loop", err.Error())
	}
	if !againtest.As(t, &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS, Unshareflags: syscall.CLONE_NEWNS}) {
		return
	}
	must(t, syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""))
	for _, journal := range []bool{true, false} {
		for _, kind := range []string{"AsFound", "AsFoundNoHardLinks"} {
			t.Run(fmt.Sprintf("%s, journal %v", kind, journal), func(t *testing.T) {
				t.Parallel()
				powerLoss(t, kinds()[kind], journal)
			})
		}
	}
}

func powerLoss(t *testing.T, as func(*dir.Store), journal bool) {
	t.Helper()
	d := newDisk(t, journal)
	s := open(t, d.root(), dir.Options{Make: true})
	if dir.Ordered(s) != journal {
		t.Fatalf("journal %v: taken for ordered is %v", journal, dir.Ordered(s))
	}
	as(s)
	type instant struct {
		content []byte
		done    []string // what had been said to be stored
	}
	var mu sync.Mutex
	var instants []instant
	var done atomic.Pointer[[]string]
	done.Store(&[]string{})
	dir.SetStep(s, func() {
		mu.Lock()
		defer mu.Unlock()
		said := *done.Load() // before the content is read
		instants = append(instants, instant{d.content(), said})
	})
	said := func(names ...string) {
		all := append(slices.Clone(*done.Load()), names...)
		done.Store(&all)
	}
	must(t, put(s, "pack/aa/one"))
	must(t, put(s, "pack/two"))
	must(t, s.Create(ctx(), "log/1", []byte(body("log/1"))))
	said("log/1", "pack/aa/one", "pack/two")
	must(t, s.Replace(ctx(), "head", []byte(body("head"))))
	must(t, put(s, "pack/aa/three"))
	must(t, put(s, "pack/two"))
	must(t, s.Create(ctx(), "log/2", []byte(body("log/2"))))
	said("log/2", "pack/aa/three")
	must(t, s.Create(ctx(), "log/2", []byte(body("log/2"))))
	instants = append(instants, instant{d.content(), *done.Load()})
	must(t, s.Close())
	d.unmount()
	if len(instants) < 15 {
		t.Fatalf("%d instants", len(instants))
	}
	for i, at := range instants {
		d.restored(at.content)
		if _, err := os.Stat(d.root()); err != nil && len(at.done) == 0 {
			d.unmount()
			continue // not even the root was durable, and none had been told so
		}
		names := sound(t, d.root())
		for _, name := range at.done {
			if !slices.Contains(names, name) {
				t.Errorf("%s was stored, and is not there: %q", name, names)
			}
		}
		finished(t, d.root())
		d.unmount()
		if t.Failed() {
			t.Fatalf("the power went at instant %d of %d", i, len(instants))
		}
	}
}
