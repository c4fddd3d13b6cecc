package tap_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"testing"
	"testing/iotest"

	"github.com/vexa-ai/vexa/pkg/internal/tap"
)

func TestSource(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	for want, r := range map[error]io.Reader{nil: bytes.NewReader([]byte("a")), broken: iotest.ErrReader(broken)} {
		s := &tap.Source{R: r}
		_, err := io.ReadAll(s)
		if !errors.Is(err, want) || !errors.Is(s.Err, want) {
			t.Errorf("%v, %v; want %v", err, s.Err, want)
		}
	}
}

func TestHash(t *testing.T) {
	t.Parallel()
	h := &tap.Hash{W: short{}, H: sha256.New()}
	if n, err := h.Write([]byte("abc")); n != 2 || !errors.Is(err, io.ErrShortWrite) || h.N != 2 {
		t.Errorf("%d, %d, %v", n, h.N, err)
	}
	if want := sha256.Sum256([]byte("ab")); !bytes.Equal(h.H.Sum(nil), want[:]) {
		t.Error("it hashed what was not written")
	}
}

// short takes two bytes.
type short struct{}

func (short) Write([]byte) (int, error) { return 2, io.ErrShortWrite }
