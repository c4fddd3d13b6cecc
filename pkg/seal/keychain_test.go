package seal

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"filippo.io/age"
	"filippo.io/age/armor"

	"github.com/vexa-ai/vexa/pkg/fault"
)

func TestKeychain(t *testing.T) {
	t.Parallel()
	id, path := identity(t), filepath.Join(t.TempDir(), "keys", "pq.age")
	k := openKeychain(t, id, path)
	if ids := k.Identities(); len(ids) != 1 || !same(ids[0], id) || PublicHalf(path) != "" {
		t.Fatalf("before it was asked for: %v", ids)
	}
	if to, err := k.Recipients(false); err != nil || len(to) != 1 || to[0].String() != id.Recipient() {
		t.Fatalf("classic: %v, %v", to, err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Fatal("it was made unasked")
	}
	early := openKeychain(t, id, path)
	var mu sync.Mutex
	var wg sync.WaitGroup
	seen := map[string]bool{}
	for range 4 {
		own := openKeychain(t, id, path)
		for range 2 {
			wg.Go(func() {
				to, err := own.Recipients(true)
				if err != nil || len(to) != 1 || !to[0].PostQuantum() {
					t.Errorf("%v, %v", to, err)
					return
				}
				mu.Lock()
				defer mu.Unlock()
				seen[to[0].String()] = true
			})
		}
	}
	wg.Wait()
	if len(seen) != 1 || !seen[PublicHalf(path)] {
		t.Fatalf("%d were made", len(seen))
	}
	if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", st.Mode(), err)
	}
	to, err := early.Recipients(true)
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := EncryptBytes([]byte("hello"), to...)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range []*Keychain{early, k} { // k learns of it only here
		ids := k.Identities()
		if got, err := DecryptBytes(sealed, ids...); err != nil || string(got) != "hello" || len(ids) != 2 || !same(ids[0], id) {
			t.Errorf("%q, %v", got, err)
		}
	}
}

