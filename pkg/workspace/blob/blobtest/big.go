package blobtest

import (
	"crypto/sha256"
	"errors"
	"io"
	"math/rand/v2"
	"runtime"
	"slices"

	"github.com/vexa-ai/vexa/pkg/workspace/blob"
)

// The big blob, and how much memory may be in use for it, in bytes.
const (
	bigSize   = 80 << 20
	bigMemory = 24 << 20
)

// bigBlob: a blob of any size goes through little memory, both ways.
func bigBlob(f *fixture, options []Option) {
	live := &meter{f: f, off: slices.Contains(options, HoldsInMemory)}
	live.begin()
	st, err := f.first.Stage(f.ctx)
	f.must(err, "stage")
	written := sha256.New()
	piece := make([]byte, 1<<20+13)
	bytes := rand.NewChaCha8([32]byte{1})
	for left := bigSize; left > 0; left -= len(piece) {
		piece = piece[:min(len(piece), left)]
		_, _ = bytes.Read(piece) // it never fails
		written.Write(piece)
		if _, err := st.Write(piece); err != nil {
			f.Fatalf("write: %v", err)
		}
		live.look("written")
	}
	f.must(st.Commit(f.ctx, "big"), "commit")
	live.look("committed")
	f.create(f.first, "log/1", "big")
	live.look("created")
	for _, s := range f.both() {
		r, err := s.Open(f.ctx, "big")
		f.must(err, "open")
		read := sha256.New()
		var size int
		for buf := make([]byte, 1<<20); ; {
			n, err := io.ReadFull(r, buf)
			size += n
			read.Write(buf[:n])
			live.look("read")
			if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
				break
			}
			f.must(err, "read")
		}
		r.Close()
		if size != bigSize || !slices.Equal(read.Sum(nil), written.Sum(nil)) {
			f.Errorf("%d bytes, want %d, or others", size, bigSize)
		}
		info, err := s.Stat(f.ctx, "big")
		if err != nil || info.Size != bigSize {
			f.Errorf("stat: %+v, %v", info, err)
		}
	}
	if _, err := blob.ReadAll(f.ctx, f.first, "big", 1000); err == nil || errors.Is(err, blob.ErrNotExist) {
		f.Errorf("read within a limit: %v", err)
	}
}

// meter tells how much memory is in use.
type meter struct {
	f      *fixture
	off    bool
	before uint64
	looks  int
	told   bool
}

func (m *meter) begin() {
	if !m.off {
		m.before = inUse()
	}
}

// look fails the test where more is in use than may be. It looks at one in eight
// times, each of which collects garbage.
func (m *meter) look(when string) {
	m.looks++
	if m.off || m.told || m.looks%8 != 0 {
		return
	}
	if now := inUse(); now > m.before+bigMemory {
		m.told = true
		m.f.Errorf("%d MiB are in use when %d MiB of the big blob are %s", (now-m.before)>>20, m.looks, when)
	}
}

func inUse() uint64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}
