// Package plugintest is an age plugin for tests, "fake": a hardware key made of
// software, which writes down each touch. A test binary is its program: it calls
// Main from its TestMain where it was started as one.
package plugintest

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
	ageplugin "filippo.io/age/plugin"
)

// Name is the plugin's, and Program that of its program.
const (
	Name    = "fake"
	Program = "age-plugin-" + Name
)

// Key is a key in the fake hardware.
type Key struct {
	Recipient string // age1fake1…
	Identity  string // AGE-PLUGIN-FAKE-1…

	touches string
}

// Options say what the hardware is like.
type Options struct {
	PIN         string // it asks for this first
	PostQuantum bool   // its keys are
	Broken      string // how it misbehaves: "" not at all; "ends", "babbles", "refuses", "hangs"
}

// payload is what the Bech32 of a key holds.
type payload struct {
	Key, Touches string
	Options
}

// NewKey makes a key. What it is touched for is written to a file in dir.
func NewKey(tb testing.TB, dir string, o Options) Key {
	tb.Helper()
	f, err := os.CreateTemp(dir, "touches-")
	if err != nil {
		tb.Fatal(err)
	}
	f.Close()
	key, err := MakeKey(f.Name(), o)
	if err != nil {
		tb.Fatal(err)
	}
	return key
}

// MakeKey makes a key. Each touch is a line in the file touches.
func MakeKey(touches string, o Options) (Key, error) {
	var secret, public string
	if o.PostQuantum {
		key, err := age.GenerateHybridIdentity()
		if err != nil {
			return Key{}, err
		}
		secret, public = key.String(), key.Recipient().String()
	} else {
		key, err := age.GenerateX25519Identity()
		if err != nil {
			return Key{}, err
		}
		secret, public = key.String(), key.Recipient().String()
	}
	hidden, err1 := json.Marshal(payload{secret, touches, o})
	shown, err2 := json.Marshal(payload{public, touches, o})
	return Key{
		Recipient: ageplugin.EncodeRecipient(Name, shown), Identity: ageplugin.EncodeIdentity(Name, hidden), touches: touches,
	}, errors.Join(err1, err2, os.WriteFile(touches, nil, 0o600))
}

// Touches returns how often the key was touched.
func (k Key) Touches(tb testing.TB) int {
	tb.Helper()
	data, err := os.ReadFile(k.touches)
	if err != nil {
		tb.Fatal(err)
	}
	return strings.Count(string(data), "\n")
}

// Install makes this test binary the plugin's program in dir, and returns its
// path.
func Install(tb testing.TB, dir string) string {
	tb.Helper()
	self, err := os.Executable()
	if err != nil {
		tb.Fatal(err)
	}
	path := filepath.Join(dir, Program)
	if err := os.Symlink(self, path); err != nil {
		tb.Fatal(err)
	}
	return path
}

// Started reports whether this process was started as the plugin's program.
func Started() bool { return filepath.Base(os.Args[0]) == Program }

// Main is the plugin's program. It returns the exit code.
func Main() int {
	p, err := ageplugin.New(Name)
	if err != nil {
		return 1
	}
	p.HandleRecipient(func(data []byte) (age.Recipient, error) {
		var key payload
		if err := json.Unmarshal(data, &key); err != nil {
			return nil, err
		}
		if err := key.misbehave(); err != nil {
			return nil, err
		}
		if key.PostQuantum {
			return age.ParseHybridRecipient(key.Key)
		}
		return age.ParseX25519Recipient(key.Key)
	})
	p.HandleIdentity(func(data []byte) (age.Identity, error) {
		var key payload
		if err := json.Unmarshal(data, &key); err != nil {
			return nil, err
		}
		return &hardware{p, key}, key.misbehave()
	})
	return p.Main()
}

func (k payload) misbehave() error {
	switch k.Broken {
	case "ends":
		_, _ = os.Stderr.WriteString("no reader\n")
		os.Exit(3)
	case "babbles":
		_, _ = os.Stdout.WriteString(strings.Repeat("hello ", 20_000))
		os.Exit(0)
	case "hangs":
		time.Sleep(time.Hour) // an empty select would be a deadlock, which Go ends
	case "refuses":
		return errors.New("the key was removed")
	}
	return nil
}

// hardware is one key.
type hardware struct {
	plugin *ageplugin.Plugin
	key    payload
}

// Unwrap implements age.Identity: what is for another key takes no touch.
func (h *hardware) Unwrap(stanzas []*age.Stanza) ([]byte, error) {
	var inner age.Identity
	var err error
	if h.key.PostQuantum {
		inner, err = age.ParseHybridIdentity(h.key.Key)
	} else {
		inner, err = age.ParseX25519Identity(h.key.Key)
	}
	if err != nil {
		return nil, err
	}
	fileKey, err := inner.Unwrap(stanzas)
	if err != nil {
		return nil, err
	}
	if h.key.PIN != "" {
		pin, err := h.plugin.RequestValue("PIN", true)
		if err != nil {
			return nil, err
		}
		if pin != h.key.PIN {
			return nil, errors.New("wrong PIN")
		}
	}
	if err := h.plugin.DisplayMessage("touch the key"); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(h.key.Touches, os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	_, err = f.WriteString("touched\n")
	return fileKey, errors.Join(err, f.Close())
}
