package journal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// crashed returns the files of a journal whose writer vanished: synced records
// up to synced, written ones up to last.
func crashed(t *testing.T, o Options, synced, last uint64) files {
	t.Helper()
	j := mustOpen(t, o)
	write(t, j, synced)
	mustSync(t, j)
	write(t, j, last)
	f := snapshot(t, o)
	mustClose(t, j)
	return f
}

// frames returns where each record of a segment starts, and its end.
func frames(data []byte) []int {
	at := []int{int(headerSize)}
	for off := int(headerSize); off < len(data); {
		off += frameOverhead + int(binary.BigEndian.Uint32(data[off:]))
		at = append(at, off)
	}
	return at
}

// refused fails unless the journal is reported as damaged.
func refused(t *testing.T, o Options, what string) {
	t.Helper()
	_ = reported(t, o, what)
}

// reported returns the report of the damage by Open or by Verify.
func reported(t *testing.T, o Options, what string) *CorruptError {
	t.Helper()
	j, err := Open(o)
	if err == nil {
		err = errors.Join(j.Verify(t.Context()), j.Close())
	}
	var damage *CorruptError
	if !errors.As(err, &damage) {
		t.Fatalf("%s: %v, want a *CorruptError", what, err)
	}
	if damage.File == "" || damage.Reason == "" {
		t.Fatalf("%s: the report lacks file or reason: %+v", what, damage)
	}
	return damage
}

func TestTornTailAtEveryByte(t *testing.T) {
	t.Parallel()
	const synced, last = 4, 9
	o := options(t)
	whole := crashed(t, o, synced, last)
	path := slices.Max(segmentsOf(t, o))
	data, at := whole[path], frames(whole[path])
	for size := range data {
		f := files{path: data[:size], o.Checkpoint: whole[o.Checkpoint]}
		f.restore(t, o)
		complete := uint64(0)
		for int(complete) < last && at[complete+1] <= size {
			complete++
		}
		if complete < synced {
			damage := reported(t, o, "a tail torn below the checkpoint")
			if damage.File != path || size >= int(headerSize) && (damage.Seq != complete+1 || damage.Offset != int64(at[complete])) {
				t.Fatalf("cut at %d: reported %v, want record %d at %d", size, damage, complete+1, at[complete])
			}
			if now := snapshot(t, o); !now.equal(f) {
				t.Fatalf("cut at %d: a damaged journal was changed", size)
			}
			continue
		}
		j := mustOpen(t, o)
		holds(t, j, 1, complete)
		write(t, j, complete+3)
		holds(t, j, 1, complete+3)
		mustClose(t, j)
		j = mustOpen(t, o)
		holds(t, j, 1, complete+3)
		mustClose(t, j)
	}
}

// A crash of the machine may leave blocks that were allotted and never written.
func TestZeroedTail(t *testing.T) {
	t.Parallel()
	o := options(t)
	whole := crashed(t, o, 3, 6)
	path := segmentsOf(t, o)[0]
	data, at := whole[path], frames(whole[path])
	for _, from := range []int{at[6], at[5], at[5] + 3, at[4] + frameHeader + 2, at[3]} {
		torn := slices.Clone(data)
		clear(torn[from:])
		torn = append(torn, make([]byte, 3*readChunk)...)
		f := files{path: torn, o.Checkpoint: whole[o.Checkpoint]}
		f.restore(t, o)
		kept := uint64(0)
		for at[kept+1] <= from && kept < 5 {
			kept++
		}
		if from == at[6] {
			kept = 6
		}
		j := mustOpen(t, o)
		holds(t, j, 1, kept)
		mustClose(t, j)
	}
	// Zeros below the checkpoint are damage.
	torn := slices.Clone(data)
	clear(torn[at[2]:])
	files{path: torn, o.Checkpoint: whole[o.Checkpoint]}.restore(t, o)
	refused(t, o, "zeros below the checkpoint")
}

func TestBitFlips(t *testing.T) {
	t.Parallel()
	o := options(t)
	o.SegmentBytes = 300
	const last = 14
	whole := crashed(t, o, last, last)
	if len(whole) < 4 {
		t.Fatalf("only %d files", len(whole))
	}
	for path, data := range whole {
		for i := range data {
			if path == o.Checkpoint && i%slotEvery >= slotSize {
				continue // the room between the slots
			}
			flipped := slices.Clone(data)
			flipped[i] ^= 1 << (i % 8)
			if err := os.WriteFile(path, flipped, 0o600); err != nil {
				t.Fatal(err)
			}
			if path != o.Checkpoint {
				if damage := reported(t, o, "a flipped bit"); damage.File != path && damage.Offset == 0 {
					t.Fatalf("%s at %d: reported as %v", path, i, damage)
				}
				continue
			}
			// One slot of the checkpoint may be torn; the other one stands in.
			j, err := Open(o)
			if err != nil {
				t.Fatalf("checkpoint flipped at %d: %v", i, err)
			}
			holds(t, j, 1, last)
			mustClose(t, j)
			whole.restore(t, o)
		}
		whole.restore(t, o)
	}
	holds(t, mustOpen(t, o), 1, last)
}

