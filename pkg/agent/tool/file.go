package tool

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"unicode/utf8"
)

const (
	maxLines = 2000      // that one read returns
	maxEdit  = 16 << 20  // bytes of a file that is edited
	maxRead  = 48 << 10  // bytes that one read returns; below maxOutput
	sniff    = 8 << 10   // bytes that are looked at to tell text from other data
	fileMode = 0o644     // of new files
	dirMode  = 0o755     // of new directories
	tmpName  = ".vexa-*" // of a file that is being written; * is random
)

type readArgs struct {
	Path   string `json:"path"`
	Offset int    `json:"offset"`
	Limit  int    `json:"limit"`
}

func (b *Box) read() builtin {
	return define("read", "Read a text file. Returns its lines as they are.", `{
  "type": "object",
  "properties": {
    "path": {"type": "string", "description": "file, relative to the working directory"},
    "offset": {"type": "integer", "description": "first line, from 1"},
    "limit": {"type": "integer", "description": "number of lines, at most 2000"}
  },
  "required": ["path"]
}`, func(_ context.Context, a readArgs) (string, error) {
		p, err := b.places.open(a.Path)
		if err != nil {
			return "", err
		}
		defer p.close()
		if _, err := p.regular(); err != nil {
			return "", err
		}
		f, err := p.root.Open(p.rel)
		if err != nil {
			return "", explain(err, p.name)
		}
		defer f.Close()
		return readLines(f, a)
	})
}

// readLines returns the lines that were asked for, and where there are more
// how to go on.
func readLines(f io.Reader, a readArgs) (string, error) {
	in := bufio.NewReaderSize(f, sniff)
	head, err := in.Peek(sniff)
	if err != nil && !errors.Is(err, io.EOF) {
		return "", explain(err, a.Path)
	}
	if !isText(head) {
		return "", fmt.Errorf("%s is not text", a.Path)
	}
	first, limit := max(a.Offset, 1), a.Limit
	if limit <= 0 || limit > maxLines {
		limit = maxLines
	}
	var out strings.Builder
	for line := 1; ; line++ {
		text, more, err := nextLine(in)
		if err != nil {
			return "", explain(err, a.Path)
		}
		if text == "" && !more {
			if line <= first && first > 1 {
				return "", fmt.Errorf("%s has %d lines only", a.Path, line-1)
			}
			return out.String(), nil
		}
		if line < first {
			continue
		}
		if line >= first+limit || out.Len()+len(text) > maxRead {
			fmt.Fprintf(&out, "[the file goes on: read again with offset %d]", line)
			return out.String(), nil
		}
		out.WriteString(strings.ToValidUTF8(text, "\uFFFD"))
	}
}

// nextLine returns one line with its newline; of a very long one the beginning.
// More is false at the end of the file.
func nextLine(in *bufio.Reader) (text string, more bool, err error) {
	var line []byte
	dropped := 0
	for {
		part, err := in.ReadSlice('\n')
		if room := maxRead/2 - len(line); len(part) > room {
			dropped += len(part) - room
			part = part[:room]
		}
		line = append(line, part...)
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case err != nil && !errors.Is(err, io.EOF):
			return "", false, err
		}
		if dropped > 0 {
			line = append(line, fmt.Sprintf("[%d more bytes in this line]\n", dropped)...)
		}
		return string(line), err == nil, nil
	}
}

// isText tells text by its beginning, which is the whole of a file that is
// shorter than sniff: valid UTF-8, but for a character cut at the end, and no
// NUL.
func isText(head []byte) bool {
	if bytes.IndexByte(head, 0) >= 0 {
		return false
	}
	if len(head) < sniff {
		return utf8.Valid(head)
	}
	for n := range utf8.UTFMax {
		if utf8.Valid(head[:len(head)-n]) {
			return true
		}
	}
	return false
}

type writeArgs struct {
	Path    string `json:"path"`
	Content string `json:"content"`
}

