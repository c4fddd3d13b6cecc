package tree

import (
	"archive/tar"
	"bufio"
	"io"
	"maps"
	"slices"
	"time"
)

// WriteLayer writes a layer as an uncompressed tar. Its bytes depend on what was
// put into the tree alone: entries are sorted by their names, belong to root
// and have the time 0. Files of one content that were hard links stay so.
func (t *Tree) WriteLayer(w io.Writer, layer int) error {
	buf := bufio.NewWriterSize(w, 1<<20)
	tw := tar.NewWriter(buf)
	first := map[*section]string{}
	for _, name := range slices.Sorted(maps.Keys(t.nodes)) {
		n := t.nodes[name]
		if n.layer != layer {
			continue
		}
		h := &tar.Header{Typeflag: n.kind, Name: name, Mode: n.mode, Linkname: n.target, ModTime: time.Unix(0, 0), Format: tar.FormatPAX}
		switch n.kind {
		case tar.TypeDir:
			h.Name += "/"
		case tar.TypeReg:
			if to, linked := first[n.content]; linked {
				h.Typeflag, h.Linkname = tar.TypeLink, to
			} else {
				first[n.content] = name
				h.Size = n.content.size
			}
		}
		if err := tw.WriteHeader(h); err != nil {
			return err
		}
		if h.Typeflag == tar.TypeReg {
			if _, err := io.Copy(tw, t.spool.open(n.content)); err != nil {
				return err
			}
		}
	}
	if err := tw.Close(); err != nil {
		return err
	}
	return buf.Flush()
}

// Layers is how many layers there are.
func (t *Tree) Layers() int { return t.layer + 1 }

// Files returns the contents of the files that choose picks, by path, sorted;
// each at most limit bytes.
func (t *Tree) Files(choose func(name string) bool, limit int64) ([][]byte, error) {
	var out [][]byte
	for _, name := range slices.Sorted(maps.Keys(t.nodes)) {
		n := t.nodes[name]
		if n.kind != tar.TypeReg || !choose(name) {
			continue
		}
		data, err := io.ReadAll(io.LimitReader(t.spool.open(n.content), limit))
		if err != nil {
			return nil, err
		}
		out = append(out, data)
	}
	return out, nil
}