// Of the records that nobody was told are durable only the last may be cut.
func TestBitFlipsAfterTheCheckpoint(t *testing.T) {
	t.Parallel()
	const synced, last = 3, 8
	o := options(t)
	whole := crashed(t, o, synced, last)
	path := segmentsOf(t, o)[0]
	data, at := whole[path], frames(whole[path])
	for i := at[synced]; i < len(data); i++ {
		whole.restore(t, o)
		flipped := slices.Clone(data)
		flipped[i] ^= 0x40
		if err := os.WriteFile(path, flipped, 0o600); err != nil {
			t.Fatal(err)
		}
		if i >= at[last-1]+frameHeader {
			j := mustOpen(t, o)
			holds(t, j, 1, last-1)
			mustClose(t, j)
			continue
		}
		damage := reported(t, o, "a flipped bit before the last record")
		if at[damage.Seq-1] > i || at[damage.Seq] <= i || damage.Offset != int64(at[damage.Seq-1]) {
			t.Fatalf("flipped at %d: reported as %v", i, damage)
		}
	}
}

func TestRecordsMovedSwappedDropped(t *testing.T) {
	t.Parallel()
	o := options(t)
	j := mustOpen(t, o)
	for range 8 { // of one length, so that only contents and places differ
		if _, err := j.Write([]byte("same")); err != nil {
			t.Fatal(err)
		}
	}
	mustSync(t, j)
	whole := snapshot(t, o)
	mustClose(t, j)
	path := segmentsOf(t, o)[0]
	data, at := whole[path], frames(whole[path])
	record := func(i int) []byte { return data[at[i]:at[i+1]] }
	join := func(parts ...[]byte) []byte {
		return append(slices.Clone(data[:headerSize]), bytes.Join(parts, nil)...)
	}
	for what, forged := range map[string][]byte{
		"swapped":     join(record(0), record(2), record(1), data[at[3]:]),
		"dropped":     join(record(0), data[at[2]:]),
		"first":       join(data[at[1]:]),
		"last":        join(data[at[0]:at[7]]),
		"twice":       join(record(0), record(0), data[at[1]:]),
		"replaced":    join(record(0), record(0), data[at[2]:]),
		"appended":    join(data[at[0]:], record(7)),
		"lost header": data[headerSize:],
	} {
		files{path: forged, o.Checkpoint: whole[o.Checkpoint]}.restore(t, o)
		refused(t, o, what)
	}
	// Swapped with checksums made to fit: the seal alone must hold.
	forged := join(record(0), record(2), record(1), data[at[3]:])
	for i := range 8 {
		off := at[i]
		copy(forged[off:], appendFrameHeader(nil, uint64(i+1), int(binary.BigEndian.Uint32(forged[off:]))))
	}
	files{path: forged, o.Checkpoint: whole[o.Checkpoint]}.restore(t, o)
	if damage := reported(t, o, "swapped, with checksums"); damage.Seq != 2 {
		t.Fatalf("reported as %v", damage)
	}
}