func (b *Box) write() builtin {
	return define("write", "Write a whole file, new or not. Directories are made as needed.", `{
  "type": "object",
  "properties": {
    "path": {"type": "string", "description": "file, relative to the working directory"},
    "content": {"type": "string", "description": "the whole content"}
  },
  "required": ["path", "content"]
}`, func(_ context.Context, a writeArgs) (string, error) {
		p, err := b.places.open(a.Path)
		if err != nil {
			return "", err
		}
		defer p.close()
		if _, err := p.root.Stat(p.rel); err == nil || !errors.Is(err, fs.ErrNotExist) {
			if _, err := p.regular(); err != nil {
				return "", err
			}
		}
		if dir := path.Dir(p.rel); dir != "." {
			if err := p.root.MkdirAll(dir, dirMode); err != nil {
				return "", explain(err, p.name)
			}
		}
		if err := p.replace([]byte(a.Content)); err != nil {
			return "", err
		}
		return fmt.Sprintf("wrote %d bytes to %s", len(a.Content), a.Path), nil
	})
}

// replace puts data in the place of the file, whole or not at all: the turn may
// be killed at any moment, and what is there then is kept. A symbolic link is
// written through, since it is a name and not the file.
func (p place) replace(data []byte) error {
	mode := fs.FileMode(fileMode)
	info, err := p.root.Lstat(p.rel)
	switch {
	case err == nil && info.Mode()&fs.ModeSymlink != 0:
		return explainNil(p.root.WriteFile(p.rel, data, mode), p.name)
	case err == nil:
		mode = info.Mode().Perm()
	}
	var random [6]byte
	_, _ = rand.Read(random[:]) // never fails
	tmp := path.Join(path.Dir(p.rel), strings.Replace(tmpName, "*", hex.EncodeToString(random[:]), 1))
	f, err := p.root.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return explain(err, p.name)
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Close()); err == nil {
		err = p.root.Rename(tmp, p.rel)
	}
	if err != nil {
		_ = p.root.Remove(tmp)
		return explain(err, p.name)
	}
	return nil
}

func explainNil(err error, name string) error {
	if err == nil {
		return nil
	}
	return explain(err, name)
}

type editArgs struct {
	Path string `json:"path"`
	Old  string `json:"old"`
	New  string `json:"new"`
	All  bool   `json:"all"`
}

func (b *Box) edit() builtin {
	return define("edit", "Replace text in a file. The old text must be there exactly once, unless all is set.", `{
  "type": "object",
  "properties": {
    "path": {"type": "string", "description": "file, relative to the working directory"},
    "old": {"type": "string", "description": "text to replace, exactly as it is in the file"},
    "new": {"type": "string", "description": "text to put in its place"},
    "all": {"type": "boolean", "description": "replace every occurrence"}
  },
  "required": ["path", "old", "new"]
}`, func(_ context.Context, a editArgs) (string, error) {
		if a.Old == "" {
			return "", errors.New("old is empty: use write for a new file")
		}
		p, err := b.places.open(a.Path)
		if err != nil {
			return "", err
		}
		defer p.close()
		info, err := p.regular()
		if err != nil {
			return "", err
		}
		if info.Size() > maxEdit {
			return "", fmt.Errorf("%s is over %d bytes", a.Path, maxEdit)
		}
		data, err := p.root.ReadFile(p.rel)
		if err != nil {
			return "", explain(err, p.name)
		}
		n := strings.Count(string(data), a.Old)
		switch {
		case n == 0:
			return "", fmt.Errorf("the old text is not in %s: read it again", a.Path)
		case n > 1 && !a.All:
			return "", fmt.Errorf("the old text is in %s %d times: give more of what is around it, or set all", a.Path, n)
		}
		if err := p.replace([]byte(strings.ReplaceAll(string(data), a.Old, a.New))); err != nil {
			return "", err
		}
		return fmt.Sprintf("replaced %d occurrence(s) in %s", n, a.Path), nil
	})
}
