package keys

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"time"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/internal/atomicfile"
	"github.com/vexa-ai/vexa/pkg/internal/configfile"
	"github.com/vexa-ai/vexa/pkg/seal"
)

// Recovery is what is known of the recovery key: its public halves. Whoever has
// the private ones opens everything that the installation can open.
type Recovery struct {
	Recipient   string    `json:"recipient"`   // age1…
	PostQuantum string    `json:"postQuantum"` // age1pq1…
	SigningKey  string    `json:"signingKey"`  // "ssh-ed25519 AAAA…", derived from the recipient's private half
	CreatedAt   time.Time `json:"createdAt"`
}

// recoveryFile is recovery.json.
type recoveryFile struct {
	Version int `json:"version"`
	Recovery
}

const recoveryVersion = 1

// NewRecovery makes a recovery key, which rests nowhere.
func NewRecovery() (*seal.Keychain, error) {
	classic, err := seal.NewIdentity()
	if err != nil {
		return nil, err
	}
	hybrid, err := seal.NewHybridIdentity()
	if err != nil {
		return nil, err
	}
	return seal.NewKeychain(classic, hybrid)
}

// Recovery returns what is known of the recovery key; nil where there is none.
func (s *Store) Recovery() (*Recovery, error) {
	data, err := os.ReadFile(s.path("recovery.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil //nolint:nilnil // there is none, and that is no error
	}
	if err != nil {
		return nil, fault.Wrap(fault.Internal, "read what is known of the recovery key", err)
	}
	var f recoveryFile
	err = configfile.Decode(data, &f)
	if err == nil && f.Version != recoveryVersion {
		err = errors.New("its version is not 1")
	}
	if err == nil {
		_, err = seal.ParseRecipient(f.Recipient)
	}
	if err != nil {
		return nil, &fault.Error{Kind: fault.Invalid, Msg: s.path("recovery.json") + " is damaged", Err: err, Hint: "make another recovery key: vexa key recovery --replace"}
	}
	return &f.Recovery, nil
}

// SetRecovery makes the copy of the identity for a recovery key, and remembers
// its public halves. One that is there is replaced only where replace says so,
// else the error is fault.Conflict; what was encrypted to it before it still
// opens.
func (s *Store) SetRecovery(id *seal.Identity, k *seal.Keychain, replace bool) (*Recovery, error) {
	lock, err := s.hold()
	if err != nil {
		return nil, err
	}
	defer lock.Release()
	before, err := s.Recovery()
	if err != nil && !replace {
		return nil, err
	}
	if before != nil && !replace {
		return nil, HasRecovery(*before)
	}
	now, err := s.describe(k)
	if err != nil {
		return nil, err
	}
	if err := s.copies.Add(id, k.Classic().Public()); err != nil {
		return nil, err
	}
	data, err := json.MarshalIndent(recoveryFile{recoveryVersion, now}, "", "  ")
	if err != nil {
		return nil, fault.Wrap(fault.Internal, "write the recovery key down", err)
	}
	if err := atomicfile.WriteFile(s.path("recovery.json"), append(data, '\n'), 0o600); err != nil {
		return nil, fault.Wrap(fault.Internal, "write the recovery key down", err)
	}
	if before != nil {
		err = s.copies.Remove(before.Recipient) // the last: until now either key opened it
	}
	return &now, err
}

// HasRecovery is the error for a second recovery key.
func HasRecovery(r Recovery) error {
	return fault.New(fault.Conflict, "there is a recovery key, "+r.Recipient+", of "+r.CreatedAt.UTC().Format(time.DateOnly), "make another in its place with: vexa key recovery --replace")
}

// describe returns the public halves of a recovery key.
func (s *Store) describe(k *seal.Keychain) (Recovery, error) {
	signer, err := Signer(k.Classic())
	if err != nil {
		return Recovery{}, err
	}
	hybrid, err := k.Recipients(true)
	if err != nil {
		return Recovery{}, err
	}
	return Recovery{
		Recipient: k.Classic().Recipient(), PostQuantum: hybrid[0].String(),
		SigningKey: signer.Key().String(), CreatedAt: s.o.Now().UTC().Truncate(time.Second),
	}, nil
}
