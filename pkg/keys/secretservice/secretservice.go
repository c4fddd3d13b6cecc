// Package secretservice keeps a passphrase in the keyring of the person's
// desktop: whatever answers to the Secret Service API of freedesktop.org on the
// session bus, as GNOME Keyring, KWallet and KeePassXC do. It is the adapter of
// keys.Keyring.
//
// It connects to a bus that is there and starts none, and it has a keyring ask
// the person only where it may.
package secretservice

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/vexa-ai/vexa/pkg/fault"
)

// Names of the API.
const (
	service     = "org.freedesktop.secrets"
	root        = dbus.ObjectPath("/org/freedesktop/secrets")
	ifService   = "org.freedesktop.Secret.Service."
	ifColl      = "org.freedesktop.Secret.Collection."
	ifItem      = "org.freedesktop.Secret.Item."
	ifPrompt    = "org.freedesktop.Secret.Prompt"
	nothing     = dbus.ObjectPath("/") // where there is no object, no prompt
	contentType = "text/plain; charset=utf8"
)

// How long a keyring may take to answer, and a person to unlock it.
const (
	answerTime = 5 * time.Second
	personTime = 5 * time.Minute
)

// Keyring is the desktop's. It holds no connection, and is safe for concurrent
// use.
type Keyring struct{ env func(string) string }

// New returns the keyring of the session bus that env names, by
// DBUS_SESSION_BUS_ADDRESS or XDG_RUNTIME_DIR.
func New(env func(string) string) *Keyring { return &Keyring{env} }

// secret is a secret as it goes over the bus, which is a socket of this user's.
type secret struct {
	Session     dbus.ObjectPath
	Parameters  []byte
	Value       []byte
	ContentType string
}

// address returns that of the session bus; empty where there is none.
func (k *Keyring) address() string {
	if a := k.env("DBUS_SESSION_BUS_ADDRESS"); a != "" {
		if !strings.HasPrefix(a, "unix:") {
			return "" // others lead off this machine, or start a program
		}
		return a
	}
	bus := filepath.Join(k.env("XDG_RUNTIME_DIR"), "bus")
	if st, err := os.Stat(bus); err != nil || st.Mode().Type() != os.ModeSocket || !filepath.IsAbs(bus) {
		return ""
	}
	return "unix:path=" + dbus.EscapeBusAddressValue(bus)
}

// session is a conversation with the service.
type session struct {
	conn *dbus.Conn
	path dbus.ObjectPath
}

// with opens a session for do.
func (k *Keyring) with(ctx context.Context, limit time.Duration, do func(context.Context, session) error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fault.New(fault.Locked, "the desktop keyring does not answer", "unlock it in the desktop session"))
	defer cancel()
	address := k.address()
	if address == "" {
		return absent(errors.New("there is no session bus"))
	}
	conn, err := dbus.Connect(address, dbus.WithContext(ctx))
	if err != nil {
		return absent(err)
	}
	defer conn.Close() //nolint:errcheck // nothing is under way any more
	s := session{conn: conn}
	var output dbus.Variant
	if err := s.call(ctx, root, ifService+"OpenSession", "plain", dbus.MakeVariant("")).Store(&output, &s.path); err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return absent(err)
	}
	if err := do(ctx, s); err != nil {
		if _, ok := errors.AsType[*fault.Error](err); ok {
			return err
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return fault.Wrap(fault.Internal, "use the desktop keyring", err)
	}
	return nil
}

func absent(err error) error {
	return &fault.Error{Kind: fault.NotFound, Msg: "no desktop keyring answers", Err: err, Hint: "run it in a desktop session with a Secret Service, or use a passphrase"}
}

func (s session) call(ctx context.Context, path dbus.ObjectPath, method string, args ...any) *dbus.Call {
	return s.conn.Object(service, path).CallWithContext(ctx, method, 0, args...)
}

// attributes are what an item is found by.
func attributes(install string) map[string]string {
	return map[string]string{"application": "vexa", "install": install}
}

// search finds the items of an installation.
func (s session) search(ctx context.Context, install string) (open, locked []dbus.ObjectPath, err error) {
	err = s.call(ctx, root, ifService+"SearchItems", attributes(install)).Store(&open, &locked)
	return open, locked, err
}

