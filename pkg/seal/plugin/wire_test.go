package plugin

import (
	"bufio"
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func parseStanza(data []byte) (stanza, error) {
	return readStanza(bufio.NewReaderSize(bytes.NewReader(data), maxLine))
}

func TestStanzas(t *testing.T) {
	t.Parallel()
	for size := range 200 {
		s := stanza{"recipient-stanza", []string{"0", "X25519", strings.Repeat("x", 2*size+1)}, bytes.Repeat([]byte{byte(size)}, size)}
		got, err := parseStanza(append(s.encode(), "-> next\n\n"...))
		if err != nil || got.kind != s.kind || !cmp.Equal(got.args, s.args) || !bytes.Equal(got.body, s.body) {
			t.Fatalf("%d bytes: %+v, %v", size, got, err)
		}
	}
}

func TestStanzasThatAreNone(t *testing.T) {
	t.Parallel()
	full := strings.Repeat("A", columns)
	for _, text := range []string{
		"", "->", "->\n", "-> \n\n", "hello\n", "-> a  b\n\n", "-> a\n", "-> a\n" + full, "-> a\n" + full + "\n", "-> a\n" + full + "AAAA\n\n",
		"-> a\nA\n", "-> a\nAB\n", "-> a\nAA==\n", "-> a\r\n\n", "-> a\n\r\n", "-> a\x00\n\n", "-> \xff\n\n", "-->\n\n", "-> a\n-> b\n",
		"-> " + strings.Repeat("x", maxLine) + "\n\n", "-> a\n" + strings.Repeat(full+"\n", maxBody/(columns/4*3)+1) + "\n",
	} {
		if s, err := parseStanza([]byte(text)); err == nil {
			t.Errorf("%.40q is %+v", text, s)
		} else if len(err.Error()) > 200 {
			t.Errorf("%.40q: the error has %d bytes", text, len(err.Error()))
		}
	}
}

// FuzzStanza: what is read is written as it was, and nothing is read endlessly.
func FuzzStanza(f *testing.F) {
	f.Add([]byte("-> file-key 0\nAAAA\n"))
	f.Add([]byte("-> labels a b\n\n"))
	f.Add(stanza{"msg", nil, make([]byte, 100)}.encode())
	f.Fuzz(func(t *testing.T, data []byte) {
		r := bufio.NewReaderSize(bytes.NewReader(data), maxLine)
		s, err := readStanza(r)
		if err != nil {
			return
		}
		rest, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(append(s.encode(), rest...), data) {
			t.Errorf("%q is read as %+v", data, s)
		}
	})
}
