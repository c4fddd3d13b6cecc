// Package deb reads Debian packages and the indexes that list them, as
// described in deb(5), ar(5) and deb-control(5). It runs none of a package's
// scripts.
package deb

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"
)

// maxWindow bounds the memory that decompressing takes, bytes: xz -9 has 64 MiB.
const maxWindow = 128 << 20

// Data returns the tar of a package's files, decompressed. What is no package
// of format 2.0 is an error, as is reading past what r holds.
func Data(r io.Reader) (io.Reader, error) {
	in := bufio.NewReaderSize(r, 1<<16)
	magic := make([]byte, 8)
	if _, err := io.ReadFull(in, magic); err != nil || string(magic) != "!<arch>\n" {
		return nil, errors.New("it is no Debian package: it does not begin as an ar archive")
	}
	if err := version(in); err != nil {
		return nil, err
	}
	for {
		name, size, err := member(in)
		if err != nil {
			return nil, err
		}
		switch {
		case strings.HasPrefix(name, "data.tar"):
			return decompress(name, io.LimitReader(in, size))
		case !strings.HasPrefix(name, "control.tar") && !strings.HasPrefix(name, "_"):
			return nil, fmt.Errorf("a Debian package has no member %q", name)
		}
		if err := skip(in, size+size%2); err != nil { // members are padded to an even length
			return nil, fmt.Errorf("member %s: %w", name, err)
		}
	}
}

// version reads the first member, which says the format.
func version(in io.Reader) error {
	name, size, err := member(in)
	if err != nil {
		return err
	}
	text := make([]byte, min(size, 16))
	if _, err := io.ReadFull(in, text); err != nil {
		return fmt.Errorf("debian-binary: %w", err)
	}
	if name != "debian-binary" || !bytes.HasPrefix(text, []byte("2.")) || size > int64(len(text)) {
		return errors.New("it is no Debian package of format 2.0")
	}
	return skip(in, size%2)
}

func skip(in io.Reader, n int64) error {
	_, err := io.CopyN(io.Discard, in, n)
	return err
}

// member reads the header of the next member of an ar archive: 16 bytes of name,
// times and owners, 10 bytes of size in decimal, and an end mark.
func member(in io.Reader) (name string, size int64, err error) {
	head := make([]byte, 60)
	if _, err := io.ReadFull(in, head); err != nil {
		return "", 0, fmt.Errorf("the package ends before its data: %w", err)
	}
	if string(head[58:]) != "`\n" {
		return "", 0, errors.New("a member's header is malformed")
	}
	size, err = strconv.ParseInt(strings.TrimSpace(string(head[48:58])), 10, 64)
	if err != nil || size < 0 {
		return "", 0, errors.New("a member's size is malformed")
	}
	return strings.TrimSuffix(strings.TrimSpace(string(head[:16])), "/"), size, nil
}

// decompress undoes the compression that a member's name says.
func decompress(name string, r io.Reader) (io.Reader, error) {
	switch name {
	case "data.tar":
		return r, nil
	case "data.tar.gz":
		return gzip.NewReader(r)
	case "data.tar.xz":
		return unxz(r)
	case "data.tar.zst":
		d, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxWindow))
		if err != nil {
			return nil, err
		}
		return d, nil
	default:
		return nil, fmt.Errorf("%s is compressed in a way that is not known", name)
	}
}

// unxz decompresses xz. The decoder takes the window that a block asks for, up to
// 4 GiB, so that the first block's is looked at before; every writer gives all
// blocks of a stream the same. A second stream, whose window nobody looked at, is none
// of a package.
func unxz(r io.Reader) (io.Reader, error) {
	in := bufio.NewReaderSize(r, 4096)
	head, err := in.Peek(64)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if n := window(head); n > maxWindow {
		return nil, fmt.Errorf("to decompress it takes %d bytes of memory; at most %d are given", n, maxWindow)
	}
	return xz.ReaderConfig{SingleStream: true}.NewReader(in)
}

// window is the size of the LZMA2 dictionary of an xz stream's first block
// (section 5.3.1 of its specification), 0 where there is none to be found: the
// decoder then says what is wrong.
func window(head []byte) int64 {
	const streamHeader = 12
	if len(head) < streamHeader+2 {
		return 0
	}
	block := head[streamHeader:]
	flags, at := block[1], 2
	for bit := byte(0x40); bit != 0; bit <<= 1 { // the optional sizes, variable-length integers
		if flags&bit == 0 {
			continue
		}
		for at < len(block) && block[at]&0x80 != 0 {
			at++
		}
		at++
	}
	if at+2 >= len(block) || block[at] != 0x21 || block[at+1] != 1 {
		return 0
	}
	bits := block[at+2] & 0x3f
	return int64(2|bits&1) << (bits/2 + 11)
}
