package seal

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/vexa-ai/vexa/pkg/internal/atomicfile"
)

// A flipped bit in the scrypt stanza of an age file and a wrong passphrase
// fail in exactly the same way, so the checksum of the file rests beside it.
// It says nothing about the passphrase: the file itself is there to hash.

func companion(path string) string { return path + ".pub" }

// writeCompanion is called before the key file is replaced, and therefore
// lists the checksum of the file that is there too: a crash in between leaves
// a companion that is right for either.
func writeCompanion(path, recipient string, next []byte) error {
	text := "# recipient, and checksum of the key file beside this one\n" + recipient + "\n" + checksum(next) + "\n"
	old, err := os.ReadFile(path)
	switch {
	case err == nil:
		text += checksum(old) + "\n"
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	return atomicfile.WriteFile(companion(path), []byte(text), 0o600)
}

// intact reports whether data are the bytes that were written. Without a
// companion there is no evidence of damage.
func intact(path string, data []byte) bool {
	text, err := os.ReadFile(companion(path))
	if err != nil {
		return true
	}
	sums := strings.Fields(string(text))
	return !strings.Contains(string(text), "sha256:") || slices.Contains(sums, checksum(data))
}

func checksum(data []byte) string {
	sum := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(sum[:])
}
