// Package keyringtest holds a keyring in memory for tests, and what every
// keyring has to do.
package keyringtest

import (
	"bytes"
	"context"
	"sync"
	"testing"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/keys"
)

// Memory is a keyring in memory.
type Memory struct {
	mu     sync.Mutex
	kept   map[string][]byte
	locked bool
	gone   bool

	// Unlocks says whether the person unlocks it where they are asked.
	Unlocks bool
}

var _ keys.Keyring = (*Memory)(nil)

// Lock locks the keyring.
func (m *Memory) Lock() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.locked = true
}

// Vanish makes the keyring one that does not answer.
func (m *Memory) Vanish() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.gone = true
}

// ready reports what is in the way of a call, with the mutex held.
func (m *Memory) ready(ask bool) error {
	if m.gone {
		return fault.New(fault.NotFound, "no desktop keyring answers", "")
	}
	if m.locked && (!ask || !m.Unlocks) {
		return fault.New(fault.Locked, "the desktop keyring is locked", "")
	}
	m.locked = false
	return nil
}

// Get implements keys.Keyring.
func (m *Memory) Get(_ context.Context, install string, ask bool) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.kept[install]; !ok {
		return nil, fault.New(fault.NotFound, "the desktop keyring has no passphrase of this installation", "")
	}
	if err := m.ready(ask); err != nil {
		return nil, err
	}
	return bytes.Clone(m.kept[install]), nil
}

// Put implements keys.Keyring.
func (m *Memory) Put(_ context.Context, install string, passphrase []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.ready(true); err != nil {
		return err
	}
	if m.kept == nil {
		m.kept = map[string][]byte{}
	}
	m.kept[install] = bytes.Clone(passphrase)
	return nil
}

// Delete implements keys.Keyring.
func (m *Memory) Delete(_ context.Context, install string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.ready(false); err != nil {
		return err
	}
	delete(m.kept, install)
	return nil
}

// Suite is what a keyring does. lock locks it, after which nobody unlocks it.
func Suite(t *testing.T, k keys.Keyring, lock func()) {
	t.Helper()
	ctx := t.Context()
	get := func(install, want string) {
		t.Helper()
		if got, err := k.Get(ctx, install, false); err != nil || string(got) != want {
			t.Errorf("%s has %q, %v", install, got, err)
		}
	}
	if _, err := k.Get(ctx, "a", true); !fault.Is(err, fault.NotFound) {
		t.Fatalf("an empty keyring: %v", err)
	}
	if err := k.Delete(ctx, "a"); err != nil {
		t.Errorf("removing nothing: %v", err)
	}
	for _, put := range [][2]string{{"a", "one"}, {"b", "two\n"}, {"a", "three"}} {
		if err := k.Put(ctx, put[0], []byte(put[1])); err != nil {
			t.Fatal(err)
		}
		get(put[0], put[1])
	}
	if err := k.Delete(ctx, "b"); err != nil {
		t.Error(err)
	}
	if _, err := k.Get(ctx, "b", false); !fault.Is(err, fault.NotFound) {
		t.Errorf("what was removed: %v", err)
	}
	get("a", "three")
	lock()
	for _, ask := range []bool{false, true} {
		if _, err := k.Get(ctx, "a", ask); !fault.Is(err, fault.Locked) {
			t.Errorf("locked, asking %t: %v", ask, err)
		}
	}
	if err := k.Put(ctx, "c", []byte("four")); !fault.Is(err, fault.Locked) {
		t.Errorf("locked, putting: %v", err)
	}
}
