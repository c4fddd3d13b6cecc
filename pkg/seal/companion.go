package seal

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"strings"

	"github.com/vexa-ai/vexa/pkg/internal/atomicfile"
)

// A flipped bit in the scrypt stanza of an age file and a wrong passphrase
// fail in exactly the same way, so the checksum of the file rests beside it.
// It says nothing about the passphrase: the file itself is there to hash.

func companion(path string) string { return path + ".pub" }

// note is what a companion says of one state of the file beside it.
type note struct {
	checksum string
	by       Protection // empty: it is not said
}

// notes are what a companion says. The zero value says nothing.
type notes struct {
	recipient string // a public key, which may hold a space
	files     []note
}

// PublicHalf returns the recipient of the locked key at path, without opening
// it: of a key file, or of the post-quantum key of a keychain. It is empty where
// there is no companion that says it.
func PublicHalf(path string) string { return readNotes(path).recipient }

// readNotes reads the companion of the file at path; one that cannot be read
// says nothing.
func readNotes(path string) (n notes) {
	text, err := os.ReadFile(companion(path))
	if err != nil {
		return notes{}
	}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		sum, by, _ := strings.Cut(line, " ")
		switch {
		case line == "" || line[0] == '#':
		case strings.HasPrefix(sum, "sha256:"):
			n.files = append(n.files, note{sum, Protection(by)})
		default:
			n.recipient = line
		}
	}
	return n
}

// of returns what is said of a file of these bytes.
func (n notes) of(data []byte) (note, bool) {
	sum := checksum(data)
	for _, f := range n.files {
		if f.checksum == sum {
			return f, true
		}
	}
	return note{}, false
}

// writeCompanion is called before the key file is replaced, and therefore
// lists the checksum of the file that is there too: a crash in between leaves
// a companion that is right for either.
func writeCompanion(path, recipient string, next []byte, by Protection) error {
	files := []note{{checksum(next), by}}
	old, err := os.ReadFile(path)
	switch {
	case err == nil:
		was, _ := readNotes(path).of(old)
		files = append(files, note{checksum(old), was.by})
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	lines := []string{"# recipient, and checksum of the key file beside this one", recipient}
	for _, f := range files {
		lines = append(lines, strings.TrimSpace(f.checksum+" "+string(f.by)))
	}
	return atomicfile.WriteFile(companion(path), []byte(strings.Join(lines, "\n")+"\n"), 0o600)
}

// intact reports whether data are the bytes that were written. Without a
// companion there is no evidence of damage.
func intact(path string, data []byte) bool {
	n := readNotes(path)
	_, ok := n.of(data)
	return ok || len(n.files) == 0
}

func checksum(data []byte) string {
	sum := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(sum[:])
}
