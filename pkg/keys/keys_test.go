package keys_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/keys"
	"github.com/vexa-ai/vexa/pkg/keys/keyringtest"
	"github.com/vexa-ai/vexa/pkg/seal"
)

func now() time.Time { return time.Date(2030, 1, 2, 3, 4, 5, 6, time.UTC) }

// store is an empty store with a keyring in memory.
func store(t *testing.T) (*keys.Store, *keyringtest.Memory, keys.Options) {
	t.Helper()
	ring := &keyringtest.Memory{}
	o := keys.Options{Dir: filepath.Join(t.TempDir(), "keys"), Install: "0123456789ab", Keyring: ring, Cost: 6, Now: now}
	return keys.New(o), ring, o
}

func create(t *testing.T, s *keys.Store, with keys.With) *seal.Identity {
	t.Helper()
	id, err := s.Create(t.Context(), with)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// opener is an age key of a person's, written down.
func opener(t *testing.T, text string) *seal.Opener {
	t.Helper()
	path := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	o, err := seal.ReadOpener(t.Context(), path, seal.OpenerOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func other(t *testing.T) *seal.Identity {
	t.Helper()
	id, err := seal.NewIdentity()
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func opens(t *testing.T, s *keys.Store, with keys.Access, want *seal.Identity) {
	t.Helper()
	if got, err := s.Open(t.Context(), with); err != nil || got.String() != want.String() {
		t.Errorf("it does not open: %v", err)
	}
}

func refuses(t *testing.T, s *keys.Store, with keys.Access, kind fault.Kind) {
	t.Helper()
	if _, err := s.Open(t.Context(), with); !fault.Is(err, kind) || fault.HintOf(err) == "" {
		t.Errorf("want %s: %v (hint %q)", kind, err, fault.HintOf(err))
	}
}

func protection(t *testing.T, s *keys.Store, want seal.Protection) {
	t.Helper()
	if got, err := s.Protection(); err != nil || got != want {
		t.Errorf("protected by %q, %v; want %q", got, err, want)
	}
}

func TestProtections(t *testing.T) {
	t.Parallel()
	s, ring, o := store(t)
	protection(t, s, keys.Missing)
	refuses(t, s, keys.Access{}, fault.NotFound)
	if _, err := s.Show(); !fault.Is(err, fault.NotFound) {
		t.Errorf("show: %v", err)
	}
	horse := keys.Access{Passphrase: []byte("horse")}
	id := create(t, s, keys.With{})
	protection(t, s, seal.Unprotected)
	opens(t, s, keys.Access{}, id)

	protect := func(with keys.With) {
		t.Helper()
		if err := s.Protect(t.Context(), id, with); err != nil {
			t.Fatal(err)
		}
	}
	protect(keys.With{Passphrase: []byte("horse")})
	protection(t, s, seal.ByPassphrase)
	opens(t, s, horse, id)
	refuses(t, s, keys.Access{}, fault.Locked)
	refuses(t, s, keys.Access{Passphrase: []byte("mule")}, fault.Denied)

	protect(keys.With{Keyring: true})
	protection(t, s, seal.ByKeyring)
	opens(t, s, keys.Access{}, id)
	protect(keys.With{Keyring: true}) // again
	opens(t, s, keys.Access{}, id)
	if err := os.Remove(s.File() + ".pub"); err != nil { // nothing says any more that the keyring has it
		t.Fatal(err)
	}
	opens(t, s, keys.Access{}, id)
	protect(keys.With{Keyring: true})
	ring.Lock()
	refuses(t, s, keys.Access{}, fault.Locked)
	refuses(t, s, keys.Access{Ask: true}, fault.Locked)
	ring.Unlocks = true
	refuses(t, s, keys.Access{}, fault.Locked)
	opens(t, s, keys.Access{Ask: true}, id)

	if err := s.Protect(t.Context(), id, keys.With{Keys: true}); !fault.Is(err, fault.Invalid) {
		t.Errorf("by keys, of which there are none: %v", err)
	}
	protection(t, s, seal.ByKeyring)
	mine := other(t)
	if added, err := s.Add(id, mine.Public()); err != nil || !added {
		t.Fatal(added, err)
	}
	protect(keys.With{Keys: true})
	protection(t, s, seal.ByKeys)
	refuses(t, s, horse, fault.Locked)
	opens(t, s, keys.Access{Opener: opener(t, mine.String())}, id)
	if _, err := os.Stat(s.File()); err == nil {
		t.Error("the identity rests still")
	}
	if _, err := ring.Get(t.Context(), o.Install, true); !fault.Is(err, fault.NotFound) {
		t.Errorf("the keyring still has the passphrase: %v", err)
	}
	if _, err := s.Create(t.Context(), keys.With{}); !fault.Is(err, fault.Conflict) {
		t.Errorf("a second identity: %v", err)
	}
	protect(keys.With{})
	protection(t, s, seal.Unprotected)
	opens(t, s, keys.Access{}, id)
}

func TestNoKeyring(t *testing.T) {
	t.Parallel()
	s, ring, o := store(t)
	ring.Vanish()
	if _, err := s.Create(t.Context(), keys.With{Keyring: true}); !fault.Is(err, fault.NotFound) {
		t.Errorf("one that does not answer: %v", err)
	}
	o.Keyring = nil
	s = keys.New(o)
	if _, err := s.Create(t.Context(), keys.With{Keyring: true}); !fault.Is(err, fault.NotFound) || fault.HintOf(err) == "" {
		t.Errorf("none: %v", err)
	}
	protection(t, s, keys.Missing)
	s, _, o = store(t)
	create(t, s, keys.With{Keyring: true})
	o.Keyring = nil
	refuses(t, keys.New(o), keys.Access{Ask: true}, fault.Locked)
	o.Install, o.Keyring = "another", &keyringtest.Memory{}
	refuses(t, keys.New(o), keys.Access{Ask: true}, fault.Locked)
}

func TestCopies(t *testing.T) {
	t.Parallel()
	s, _, o := store(t)
	id, mine := create(t, s, keys.With{Passphrase: []byte("horse")}), other(t)
	for i := range 2 {
		if added, err := s.Add(id, mine.Public()); err != nil || added != (i == 0) {
			t.Errorf("added %t, %v", added, err)
		}
	}
	if _, err := s.Add(id, id.Public()); !fault.Is(err, fault.Invalid) {
		t.Errorf("its own key: %v", err)
	}
	opens(t, s, keys.Access{Opener: opener(t, mine.String())}, id)
	opens(t, s, keys.Access{Opener: opener(t, id.String())}, id) // an export has it
	refuses(t, s, keys.Access{Opener: opener(t, other(t).String())}, fault.Denied)

	// A lost key file, and one that is damaged.
	whole, err := os.ReadFile(s.File())
	if err != nil {
		t.Fatal(err)
	}
	for _, data := range [][]byte{nil, whole[:len(whole)/2], []byte("junk")} {
		if err := os.Remove(s.File()); err != nil {
			t.Fatal(err)
		}
		if data != nil {
			if err := os.WriteFile(s.File(), data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		opens(t, s, keys.Access{Opener: opener(t, mine.String())}, id)
		if err := os.WriteFile(s.File(), whole, 0o600); err != nil {
			t.Fatal(err)
		}
	}

	// A copy that somebody planted: of another identity, for a key of mine.
	planted := seal.Copies{Dir: filepath.Join(o.Dir, "identity.d")}
	if err := planted.Add(other(t), mine.Public()); err != nil {
		t.Fatal(err)
	}
	refuses(t, s, keys.Access{Opener: opener(t, mine.String())}, fault.Denied)
}

func TestShowWhileLocked(t *testing.T) {
	t.Parallel()
	s, _, o := store(t)
	id, mine := create(t, s, keys.With{Passphrase: []byte("horse")}), other(t)
	k, err := s.Keychain(id)
	if err != nil {
		t.Fatal(err)
	}
	hybrid, err := k.Recipients(true)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Add(id, mine.Public()); err != nil {
		t.Fatal(err)
	}
	recovery, err := keys.NewRecovery()
	if err != nil {
		t.Fatal(err)
	}
	r, err := s.SetRecovery(id, recovery, false)
	if err != nil {
		t.Fatal(err)
	}
	in, err := s.Show()
	if err != nil {
		t.Fatal(err)
	}
	signer, err := keys.Signer(id)
	if err != nil {
		t.Fatal(err)
	}
	if in.Signing.String() != signer.Key().String() || in.Signing.Fingerprint() == "" {
		t.Errorf("signs with %s", in.Signing)
	}
	want := []string{string(seal.ByPassphrase), filepath.Join(o.Dir, "identity.key"), id.Recipient(), hybrid[0].String(), mine.Recipient(), recovery.Classic().Recipient()}
	got := []string{string(in.Protection), in.File, in.Recipient, in.PostQuantum, strings.Join(in.Added, " "), in.Recovery.Recipient}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if *in.Recovery != *r || in.Recovery.CreatedAt != now().Truncate(time.Second) {
		t.Errorf("recovery %+v", in.Recovery)
	}
	// Nothing in the directory is a secret as it is.
	err = filepath.WalkDir(o.Dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if strings.Contains(string(data), "SECRET") {
			t.Errorf("%s holds a secret", path)
		}
		if st, serr := d.Info(); serr != nil || st.Mode().Perm() != 0o600 {
			t.Errorf("%s: mode %v", path, st.Mode())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	// What is only written down is made again.
	for _, name := range []string{"signing.pub", "identity.key.pub", "pq.age.pub"} {
		if err := os.Remove(filepath.Join(o.Dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if in, err := s.Show(); err != nil || in.Signing.String() != "" || in.Recipient != "" {
		t.Errorf("what is not known: %+v, %v", in, err)
	}
	opens(t, s, keys.Access{Passphrase: []byte("horse")}, id)
	if in, err := s.Show(); err != nil || in.Signing.String() == "" {
		t.Errorf("after it was opened: %+v, %v", in, err)
	}
}

func TestRecovery(t *testing.T) {
	t.Parallel()
	s, _, o := store(t)
	id := create(t, s, keys.With{Passphrase: []byte("horse")})
	if r, err := s.Recovery(); err != nil || r != nil {
		t.Fatalf("%+v, %v", r, err)
	}
	var made []*seal.Keychain
	for _, replace := range []bool{false, true} {
		k, err := keys.NewRecovery()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.SetRecovery(id, k, replace); err != nil {
			t.Fatal(err)
		}
		opens(t, s, keys.Access{Opener: opener(t, string(k.Text()))}, id)
		made = append(made, k)
	}
	refuses(t, s, keys.Access{Opener: opener(t, string(made[0].Text()))}, fault.Denied)
	if _, err := s.SetRecovery(id, made[0], false); !fault.Is(err, fault.Conflict) || !strings.Contains(fault.HintOf(err), "--replace") {
		t.Errorf("a third: %v", err)
	}
	r, err := s.Recovery()
	if err != nil || r.Recipient != made[1].Classic().Recipient() || !strings.HasPrefix(r.PostQuantum, "age1pq1") || !strings.HasPrefix(r.SigningKey, "ssh-ed25519 ") {
		t.Errorf("%+v, %v", r, err)
	}
	path := filepath.Join(o.Dir, "recovery.json")
	for _, text := range []string{"", "{}", `{"version":2}`, `{"version":1,"recipient":"age1x"}`, "[]"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Recovery(); !fault.Is(err, fault.Invalid) || fault.HintOf(err) == "" {
			t.Errorf("%q: %v", text, err)
		}
	}
	if _, err := s.SetRecovery(id, made[1], true); err != nil {
		t.Errorf("in place of what is damaged: %v", err)
	}
}

func TestAdopt(t *testing.T) {
	t.Parallel()
	from, _, _ := store(t)
	id := create(t, from, keys.With{})
	k, err := from.Keychain(id)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := k.Recipients(true); err != nil {
		t.Fatal(err)
	}
	to, _, _ := store(t)
	if err := to.Adopt(t.Context(), k, keys.With{Passphrase: []byte("horse")}); err != nil {
		t.Fatal(err)
	}
	opens(t, to, keys.Access{Passphrase: []byte("horse")}, id)
	there, err := to.Keychain(id)
	if err != nil || string(there.Text()) != string(k.Text()) {
		t.Errorf("not all of it is there: %v", err)
	}
	a, errA := from.Show()
	b, errB := to.Show()
	if errA != nil || errB != nil || a.Signing.String() != b.Signing.String() || a.PostQuantum != b.PostQuantum || b.PostQuantum == "" {
		t.Errorf("%+v, %v; %+v, %v", a, errA, b, errB)
	}
	if err := to.Adopt(t.Context(), k, keys.With{}); !fault.Is(err, fault.Conflict) {
		t.Errorf("twice: %v", err)
	}
	opens(t, to, keys.Access{Passphrase: []byte("horse")}, id)
}

func TestPluginsFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, err := keys.LoadPlugins(dir); err != nil {
		t.Errorf("without file: %v", err)
	}
	for text, ok := range map[string]bool{
		`{"version":1,"plugins":{"yubikey":"/usr/bin/age-plugin-yubikey"}}`: true,
		`{"version":1}`:                                       true,
		`{"version":2,"plugins":{}}`:                          false,
		`{"version":1,"plugins":{"../x":"/usr/bin/x"}}`:       false,
		`{"version":1,"plugins":{"yubikey":"age-plugin"}}`:    false,
		`{"version":1,"plugin":{"yubikey":"/usr/bin/x"}}`:     false,
		`{"version":1,"plugins":{"yubikey":["/usr/bin/x"]}}`:  false,
		`{"version":1,"plugins":{"yubikey":"/usr/bin/../x"}}`: false,
	} {
		if err := os.WriteFile(filepath.Join(dir, "plugins.json"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := keys.LoadPlugins(dir); (err == nil) != ok || !ok && !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", text, err)
		}
	}
}
