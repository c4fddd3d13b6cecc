package seal

import (
	"context"
	"crypto/ed25519"
	"crypto/rsa"
	"errors"
	"strings"
	"sync"

	"filippo.io/age"
	"filippo.io/age/agessh"
	"golang.org/x/crypto/ssh"

	"github.com/vexa-ai/vexa/pkg/fault"
)

// readSSHKey reads an OpenSSH private key. Its own passphrase is asked for when
// it is used.
func readSSHKey(ctx context.Context, path string, data []byte, person Prompter) (openerKey, error) {
	raw, err := ssh.ParseRawPrivateKey(data)
	var sealed *ssh.PassphraseMissingError
	switch {
	case errors.As(err, &sealed) && sealed.PublicKey == nil:
		return openerKey{}, fault.New(fault.Invalid, path+" is in an old format that hides its public half", "rewrite it with: ssh-keygen -p -f "+path)
	case errors.As(err, &sealed):
		open := sync.OnceValues(func() (age.Identity, error) { return unlockSSHKey(ctx, path, data, person) }) // ask once
		return openerKey{recipient: sshText(sealed.PublicKey), open: open}, nil
	case err != nil:
		return openerKey{}, notPrivate(path, "")
	}
	key, err := sshIdentity(path, raw)
	if err != nil {
		return openerKey{}, err
	}
	signer, err := ssh.NewSignerFromKey(raw)
	if err != nil {
		return openerKey{}, notPrivate(path, "")
	}
	return openerKey{recipient: sshText(signer.PublicKey()), open: func() (age.Identity, error) { return key, nil }}, nil
}

// SSHIdentity returns what opens what is encrypted to an Ed25519 key as an SSH public
// key (age's ssh-ed25519 stanza). Its String is empty: age has no form for it.
func SSHIdentity(private ed25519.PrivateKey) (*Identity, error) {
	key, err := agessh.NewEd25519Identity(private)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, "use a signing key to decrypt", err)
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, "use a signing key to decrypt", err)
	}
	public, err := parseSSH(sshText(signer.PublicKey()))
	return &Identity{key: key, secret: func() string { return "" }, public: public}, err
}

// sshText is a public key as Recipient has it.
func sshText(key ssh.PublicKey) string {
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key)))
}

func unlockSSHKey(ctx context.Context, path string, data []byte, person Prompter) (age.Identity, error) {
	passphrase, err := askPassphrase(ctx, path, person)
	if err != nil {
		return nil, err
	}
	defer clear(passphrase)
	raw, err := ssh.ParseRawPrivateKeyWithPassphrase(data, passphrase)
	if err != nil { // a damaged key is told from a wrong passphrase by nobody
		return nil, fault.New(fault.Denied, "the passphrase does not open "+path, "try again")
	}
	return sshIdentity(path, raw)
}

func sshIdentity(path string, raw any) (key age.Identity, err error) {
	switch k := raw.(type) {
	case *ed25519.PrivateKey:
		key, err = agessh.NewEd25519Identity(*k)
	case ed25519.PrivateKey:
		key, err = agessh.NewEd25519Identity(k)
	case *rsa.PrivateKey:
		key, err = agessh.NewRSAIdentity(k)
	default:
		err = errors.New("its type signs only")
	}
	if err != nil {
		return nil, &fault.Error{Kind: fault.Invalid, Msg: "age does not decrypt with " + path, Err: err, Hint: "use an ssh-ed25519 or ssh-rsa key"}
	}
	return key, nil
}
