package bucket

import (
	"bytes"
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/vexa-ai/vexa/pkg/workspace/git"
)

// list writes the ids of what a pack holds itself to out, one on each line.
func (w *workbench) list(ctx context.Context, p broughtPack, out io.Writer) error {
	index, err := os.Open(filepath.Join(w.Objects, "pack", p.name+".idx"))
	if err != nil {
		return err
	}
	defer index.Close()
	found := &entries{}
	_, err = w.Run(ctx, git.Cmd{Args: []string{"show-index", "--object-format=" + w.Format}, Stdin: index, Stdout: found})
	if err == nil {
		err = found.err
	}
	if err != nil {
		return fmt.Errorf("list the objects of a pack: %w", err)
	}
	if int64(len(found.list)) < p.objects {
		return fmt.Errorf("a pack of %d objects has %d", p.objects, len(found.list))
	}
	slices.SortFunc(found.list, func(a, b entry) int { return cmp.Compare(a.offset, b.offset) })
	for _, e := range found.list[:p.objects] {
		if _, err := io.WriteString(out, hex.EncodeToString(e.id[:hex.DecodedLen(found.digits)])+"\n"); err != nil {
			return err
		}
	}
	return nil
}

// entries reads what git show-index prints: for each object a line with its
// offset in the pack and its id.
type entries struct {
	list   []entry
	digits int // of an id
	rest   []byte
	err    error
}

type entry struct {
	offset int64
	id     [32]byte
}

// Write implements io.Writer.
func (e *entries) Write(p []byte) (int, error) {
	e.rest = append(e.rest, p...)
	for {
		line, rest, ok := bytes.Cut(e.rest, []byte("\n"))
		if !ok {
			return len(p), nil
		}
		e.rest = rest
		f := strings.Fields(string(line))
		if len(f) < 2 || len(f[1]) > 64 {
			e.err = errors.New("git show-index printed what is no line of an index")
			return 0, e.err
		}
		var item entry
		var err error
		item.offset, err = strconv.ParseInt(f[0], 10, 64)
		n, herr := hex.Decode(item.id[:], []byte(f[1]))
		if e.err = errors.Join(err, herr); e.err != nil {
			return 0, e.err
		}
		e.digits = hex.EncodedLen(n)
		e.list = append(e.list, item)
	}
}