func TestSegmentsRemovedOrForeign(t *testing.T) {
	t.Parallel()
	o := options(t)
	o.SegmentBytes = 300
	whole := crashed(t, o, 30, 30)
	paths := segmentsOf(t, o)
	for i, path := range paths {
		whole.restore(t, o)
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		refused(t, o, "segment "+filepath.Base(path)+" removed")
		for k, other := range paths {
			if i == k {
				continue
			}
			whole.restore(t, o)
			if err := os.WriteFile(path, whole[other], 0o600); err != nil {
				t.Fatal(err)
			}
			refused(t, o, "a segment in the place of another")
		}
		// The same place in another journal under the same key, and in an
		// earlier life of this one.
		for _, name := range []string{"other", o.Name} {
			twin := options(t)
			twin.SegmentBytes, twin.Name = o.SegmentBytes, name
			foreign := crashed(t, twin, 30, 30)
			whole.restore(t, o)
			if err := os.WriteFile(path, foreign[segmentsOf(t, twin)[i]], 0o600); err != nil {
				t.Fatal(err)
			}
			refused(t, o, "a segment of another journal")
		}
	}
	for _, path := range paths {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	refused(t, o, "all segments removed")
}

func TestTruncatedOlderSegment(t *testing.T) {
	t.Parallel()
	o := options(t)
	o.SegmentBytes = 300
	whole := crashed(t, o, 20, 20)
	path := segmentsOf(t, o)[1]
	at := frames(whole[path])
	for _, size := range []int{at[len(at)-2], at[0], at[1] + 5} {
		whole.restore(t, o)
		if err := os.WriteFile(path, whole[path][:size], 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Open(o) // already, and not only once it is read
		var damage *CorruptError
		if !errors.As(err, &damage) || damage.File != path {
			t.Fatalf("cut to %d: %v", size, err)
		}
	}
}

func TestCheckpointLostOrForeign(t *testing.T) {
	t.Parallel()
	o := options(t)
	o.SegmentBytes = 300
	older := crashed(t, o, 5, 5)
	j := mustOpen(t, o)
	write(t, j, 30)
	mustClose(t, j)
	whole := snapshot(t, o)
	twin := options(t)
	twin.Name = "other"
	foreign := crashed(t, twin, 30, 30)
	life := options(t)
	life.SegmentBytes = o.SegmentBytes
	earlier := crashed(t, life, 30, 30)
	for what, data := range map[string][]byte{
		"empty":        {},
		"zeros":        make([]byte, slotEvery+slotSize),
		"cut short":    whole[o.Checkpoint][:slotSize-1],
		"of another":   foreign[twin.Checkpoint],
		"of a journal": earlier[life.Checkpoint], // of the same name and key, with other records
	} {
		if err := os.WriteFile(o.Checkpoint, data, 0o600); err != nil {
			t.Fatal(err)
		}
		refused(t, o, "checkpoint "+what)
	}
	if err := os.Remove(o.Checkpoint); err != nil {
		t.Fatal(err)
	}
	if damage := reported(t, o, "no checkpoint"); damage.File != o.Checkpoint {
		t.Fatalf("reported as %v", damage)
	}
	// One that is older than the last segment, and another journal's.
	short := options(t)
	if err := os.WriteFile(o.Checkpoint, crashed(t, short, 5, 5)[short.Checkpoint], 0o600); err != nil {
		t.Fatal(err)
	}
	refused(t, o, "an older checkpoint of another journal")
	// An older one of its own, as a backup may bring back, loses nothing.
	if err := os.WriteFile(o.Checkpoint, older[o.Checkpoint], 0o600); err != nil {
		t.Fatal(err)
	}
	holds(t, mustOpen(t, o), 1, 30)
}

// The oldest segments cannot be made to look trimmed.
func TestForgedTrim(t *testing.T) {
	t.Parallel()
	o := options(t)
	o.SegmentBytes = 300
	j := mustOpen(t, o)
	write(t, j, 30)
	if err := j.TrimBefore(10); err != nil {
		t.Fatal(err)
	}
	mustClose(t, j)
	if err := os.Remove(segmentsOf(t, o)[0]); err != nil {
		t.Fatal(err)
	}
	refused(t, o, "the oldest segment removed")
}

// Damage in an older segment is found when it is read, and what precedes it in
// the answer is not lost.
func TestDamageFoundByReaders(t *testing.T) {
	t.Parallel()
	o := options(t)
	o.SegmentBytes = 1000
	whole := crashed(t, o, 60, 60)
	path := segmentsOf(t, o)[1]
	first, _ := parseSegmentName(filepath.Base(path))
	flipped := slices.Clone(whole[path])
	flipped[frames(flipped)[3]+frameHeader] ^= 1
	if err := os.WriteFile(path, flipped, 0o600); err != nil {
		t.Fatal(err)
	}
	j := mustOpen(t, o)
	got, err := j.Read(1, 1000)
	if err != nil || len(got) != int(first-1) {
		t.Fatalf("%d records, %v, want the %d before the bad segment", len(got), err, first-1)
	}
	var damage *CorruptError
	if _, err := j.Read(first, 1); !errors.As(err, &damage) || damage.Seq != first+3 || damage.File != path {
		t.Fatalf("read: %v", err)
	}
	if got, err := j.Read(40, 5); err != nil || len(got) != 5 {
		t.Fatalf("behind the damage: %d records, %v", len(got), err)
	}
}

// A record sealed for the same place behind another record does not fit in.
func TestRecordIsBoundToTheOneBefore(t *testing.T) {
	t.Parallel()
	keys, seg, data := fixed(t)
	at := frames(data)
	for _, prev := range []tag{tag(data[at[2]-tagSize : at[2]]), {}, {1}} {
		writer := &Journal{keys: keys, tag: prev}
		forged := slices.Concat(data[:at[2]], writer.seal(seg, 3, payload(3)))
		sc := &scanner{keys: keys, seg: seg, file: bytes.NewReader(forged), end: int64(len(forged))}
		if err := sc.from(mark{seg.first, headerSize}); err != nil {
			t.Fatal(err)
		}
		_, err := sc.walk(func() bool { return true })
		if genuine := prev == tag(data[at[2]-tagSize:at[2]]); (err == nil) != genuine {
			t.Errorf("behind %x: %v", prev, err)
		}
	}
	// Nor does one sealed for another number, with the nonce of this place.
	writer := &Journal{keys: keys, tag: tag(data[at[2]-tagSize : at[2]])}
	frame := writer.seal(&segment{first: 2, aead: seg.aead}, 4, payload(3))
	copy(frame, appendFrameHeader(nil, 3, len(payload(3))))
	forged := slices.Concat(data[:at[2]], frame)
	sc := &scanner{keys: keys, seg: seg, file: bytes.NewReader(forged), end: int64(len(forged))}
	if err := sc.from(mark{seg.first, headerSize}); err != nil {
		t.Fatal(err)
	}
	if _, err := sc.walk(func() bool { return true }); err == nil {
		t.Error("a record was read under another number")
	}
}
