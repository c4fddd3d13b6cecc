package journal

import (
	"bytes"
	"errors"
	"testing"
)

// fixed makes the same segment of six records in every process: a fuzzer's
// workers must find the seeds of their coordinator valid.
func fixed(tb testing.TB) (*keyring, *segment, []byte) {
	tb.Helper()
	keys, err := newKeyring(testKey(), "test")
	if err != nil {
		tb.Fatal(err)
	}
	data, seg, err := keys.header(1, tag{}, make([]byte, saltSize))
	if err != nil {
		tb.Fatal(err)
	}
	j := &Journal{keys: keys}
	for seq := uint64(1); seq <= 6; seq++ {
		frame := j.seal(seg, seq, payload(seq))
		j.tag = tag(frame[len(frame)-tagSize:])
		data = append(data, frame...)
	}
	return keys, seg, data
}

// FuzzSegment reads a segment whose records are foreign bytes: nothing that was
// not written comes out, and nothing but the declared errors.
func FuzzSegment(f *testing.F) {
	keys, seg, data := fixed(f)
	records := data[headerSize:]
	f.Add(records)
	f.Add(records[:len(records)-5])
	f.Add(append(bytes.Clone(records[:40]), make([]byte, 100)...))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0})
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, records []byte) {
		file := append(bytes.Clone(data[:headerSize]), records...)
		sc := &scanner{keys: keys, seg: seg, file: bytes.NewReader(file), end: int64(len(file))}
		if err := sc.from(mark{seg.first, headerSize}); err != nil {
			t.Fatal(err)
		}
		_, err := sc.walk(func() bool { return true })
		var bad *frameError
		if err != nil && !errors.As(err, &bad) {
			t.Fatalf("not a *frameError: %v", err)
		}
		if bad != nil && (bad.off != sc.off || bad.seq != sc.seq || bad.off > int64(len(file))) {
			t.Fatalf("the error is about another place: %+v, %d, %d", bad, sc.off, sc.seq)
		}
		if bytes.Equal(file, data) && err != nil {
			t.Fatalf("a genuine segment was refused: %v", err)
		}
		if !bytes.Equal(file[:sc.off], data[:min(sc.off, int64(len(data)))]) {
			t.Fatal("forged records were accepted")
		}
	})
}

// FuzzHeader: only headers that were written verify.
func FuzzHeader(f *testing.F) {
	keys, _, data := fixed(f)
	f.Add(data[:headerSize])
	f.Add([]byte(segmentMagic))
	f.Fuzz(func(t *testing.T, header []byte) {
		padded := make([]byte, headerSize)
		copy(padded, header)
		if _, err := keys.parseHeader(padded); err == nil && !bytes.Equal(padded, data[:headerSize]) {
			t.Fatal("a forged header was accepted")
		}
	})
}

// FuzzCheckpoint: only slots that were written verify.
func FuzzCheckpoint(f *testing.F) {
	keys, err := newKeyring(testKey(), "test")
	if err != nil {
		f.Fatal(err)
	}
	pos := position{generation: 4, first: 3, seq: 9, tag: tag{1, 2}}
	slot := keys.slot(pos)
	f.Add(slot)
	f.Add(append(make([]byte, slotEvery), slot...))
	f.Add([]byte(checkpointMagic))
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := keys.newest(data)
		if err == nil && (got != pos || !bytes.Contains(data, slot)) {
			t.Fatalf("a forged checkpoint was accepted: %+v", got)
		}
	})
}
