package seal

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"filippo.io/age"
	"filippo.io/age/armor"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/internal/atomicfile"
)

// Copies are the copies of an identity in one directory, each an armoured age
// file for another key of the person's: an SSH key, a hardware key, a recovery
// key. Beside each lies a companion that names the key. The stock age command
// opens them.
//
// Each is a file of its own, so that one damaged copy costs one key, keys of
// all kinds go together, and one touch of a hardware key is enough.
type Copies struct{ Dir string }

// Copy is one of them.
type Copy struct {
	Recipient string // whom it is for; empty where the companion is lost
	Path      string
}

// path is where the copy for a recipient lies.
func (c Copies) path(recipient string) string {
	sum := sha256.Sum256([]byte(recipient))
	return filepath.Join(c.Dir, hex.EncodeToString(sum[:8])+".age")
}

// List returns the copies, by name.
func (c Copies) List() ([]Copy, error) {
	entries, err := os.ReadDir(c.Dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fault.Wrap(fault.Internal, "list the copies of the key", err)
	}
	var list []Copy
	for _, e := range entries {
		if path := filepath.Join(c.Dir, e.Name()); strings.HasSuffix(path, ".age") && e.Type().IsRegular() {
			list = append(list, Copy{Recipient: readNotes(path).recipient, Path: path})
		}
	}
	return list, nil
}

// Has reports whether there is a copy for a recipient.
func (c Copies) Has(recipient string) bool {
	_, err := os.Stat(c.path(recipient))
	return err == nil
}

// Add makes the copy of id for a recipient, 0600, or makes it anew.
func (c Copies) Add(id *Identity, to Recipient) error {
	sealed, err := EncryptBytes(id.text(), to)
	if err != nil {
		return err
	}
	var text bytes.Buffer
	w := armor.NewWriter(&text)
	_, err = w.Write(sealed)
	if err = errors.Join(err, w.Close(), os.MkdirAll(c.Dir, 0o700)); err != nil {
		return fault.Wrap(fault.Internal, "make a copy of the key", err)
	}
	path := c.path(to.String())
	err = writeCompanion(path, to.String(), text.Bytes(), "")
	if err == nil {
		err = atomicfile.WriteFile(path, text.Bytes(), 0o600)
	}
	return fault.Wrap(fault.Internal, "write the copy of the key "+path, err)
}

// Remove removes the copy for a recipient, where there is one. The key that it
// was for may have been used before.
func (c Copies) Remove(recipient string) error {
	path := c.path(recipient)
	for _, name := range []string{path, companion(path)} {
		if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fault.Wrap(fault.Internal, "remove a copy of the key", err)
		}
	}
	return nil
}

// Open opens a copy with the opener. It tries the likeliest first, goes on only
// where a copy is for another key or damaged, and starts no plugin for a copy
// that is for another. The error is fault.Denied where the opener opens none,
// fault.Invalid where the copy for it is damaged, and else what the opener says.
func (c Copies) Open(with *Opener) (*Identity, error) {
	list, err := c.List()
	if err != nil {
		return nil, err
	}
	type attempt struct {
		copy Copy
		key  openerKey
	}
	var attempts []attempt
	for _, cp := range list {
		for _, key := range with.keys {
			if key.rank(cp.Recipient) > 0 {
				attempts = append(attempts, attempt{cp, key})
			}
		}
	}
	slices.SortStableFunc(attempts, func(a, b attempt) int {
		return cmp.Compare(b.key.rank(b.copy.Recipient), a.key.rank(a.copy.Recipient))
	})
	var damaged error
	for _, a := range attempts {
		id, err := a.copy.open(a.key)
		var another *age.NoIdentityMatchError
		switch {
		case err == nil:
			return id, nil
		case errors.As(err, &another):
		case fault.Is(err, fault.Invalid):
			damaged = err
		default:
			return nil, err
		}
	}
	if damaged != nil {
		return nil, damaged
	}
	return nil, fault.New(fault.Denied, "the key has no copy that "+with.path+" opens", "vexa key show lists the keys that open it; vexa key add adds one")
}

// open opens the copy with one key.
func (c Copy) open(with openerKey) (*Identity, error) {
	data, err := readSecretFile(c.Path)
	if err != nil {
		return nil, err
	}
	key, err := with.open()
	if err != nil {
		return nil, err
	}
	plain, err := openArmoured(data, key)
	switch {
	case fault.Is(err, fault.Invalid), fault.Is(err, fault.Denied) && !intact(c.Path, data):
		return nil, fault.New(fault.Invalid, "the copy of the key "+c.Path+" is damaged", "make it anew with: vexa key add")
	case err != nil:
		return nil, err
	}
	return parseKeyFile(c.Path, plain)
}

// openArmoured opens an age file, armoured or not.
func openArmoured(data []byte, key age.Identity) ([]byte, error) {
	if bytes.HasPrefix(bytes.TrimSpace(data), []byte(armor.Header)) {
		var err error
		if data, err = io.ReadAll(armor.NewReader(bytes.NewReader(data))); err != nil {
			return nil, fault.Wrap(fault.Invalid, "damaged, or not sealed by age", err)
		}
	}
	plain, err := open(bytes.NewReader(data), key)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(plain)
}
