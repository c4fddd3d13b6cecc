package zootest

import (
	"bytes"
	"crypto/sha1"
	"encoding/binary"
	"slices"
	"strings"

	"github.com/vexa-ai/vexa/pkg/workspace/object"
)

// indexed is one file of a commit and of an index.
type indexed struct {
	path string
	mode uint32
	id   object.ID
	size int
}

func slicesIndex(list []indexed, path string) int {
	return slices.IndexFunc(list, func(e indexed) bool { return e.path == path })
}

// blobs writes the files of one version and returns them in order.
func (r repository) blobs(objects, version string) ([]indexed, error) {
	all := map[string]string{"f.md": "version " + version + "\n"}
	for name, text := range r.files {
		if !strings.HasPrefix(text, "->") && !strings.Contains(name, "/") {
			all[name] = text
		}
	}
	var list []indexed
	for name, text := range all {
		id, err := object.WriteLoose(objects, object.KindBlob, []byte(text))
		if err != nil {
			return nil, err
		}
		e := indexed{path: strings.TrimSuffix(name, "!"), mode: object.ModeFile, id: id, size: len(text)}
		if strings.HasSuffix(name, "!") {
			e.mode = object.ModeExec
		}
		list = append(list, e)
	}
	slices.SortFunc(list, func(a, b indexed) int { return strings.Compare(a.path, b.path) })
	return list, nil
}

func writeTree(objects string, list []indexed) (object.ID, error) {
	var entries []object.TreeEntry
	for _, e := range list {
		entries = append(entries, object.TreeEntry{Name: e.path, Mode: e.mode, ID: e.id})
	}
	return object.WriteLoose(objects, object.KindTree, object.EncodeTree(entries))
}

// encodeIndex is a version 2 index that knows of no file when it was changed.
func encodeIndex(list []indexed) string {
	buf := binary.BigEndian.AppendUint32([]byte("DIRC\x00\x00\x00\x02"), uint32(len(list)))
	for _, e := range list {
		start := len(buf)
		buf = append(buf, make([]byte, 24)...)
		buf = binary.BigEndian.AppendUint32(buf, e.mode)
		buf = append(buf, make([]byte, 8)...)
		buf = binary.BigEndian.AppendUint32(buf, uint32(e.size))
		buf = append(buf, e.id[:]...)
		buf = binary.BigEndian.AppendUint16(buf, uint16(len(e.path)))
		buf = append(buf, e.path...)
		buf = append(buf, make([]byte, 8-(len(buf)-start)%8)...)
	}
	sum := sha1.Sum(buf)
	return string(append(buf, sum[:]...))
}

// commitGraph is a commit-graph file that says of each commit that it has the
// given tree, and no parent.
func commitGraph(ids []object.ID, tree object.ID) string {
	slices.SortFunc(ids, func(a, b object.ID) int { return bytes.Compare(a[:], b[:]) })
	const chunks = 3
	offset := uint64(8 + (chunks+1)*12)
	buf := append([]byte("CGPH"), 1, 1, chunks, 0)
	for _, chunk := range []struct {
		name string
		size int
	}{{"OIDF", 256 * 4}, {"OIDL", len(ids) * object.Size}, {"CDAT", len(ids) * (object.Size + 16)}, {"\x00\x00\x00\x00", 0}} {
		buf = append(buf, chunk.name...)
		buf = binary.BigEndian.AppendUint64(buf, offset)
		offset += uint64(chunk.size)
	}
	for i := range 256 {
		n := 0
		for _, id := range ids {
			if int(id[0]) <= i {
				n++
			}
		}
		buf = binary.BigEndian.AppendUint32(buf, uint32(n))
	}
	for _, id := range ids {
		buf = append(buf, id[:]...)
	}
	const noParent = 0x70000000
	for range ids {
		buf = append(buf, tree[:]...)
		buf = binary.BigEndian.AppendUint32(buf, noParent)
		buf = binary.BigEndian.AppendUint32(buf, noParent)
		buf = binary.BigEndian.AppendUint32(buf, 1<<2) // generation
		buf = binary.BigEndian.AppendUint32(buf, 1_700_000_000)
	}
	sum := sha1.Sum(buf)
	return string(append(buf, sum[:]...))
}