// Get implements keys.Keyring.
func (k *Keyring) Get(ctx context.Context, install string, ask bool) (passphrase []byte, err error) {
	limit := answerTime
	if ask {
		limit = personTime
	}
	err = k.with(ctx, limit, func(ctx context.Context, s session) error {
		open, locked, err := s.search(ctx, install)
		switch {
		case err != nil:
			return err
		case len(open)+len(locked) == 0:
			return fault.New(fault.NotFound, "the desktop keyring has no passphrase of this installation", "give it one: vexa key protect --keyring")
		case len(open) == 0 && !ask:
			return fault.New(fault.Locked, "the desktop keyring is locked", "unlock it, or run: vexa unlock")
		case len(open) == 0:
			if err := s.unlock(ctx, locked[0]); err != nil {
				return err
			}
			open = locked
		}
		var found secret
		err = s.call(ctx, open[0], ifItem+"GetSecret", s.path).Store(&found)
		passphrase = found.Value
		return err
	})
	return passphrase, err
}

// Put implements keys.Keyring.
func (k *Keyring) Put(ctx context.Context, install string, passphrase []byte) error {
	return k.with(ctx, personTime, func(ctx context.Context, s session) error {
		var collection dbus.ObjectPath
		if err := s.call(ctx, root, ifService+"ReadAlias", "default").Store(&collection); err != nil {
			return err
		}
		if collection == nothing {
			return absent(errors.New("it has no default collection"))
		}
		if err := s.unlock(ctx, collection); err != nil {
			return err
		}
		properties := map[string]dbus.Variant{
			"org.freedesktop.Secret.Item.Label":      dbus.MakeVariant("Vexa key of installation " + install),
			"org.freedesktop.Secret.Item.Attributes": dbus.MakeVariant(attributes(install)),
		}
		value := secret{Session: s.path, Parameters: []byte{}, Value: passphrase, ContentType: contentType}
		var item, prompt dbus.ObjectPath
		if err := s.call(ctx, collection, ifColl+"CreateItem", properties, value, true).Store(&item, &prompt); err != nil {
			return err
		}
		return s.answer(ctx, prompt)
	})
}

// Delete implements keys.Keyring.
func (k *Keyring) Delete(ctx context.Context, install string) error {
	return k.with(ctx, answerTime, func(ctx context.Context, s session) error {
		open, locked, err := s.search(ctx, install)
		if err != nil {
			return err
		}
		for _, item := range append(open, locked...) {
			var prompt dbus.ObjectPath
			if err := s.call(ctx, item, ifItem+"Delete").Store(&prompt); err != nil {
				return err
			}
			if prompt != nothing {
				return fault.New(fault.Locked, "the desktop keyring is locked", "unlock it, and remove the passphrase there")
			}
		}
		return nil
	})
}

// unlock has the keyring ask the person to unlock an item or a collection.
func (s session) unlock(ctx context.Context, path dbus.ObjectPath) error {
	var unlocked []dbus.ObjectPath
	var prompt dbus.ObjectPath
	if err := s.call(ctx, root, ifService+"Unlock", []dbus.ObjectPath{path}).Store(&unlocked, &prompt); err != nil {
		return err
	}
	return s.answer(ctx, prompt)
}

// answer shows a prompt of the keyring and waits for the person.
func (s session) answer(ctx context.Context, prompt dbus.ObjectPath) error {
	if prompt == nothing {
		return nil
	}
	signals := make(chan *dbus.Signal, 8)
	s.conn.Signal(signals)
	if err := s.conn.AddMatchSignalContext(ctx, dbus.WithMatchObjectPath(prompt), dbus.WithMatchInterface(ifPrompt), dbus.WithMatchMember("Completed")); err != nil {
		return err
	}
	if err := s.call(ctx, prompt, ifPrompt+".Prompt", "").Err; err != nil {
		return err
	}
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case sig, ok := <-signals:
			if !ok {
				return errors.New("the session bus is gone")
			}
			if sig.Path != prompt || sig.Name != ifPrompt+".Completed" || len(sig.Body) == 0 {
				continue
			}
			if dismissed, _ := sig.Body[0].(bool); dismissed {
				return fault.New(fault.Locked, "the desktop keyring was not unlocked", "unlock it, or use another way: vexa unlock --identity FILE")
			}
			return nil
		}
	}
}
