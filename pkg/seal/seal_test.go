package seal

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"filippo.io/age"
	"filippo.io/age/armor"

	"github.com/vexa-ai/vexa/pkg/fault"
)

// testFactor keeps scrypt cheap in tests.
const testFactor = 6

func identity(tb testing.TB) *Identity {
	tb.Helper()
	id, err := NewIdentity()
	if err != nil {
		tb.Fatal(err)
	}
	return id
}

// same reports whether two identities have one secret.
func same(a, b *Identity) bool { return a != nil && b != nil && a.String() == b.String() }

func TestIdentityText(t *testing.T) {
	t.Parallel()
	id := identity(t)
	again, err := ParseIdentity(id.String())
	if err != nil || !same(id, again) || again.Recipient() != id.Recipient() {
		t.Fatalf("parsed: %v", err)
	}
	secret := id.String()
	for _, bad := range []string{"", "AGE-SECRET-KEY-1", secret[:len(secret)-1], secret + "Q", strings.ToLower(secret[:20]) + secret[20:], id.Recipient()} {
		_, err := ParseIdentity(bad)
		if !fault.Is(err, fault.Invalid) {
			t.Errorf("%d characters: %v", len(bad), err)
		}
		if len(bad) > 20 && strings.Contains(err.Error(), bad[16:]) {
			t.Errorf("the error quotes the key")
		}
	}
}

func TestIdentityIsRedacted(t *testing.T) {
	t.Parallel()
	id := identity(t)
	type config struct {
		Name string
		Key  *Identity
		key  *Identity
	}
	c := config{Name: "x", Key: id, key: id}
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&out, verb+"\n", id)
		fmt.Fprintf(&out, verb+"\n", []any{id, c, &c, map[string]*Identity{"k": id}})
	}
	fmt.Fprintln(&out, *id, fmt.Errorf("with %v: %w", id, io.EOF))
	for _, h := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
		slog.New(h).Info("x", "id", id, "config", c, "any", []any{id})
	}
	if err := json.NewEncoder(&out).Encode(c); err != nil {
		t.Fatal(err)
	}
	body := strings.TrimPrefix(id.String(), "AGE-SECRET-KEY-1")
	text := strings.ToUpper(out.String())
	if strings.Contains(text, body) || strings.Contains(text, "AGE-SECRET-KEY") {
		t.Fatalf("the secret is in:\n%s", out.String())
	}
	if !strings.Contains(out.String(), id.Recipient()) {
		t.Fatal("the recipient is not shown either")
	}
	want := "identity(" + id.Recipient() + ")"
	if got := id.LogValue().String(); got != want {
		t.Errorf("logged as %q", got)
	}
	if got, err := json.Marshal(id); err != nil || string(got) != `"`+want+`"` {
		t.Errorf("encoded as %s, %v", got, err)
	}
	var none *Identity
	_ = fmt.Sprint(none, &Identity{})
}