func openKeychain(t *testing.T, id *Identity, path string) *Keychain {
	t.Helper()
	k, err := OpenKeychain(id, path)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestKeychainRefuses(t *testing.T) {
	t.Parallel()
	id, path := identity(t), filepath.Join(t.TempDir(), "pq.age")
	if _, err := openKeychain(t, id, path).Recipients(true); err != nil {
		t.Fatal(err)
	}
	whole := []byte(readText(t, path))
	if _, err := OpenKeychain(identity(t), path); !fault.Is(err, fault.Denied) || fault.HintOf(err) == "" {
		t.Errorf("another identity: %v", err)
	}
	classic, err := id.SealBytes(identity(t).text())
	if err != nil {
		t.Fatal(err)
	}
	junk, err := id.SealBytes([]byte("junk"))
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{"cut": whole[:len(whole)-1], "empty": {}, "classic": classic, "junk": junk} {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenKeychain(id, path); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
		k := &Keychain{classic: id, path: path}
		if _, err := k.Recipients(true); !fault.Is(err, fault.Invalid) || len(k.Identities()) != 1 {
			t.Errorf("%s: %v", name, err)
		}
		if now := readText(t, path); now != string(data) {
			t.Errorf("%s: it was replaced", name)
		}
	}
	hybrid, err := NewHybridIdentity()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range [][2]*Identity{{nil, nil}, {nil, hybrid}, {hybrid, nil}, {id, id}, {hybrid, id}} {
		if _, err := NewKeychain(c[0], c[1]); !fault.Is(err, fault.Invalid) {
			t.Errorf("%v: %v", c, err)
		}
	}
}

func TestKeychainInMemory(t *testing.T) {
	t.Parallel()
	k, err := NewKeychain(identity(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	a, err := k.Recipients(true)
	if err != nil {
		t.Fatal(err)
	}
	b, err := k.Recipients(true)
	if err != nil || a[0].String() != b[0].String() || len(k.Identities()) != 2 {
		t.Errorf("%v", err)
	}
}

func TestExport(t *testing.T) {
	t.Parallel()
	k := openKeychain(t, identity(t), filepath.Join(t.TempDir(), "pq.age"))
	if _, err := k.Recipients(true); err != nil {
		t.Fatal(err)
	}
	data, err := k.Export(Lock{Passphrase: []byte("horse"), Cost: testFactor})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := k.Export(Lock{Cost: testFactor}); !fault.Is(err, fault.Invalid) {
		t.Errorf("without passphrase: %v", err)
	}
	path := filepath.Join(t.TempDir(), "export.age")
	for name, c := range map[string]struct {
		data []byte
		who  Prompter
		kind fault.Kind
	}{
		"export":    {data, &person{answers: []string{"horse"}}, ""},
		"text":      {k.Text(), nil, ""},
		"wrong":     {data, &person{answers: []string{"mule"}}, fault.Denied},
		"nobody":    {data, nil, fault.Locked},
		"cut":       {data[:len(data)/2], &person{answers: []string{"horse"}}, fault.Invalid},
		"two":       {append(k.Text(), k.Text()...), nil, fault.Invalid},
		"hybrid":    {k.Identities()[1].text(), nil, fault.Invalid},
		"recipient": {[]byte(k.Classic().Recipient()), nil, fault.Invalid},
	} {
		if err := os.WriteFile(path, c.data, 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := ReadKeychain(t.Context(), path, c.who)
		switch {
		case c.kind == "" && (err != nil || !bytes.Equal(got.Text(), k.Text())):
			t.Errorf("%s: %v", name, err)
		case c.kind != "" && !fault.Is(err, c.kind):
			t.Errorf("%s: %v", name, err)
		}
	}
	scrypt, err := age.NewScryptIdentity("horse")
	if err != nil {
		t.Fatal(err)
	}
	r, err := age.Decrypt(armor.NewReader(bytes.NewReader(data)), scrypt)
	if err != nil {
		t.Fatal(err)
	}
	if ids, err := age.ParseIdentities(r); err != nil || len(ids) != 2 {
		t.Errorf("the stock library finds %d identities, %v", len(ids), err)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		if text := fmt.Sprintf(verb, k) + fmt.Sprintf(verb, struct{ K *Keychain }{k}); strings.Contains(strings.ToUpper(text), "AGE-SECRET") {
			t.Errorf("%s prints a secret", verb)
		}
	}
}

func TestProtectionIsRemembered(t *testing.T) {
	t.Parallel()
	path, id := filepath.Join(t.TempDir(), "key"), identity(t)
	for _, by := range []Protection{ByKeyring, "", ByKeyring} {
		want := by
		if by == "" {
			want = ByPassphrase
		}
		before, _ := os.ReadFile(path)
		had, _ := LookAtKeyFile(path)
		if err := WriteKeyFile(path, id, Lock{Passphrase: []byte(by + "x"), By: by, Cost: testFactor}); err != nil {
			t.Fatal(err)
		}
		now := readText(t, path)
		if k, err := LookAtKeyFile(path); err != nil || k.Protection != want || k.Recipient != id.Recipient() {
			t.Errorf("%+v, %v", k, err)
		}
		if before == nil {
			continue
		}
		// A crash before the key file was replaced.
		if err := os.WriteFile(path, before, 0o600); err != nil {
			t.Fatal(err)
		}
		if k, err := LookAtKeyFile(path); err != nil || k != had {
			t.Errorf("after a crash: %+v, want %+v, %v", k, had, err)
		}
		if err := os.WriteFile(path, []byte(now), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Remove(companion(path)); err != nil {
		t.Fatal(err)
	}
	if k, err := LookAtKeyFile(path); err != nil || k != (KeyFile{Protection: ByPassphrase}) {
		t.Errorf("without companion: %+v, %v", k, err)
	}
}
