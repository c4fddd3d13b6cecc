package seal

import (
	"bytes"
	"context"
	"strings"

	"filippo.io/age"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/internal/textform"
)

// Opener is a private key of a person's that opens copies of an identity (see
// Copies): an SSH key, an age key, or a key that a plugin keeps. Opening may ask
// the person and wait for a hardware key to be touched. It is used by one
// goroutine.
type Opener struct {
	path string
	keys []openerKey
}

// openerKey is one key of an opener.
type openerKey struct {
	recipient string    // whom it opens for; of a plugin's key it is hearsay, or empty
	plugin    string    // the plugin that keeps it
	identity  *Identity // where it is an age key
	open      func() (age.Identity, error)
}

// OpenerOptions are what opening may need.
type OpenerOptions struct {
	Plugins  Plugins
	Prompter Prompter // nil: nobody can be asked
}

// ReadOpener reads a private key from the file at path: an OpenSSH key
// (ssh-ed25519 or ssh-rsa), or age keys and identities of plugins, one a line,
// which may be encrypted with a passphrase. The person is asked until ctx ends.
// The error is fault.NotFound, fault.Locked (a passphrase is needed and nobody
// can be asked), fault.Denied (it is the wrong one) or fault.Invalid.
func ReadOpener(ctx context.Context, path string, o OpenerOptions) (*Opener, error) {
	data, err := readSecretFile(path)
	if err != nil {
		return nil, err
	}
	defer clear(data)
	if bytes.Contains(data, []byte("PRIVATE KEY-----")) {
		key, err := readSSHKey(ctx, path, bytes.Clone(data), o.Prompter)
		if err != nil {
			return nil, err
		}
		return &Opener{path: path, keys: []openerKey{key}}, nil
	}
	if locked(data) {
		if data, err = askAndUnlock(ctx, path, data, o.Prompter); err != nil {
			return nil, err
		}
		defer clear(data)
	}
	return parseOpener(ctx, path, data, o)
}

// said finds the recipient in a comment of an identity file. Plugins write it
// there.
var said = textform.Regexp(`(?i)^#.*(?:recipient|public key):\s*(age1\S+)`)

func parseOpener(ctx context.Context, path string, data []byte, o OpenerOptions) (*Opener, error) {
	op := &Opener{path: path}
	comment := ""
	for line := range strings.Lines(string(data)) {
		line = strings.TrimSpace(line)
		switch {
		case line == "" || line[0] == '#':
			if m := said.FindStringSubmatch(line); m != nil {
				comment = m[1]
			}
		case strings.HasPrefix(line, "AGE-PLUGIN-"):
			key, name, err := o.Plugins.identity(ctx, line, o.Prompter)
			if err != nil {
				return nil, err
			}
			op.keys = append(op.keys, openerKey{recipient: comment, plugin: name, open: func() (age.Identity, error) { return key, nil }})
			comment = ""
		default:
			id, err := ParseIdentity(line)
			if err != nil {
				return nil, notPrivate(path, line)
			}
			op.keys = append(op.keys, openerKey{recipient: id.Recipient(), identity: id, open: func() (age.Identity, error) { return id.key, nil }})
			comment = ""
		}
	}
	if len(op.keys) == 0 {
		return nil, notPrivate(path, "")
	}
	return op, nil
}

// notPrivate is the error for a file that holds no private key. It quotes
// nothing of it.
func notPrivate(path, line string) error {
	hint := "give an OpenSSH private key, an age key file, or the identity file of an age plugin"
	if strings.HasPrefix(line, "age1") || strings.HasPrefix(line, "ssh-") {
		hint = "it is the public half; give the private key's file"
	}
	return fault.New(fault.Invalid, path+" does not hold a private key that age reads", hint)
}

// Identities returns the age keys of the opener itself.
func (o *Opener) Identities() []*Identity {
	var ids []*Identity
	for _, k := range o.keys {
		if k.identity != nil {
			ids = append(ids, k.identity)
		}
	}
	return ids
}

// rank says how likely a key opens a copy for recipient: 2 it does, 1 it may, 0
// it does not. What rank 1 costs is that a plugin is started in vain.
func (k openerKey) rank(recipient string) int {
	switch {
	case recipient != "" && k.recipient == recipient:
		return 2
	case recipient == "":
		return 1 // whose it is was lost
	case k.plugin != "" && (strings.HasPrefix(recipient, "age1"+k.plugin+"1") || strings.HasPrefix(recipient, "age1tag")):
		return 1
	default:
		return 0
	}
}