func TestSealAndOpen(t *testing.T) {
	t.Parallel()
	id := identity(t)
	for _, size := range []int{0, 1, 1000, 64 << 10, 64<<10 + 1, 300_000} {
		data := bytes.Repeat([]byte{byte(size), 7}, size)[:size]
		sealed, err := id.SealBytes(data)
		if err != nil {
			t.Fatal(err)
		}
		if size > 16 && bytes.Contains(sealed, data[:16]) {
			t.Fatal("the data are not sealed")
		}
		got, err := id.OpenBytes(sealed)
		if err != nil || !bytes.Equal(got, data) {
			t.Fatalf("%d bytes: %d, %v", size, len(got), err)
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	id := identity(t)
	sealed, err := id.SealBytes(bytes.Repeat([]byte("secret "), 20_000))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := identity(t).OpenBytes(sealed); !fault.Is(err, fault.Denied) {
		t.Errorf("another identity: %v", err)
	}
	damaged := map[string][]byte{
		"empty":      {},
		"not sealed": []byte("just text"),
		"trailing":   append(bytes.Clone(sealed), 'x'),
	}
	for _, at := range []int{3, len(sealed) / 2, len(sealed) - 1} {
		flipped := bytes.Clone(sealed)
		flipped[at] ^= 1
		damaged[fmt.Sprintf("flipped at %d", at)] = flipped
	}
	for size := 1; size < len(sealed); size += 1 + size/3 {
		damaged[fmt.Sprintf("cut at %d", size)] = sealed[:size]
	}
	for name, data := range damaged {
		if _, err := id.OpenBytes(data); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	broken := errors.New("the disk is gone")
	for _, n := range []int{10, 1000, len(sealed) - 5} {
		r, err := id.Open(io.MultiReader(bytes.NewReader(sealed[:n]), iotest.ErrReader(broken)))
		if err == nil {
			_, err = io.Copy(io.Discard, r)
		}
		if !errors.Is(err, broken) || !fault.Is(err, fault.Internal) {
			t.Errorf("the disk failing after %d bytes: %v", n, err)
		}
	}
}

func TestPlainKeyFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "key")
	id := identity(t)
	if err := WriteKeyFile(path, id, Lock{}); err != nil {
		t.Fatal(err)
	}
	for _, passphrase := range [][]byte{nil, []byte("needless")} {
		got, err := ReadKeyFile(path, passphrase)
		if err != nil || !same(got, id) {
			t.Fatalf("read: %v", err)
		}
	}
	if k, err := LookAtKeyFile(path); err != nil || k != (KeyFile{Unprotected, id.Recipient()}) {
		t.Fatalf("looked at: %+v, %v", k, err)
	}
	if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o600 {
		t.Fatalf("mode %v, %v", st.Mode(), err)
	}
	// The stock tools read it.
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if keys, err := age.ParseIdentities(f); err != nil || len(keys) != 1 {
		t.Fatalf("age: %v", err)
	}
}

func TestLockedKeyFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "key")
	id, passphrase := identity(t), []byte("correct horse")
	if err := WriteKeyFile(path, id, Lock{Passphrase: passphrase, Cost: testFactor}); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil || strings.Contains(string(data), "SECRET") {
		t.Fatalf("the key is not locked: %v", err)
	}
	if k, err := LookAtKeyFile(path); err != nil || k != (KeyFile{ByPassphrase, id.Recipient()}) {
		t.Fatalf("looked at: %+v, %v", k, err)
	}
	if got, err := ReadKeyFile(path, passphrase); err != nil || !same(got, id) {
		t.Fatalf("read: %v", err)
	}
	if _, err := ReadKeyFile(path, nil); !fault.Is(err, fault.Locked) || fault.HintOf(err) == "" {
		t.Errorf("no passphrase: %v", err)
	}
	if _, err := ReadKeyFile(path, []byte("wrong")); !fault.Is(err, fault.Denied) {
		t.Errorf("wrong passphrase: %v", err)
	}
	// The stock tools open it.
	key, err := age.NewScryptIdentity(string(passphrase))
	if err != nil {
		t.Fatal(err)
	}
	r, err := age.Decrypt(armor.NewReader(bytes.NewReader(data)), key)
	if err != nil {
		t.Fatal(err)
	}
	if keys, err := age.ParseIdentities(r); err != nil || len(keys) != 1 {
		t.Fatalf("age: %v", err)
	}
}

// A wrong passphrase and a damaged file are told apart, wherever the damage is.
func TestDamagedKeyFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "key")
	id, passphrase := identity(t), []byte("correct horse")
	if err := WriteKeyFile(path, id, Lock{Passphrase: passphrase, Cost: testFactor}); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(data); i += 3 {
		flipped := slices.Clone(data)
		flipped[i] ^= 0x03
		if err := os.WriteFile(path, flipped, 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := ReadKeyFile(path, passphrase)
		if err == nil && same(got, id) {
			continue // bits of base64 that carry nothing
		}
		if !fault.Is(err, fault.Invalid) {
			t.Fatalf("flipped at %d of %d: %v", i, len(data), err)
		}
	}
	for size := 0; size < len(data)-1; size += 11 {
		if err := os.WriteFile(path, data[:size], 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadKeyFile(path, passphrase); !fault.Is(err, fault.Invalid) {
			t.Fatalf("cut at %d: %v", size, err)
		}
	}
	// Without the companion a wrong passphrase is the likelier cause.
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(companion(path)); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadKeyFile(path, []byte("wrong")); !fault.Is(err, fault.Denied) {
		t.Fatalf("no companion: %v", err)
	}
}

// TestPassphraseChange: at no instant is the file unreadable or mistaken for a
// damaged one.
func TestPassphraseChange(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "key")
	id := identity(t)
	for _, passphrase := range []string{"first", "second"} {
		if err := WriteKeyFile(path, id, Lock{Passphrase: []byte(passphrase), Cost: testFactor}); err != nil {
			t.Fatal(err)
		}
	}
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := WriteKeyFile(path, id, Lock{Passphrase: []byte("third"), Cost: testFactor}); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadKeyFile(path, []byte("second")); !fault.Is(err, fault.Denied) {
		t.Fatalf("the old passphrase: %v", err)
	}
	// A crash between the companion and the key file.
	if err := os.WriteFile(path, before, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadKeyFile(path, []byte("third")); !fault.Is(err, fault.Denied) {
		t.Fatalf("the new passphrase before the new file: %v", err)
	}
	if got, err := ReadKeyFile(path, []byte("second")); err != nil || !same(got, id) {
		t.Fatalf("the old passphrase before the new file: %v", err)
	}
	if err := WriteKeyFile(path, id, Lock{}); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(companion(path)); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("an unlocked key has a companion: %v", err)
	}
}

