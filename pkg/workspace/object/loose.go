package object

import (
	"bufio"
	"bytes"
	"compress/zlib"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// maxLoose is the largest loose object that is read, in bytes.
const maxLoose = 1 << 30

// WriteLoose writes a loose object below dir, an objects directory that is
// thrown away: nothing is flushed. One that is there already is left as it is.
func WriteLoose(dir string, kind Kind, data []byte) (ID, error) {
	id, err := Name(kind, data)
	if err != nil {
		return id, err
	}
	name := id.String()
	path := filepath.Join(dir, name[:2], name[2:])
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return id, err
	}
	if _, err := os.Lstat(path); err == nil {
		return id, nil
	}
	var buf bytes.Buffer
	z := zlib.NewWriter(&buf)
	_, err = fmt.Fprintf(z, "%s %d\x00%s", kind, len(data), data)
	if err := errors.Join(err, z.Close()); err != nil {
		return id, err
	}
	return id, os.WriteFile(path, buf.Bytes(), 0o444) //nolint:gosec // as git makes them
}

// ReadLoose reads a loose object of a repository of the host's own.
func ReadLoose(path string) (Kind, []byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, nil, err
	}
	defer f.Close()
	z, err := zlib.NewReader(bufio.NewReader(f))
	if err != nil {
		return 0, nil, fmt.Errorf("object %s: %w", path, err)
	}
	r := bufio.NewReader(z)
	head, err := r.ReadString(0)
	if err != nil {
		return 0, nil, fmt.Errorf("object %s: %w", path, err)
	}
	word, digits, _ := strings.Cut(strings.TrimSuffix(head, "\x00"), " ")
	size, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || size < 0 || size > maxLoose {
		return 0, nil, fmt.Errorf("object %s: damaged header", path)
	}
	var kind Kind
	for _, k := range []Kind{KindCommit, KindTree, KindBlob} {
		if k.String() == word {
			kind = k
		}
	}
	if kind == 0 {
		return 0, nil, fmt.Errorf("object %s: unknown type", path)
	}
	data := make([]byte, size)
	if _, err := io.ReadFull(r, data); err != nil {
		return 0, nil, fmt.Errorf("object %s: %w", path, err)
	}
	return kind, data, nil
}