func TestReadKeyFileRefuses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, err := ReadKeyFile(filepath.Join(dir, "missing"), nil); !fault.Is(err, fault.NotFound) {
		t.Errorf("missing: %v", err)
	}
	a, b := identity(t), identity(t)
	for name, text := range map[string]string{
		"empty":    "",
		"comments": "# nothing\n\n",
		"two":      a.String() + "\n" + b.String() + "\n",
		"public":   a.Recipient() + "\n",
		"huge":     strings.Repeat("#\n", maxKeyFile),
		"text":     "hello\n",
	} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadKeyFile(path, nil); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", name, err)
		} else if strings.Contains(err.Error(), "SECRET") {
			t.Errorf("%s: the error quotes a key", name)
		}
	}
	path := filepath.Join(dir, "by hand")
	if err := os.WriteFile(path, []byte("\n# mine\r\n  "+a.String()+"\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := ReadKeyFile(path, nil); err != nil || !same(got, a) {
		t.Errorf("edited by hand: %v", err)
	}
}

func TestSecret(t *testing.T) {
	t.Parallel()
	id := identity(t)
	path := filepath.Join(t.TempDir(), "keys", "data.age")
	var mu sync.Mutex
	var wg sync.WaitGroup
	seen := map[string]bool{}
	for range 8 {
		wg.Go(func() {
			secret, err := LoadOrCreateSecret(path, id, 32)
			if err != nil || len(secret) != 32 {
				t.Errorf("%d bytes, %v", len(secret), err)
			}
			mu.Lock()
			defer mu.Unlock()
			seen[string(secret)] = true
		})
	}
	wg.Wait()
	if len(seen) != 1 || seen[string(make([]byte, 32))] {
		t.Fatalf("%d secrets were made", len(seen))
	}
	if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o600 {
		t.Fatalf("mode %v, %v", st.Mode(), err)
	}
	sealed, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for secret := range seen {
		if bytes.Contains(sealed, []byte(secret)) {
			t.Fatal("the secret rests as it is")
		}
	}
	if _, err := LoadOrCreateSecret(path, identity(t), 32); !fault.Is(err, fault.Denied) {
		t.Errorf("another identity: %v", err)
	}
	if _, err := LoadOrCreateSecret(path, id, 64); !fault.Is(err, fault.Invalid) {
		t.Errorf("another size: %v", err)
	}
	for _, size := range []int{0, -1, 15, maxSecret + 1} {
		if _, err := LoadOrCreateSecret(filepath.Join(t.TempDir(), "s"), id, size); !fault.Is(err, fault.Invalid) {
			t.Errorf("size %d: %v", size, err)
		}
	}
	if err := os.WriteFile(path, sealed[:len(sealed)-1], 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadOrCreateSecret(path, id, 32); !fault.Is(err, fault.Invalid) {
		t.Errorf("damaged: %v", err)
	}
	if now, err := os.ReadFile(path); err != nil || len(now) != len(sealed)-1 {
		t.Errorf("a damaged secret was replaced: %v", err)
	}
}

// FuzzKeyFile: whatever a file holds, reading it ends in a classified error or
// in an identity.
func FuzzKeyFile(f *testing.F) {
	id := identity(f)
	f.Add([]byte("# c\n" + id.String() + "\n"))
	for _, plain := range []string{id.String(), "no key"} {
		locked, err := lock([]byte(plain), []byte("p"), 1)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(locked)
	}
	f.Add([]byte(magic + "v1\n-> scrypt AAAA 60\n"))
	f.Add([]byte(armor.Header))
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := openKeyFile("key", data, []byte("p"), 4)
		if (got == nil) == (err == nil) {
			t.Fatalf("%v, %v", got, err)
		}
		if err != nil && !fault.Is(err, fault.Invalid) && !fault.Is(err, fault.Denied) {
			t.Fatalf("classified as %s: %v", fault.KindOf(err), err)
		}
	})
}
