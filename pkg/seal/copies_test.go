package seal

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"filippo.io/age"
	"filippo.io/age/agessh"
	"filippo.io/age/armor"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/internal/require"
)

// sshKey makes a key with the stock command and returns the paths of its halves.
func sshKey(t *testing.T, kind, passphrase string) (private, public string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "id")
	args := []string{"-q", "-t", kind, "-N", passphrase, "-C", "me@here", "-f", path}
	if out, err := exec.Command(require.Tool(t, "ssh-keygen"), args...).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return path, path + ".pub"
}

func readText(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestSSHKeysOpenCopies(t *testing.T) {
	t.Parallel()
	id, copies := identity(t), Copies{Dir: filepath.Join(t.TempDir(), "identity.d")}
	for _, c := range []struct{ kind, passphrase string }{{"ed25519", ""}, {"ed25519", "horse"}, {"rsa", ""}, {"rsa", "horse"}} {
		private, public := sshKey(t, c.kind, c.passphrase)
		to := parse(t, Plugins{}, readText(t, public))
		if copies.Has(to.String()) {
			t.Fatal("there is a copy before it was made")
		}
		if err := copies.Add(id, to); err != nil || !copies.Has(to.String()) {
			t.Fatal(err)
		}
		who := &person{answers: []string{c.passphrase}}
		o, err := ReadOpener(t.Context(), private, OpenerOptions{Prompter: who})
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // the passphrase is asked for once
			if got, err := copies.Open(o); err != nil || !same(got, id) {
				t.Fatalf("%v: %v", c, err)
			}
		}
		if asked := len(who.said) == 1; asked != (c.passphrase != "") {
			t.Errorf("%v: asked %q", c, who.said)
		}
		if c.passphrase == "" {
			continue
		}
		for name, who := range map[string]struct {
			Prompter
			kind fault.Kind
		}{"wrong": {&person{answers: []string{"x"}}, fault.Denied}, "empty": {&person{answers: []string{""}}, fault.Denied}, "nobody": {nil, fault.Locked}} {
			o, err := ReadOpener(t.Context(), private, OpenerOptions{Prompter: who.Prompter})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := copies.Open(o); !fault.Is(err, who.kind) || fault.HintOf(err) == "" {
				t.Errorf("%v, %s passphrase: %v", c, name, err)
			}
		}
	}
	list, err := copies.List()
	if err != nil || len(list) != 4 {
		t.Fatalf("%d copies, %v", len(list), err)
	}
	for _, c := range list {
		if err := copies.Remove(c.Recipient); err != nil {
			t.Fatal(err)
		}
	}
	if left, err := os.ReadDir(copies.Dir); err != nil || len(left) != 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}

// The stock library opens a copy with the key it is for.
func TestCopiesAreAgeFiles(t *testing.T) {
	t.Parallel()
	id, copies := identity(t), Copies{Dir: t.TempDir()}
	private, public := sshKey(t, "ed25519", "")
	if err := copies.Add(id, parse(t, Plugins{}, readText(t, public))); err != nil {
		t.Fatal(err)
	}
	list, err := copies.List()
	if err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	if st, err := os.Stat(list[0].Path); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", st.Mode(), err)
	}
	key, err := agessh.ParseIdentity([]byte(readText(t, private)))
	if err != nil {
		t.Fatal(err)
	}
	r, err := age.Decrypt(armor.NewReader(strings.NewReader(readText(t, list[0].Path))), key)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := age.ParseIdentities(r)
	if err != nil || len(keys) != 1 || keys[0].(*age.X25519Identity).String() != id.String() {
		t.Errorf("%d keys, %v", len(keys), err)
	}
}

// TestDamagedCopies: damage is told from a copy for another key, one damaged
// copy does not keep another from opening, and a lost companion does no harm.
func TestDamagedCopies(t *testing.T) {
	t.Parallel()
	id, mine, other := identity(t), identity(t), identity(t)
	copies := Copies{Dir: t.TempDir()}
	for _, to := range []*Identity{mine, other} {
		if err := copies.Add(id, to.Public()); err != nil {
			t.Fatal(err)
		}
	}
	path := copies.path(mine.Recipient())
	whole := []byte(readText(t, path))
	write := func(data []byte) {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for i := 0; i < len(whole); i += 5 {
		flipped := slices.Clone(whole)
		flipped[i] ^= 0x03
		write(flipped)
		got, err := copies.Open(opener(t, Plugins{}, nil, mine.String()))
		if err == nil && same(got, id) {
			continue // bits of base64 that carry nothing
		}
		if !fault.Is(err, fault.Invalid) || fault.HintOf(err) == "" {
			t.Fatalf("flipped at %d: %v", i, err)
		}
	}
	for size := 0; size < len(whole)-1; size += 17 {
		write(whole[:size])
		if _, err := copies.Open(opener(t, Plugins{}, nil, mine.String())); !fault.Is(err, fault.Invalid) {
			t.Fatalf("cut at %d: %v", size, err)
		}
	}
	both := mine.String() + "\n" + other.String() + "\n"
	if got, err := copies.Open(opener(t, Plugins{}, nil, both)); err != nil || !same(got, id) {
		t.Errorf("with another copy that is whole: %v", err)
	}
	write(whole)
	if err := os.Remove(companion(path)); err != nil {
		t.Fatal(err)
	}
	if got, err := copies.Open(opener(t, Plugins{}, nil, mine.String())); err != nil || !same(got, id) {
		t.Errorf("without companion: %v", err)
	}
	if _, err := copies.Open(opener(t, Plugins{}, nil, identity(t).String())); !fault.Is(err, fault.Denied) {
		t.Errorf("another key: %v", err)
	}
	// A copy that holds something else than a key.
	junk, err := mine.SealBytes([]byte("rm -rf\n"))
	if err != nil {
		t.Fatal(err)
	}
	write(junk)
	if _, err := copies.Open(opener(t, Plugins{}, nil, mine.String())); !fault.Is(err, fault.Invalid) {
		t.Errorf("junk: %v", err)
	}
	if list, err := (Copies{Dir: filepath.Join(copies.Dir, "missing")}).List(); err != nil || list != nil {
		t.Errorf("no directory: %v, %v", list, err)
	}
}

// A crash between companion and copy leaves the copy that was there usable, and
// no copy where none was.
func TestCopyAfterACrash(t *testing.T) {
	t.Parallel()
	id, mine, copies := identity(t), identity(t), Copies{Dir: t.TempDir()}
	path := copies.path(mine.Recipient())
	if err := writeCompanion(path, mine.Recipient(), []byte("never written"), ""); err != nil {
		t.Fatal(err)
	}
	if list, err := copies.List(); err != nil || len(list) != 0 || copies.Has(mine.Recipient()) {
		t.Fatalf("a companion alone is a copy: %v, %v", list, err)
	}
	if err := copies.Add(id, mine.Public()); err != nil {
		t.Fatal(err)
	}
	if err := writeCompanion(path, mine.Recipient(), []byte("never written"), ""); err != nil {
		t.Fatal(err)
	}
	if got, err := copies.Open(opener(t, Plugins{}, nil, mine.String())); err != nil || !same(got, id) {
		t.Errorf("the copy that was there: %v", err)
	}
	if !intact(path, []byte(readText(t, path))) {
		t.Error("it is taken for damaged")
	}
}

func TestOpenersThatAreNone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, err := ReadOpener(t.Context(), filepath.Join(dir, "missing"), OpenerOptions{}); !fault.Is(err, fault.NotFound) {
		t.Errorf("missing: %v", err)
	}
	_, public := sshKey(t, "ed25519", "")
	ecdsa, _ := sshKey(t, "ecdsa", "")
	sealed, err := identity(t).SealBytes([]byte(identity(t).String()))
	if err != nil {
		t.Fatal(err)
	}
	secret := identity(t).String()
	for name, c := range map[string]struct {
		text string
		kind fault.Kind
	}{
		"empty":            {"", fault.Invalid},
		"comments":         {"# x\n\n", fault.Invalid},
		"public half":      {readText(t, public), fault.Invalid},
		"recipient":        {identity(t).Recipient(), fault.Invalid},
		"ecdsa":            {readText(t, ecdsa), fault.Invalid},
		"damaged key":      {secret[:len(secret)-2] + "\n", fault.Invalid},
		"damaged ssh":      {"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n", fault.Invalid},
		"huge":             {strings.Repeat("#\n", maxKeyFile), fault.Invalid},
		"plugin's, cut":    {"AGE-PLUGIN-FAKE-1QQQ", fault.Invalid},
		"plugin's, hidden": {"AGE-PLUGIN-../X-1QQQ", fault.Invalid},
		"locked":           {armored(t, secret), fault.Locked},
		"another's":        {string(sealed), fault.Locked},
	} {
		path := filepath.Join(dir, strings.ReplaceAll(name, " ", "-"))
		if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadOpener(t.Context(), path, OpenerOptions{}); !fault.Is(err, c.kind) || strings.Contains(err.Error(), secret[20:40]) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// armored is text as an age file with the passphrase "horse".
func armored(t *testing.T, text string) string {
	t.Helper()
	data, err := lock([]byte(text), []byte("horse"), testFactor)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestOpenerBehindAPassphrase(t *testing.T) {
	t.Parallel()
	id, mine, copies := identity(t), identity(t), Copies{Dir: t.TempDir()}
	if err := copies.Add(id, mine.Public()); err != nil {
		t.Fatal(err)
	}
	o := opener(t, Plugins{}, &person{answers: []string{"horse"}}, armored(t, string(mine.text())))
	if got, err := copies.Open(o); err != nil || !same(got, id) {
		t.Errorf("opened: %v", err)
	}
	if ids := o.Identities(); len(ids) != 1 || !same(ids[0], mine) {
		t.Errorf("its own keys: %v", ids)
	}
	for text, kind := range map[string]fault.Kind{
		armored(t, mine.String()):                               fault.Denied,
		strings.Replace(armored(t, mine.String()), "A", "B", 3): fault.Invalid,
	} {
		path := filepath.Join(t.TempDir(), "key")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := ReadOpener(t.Context(), path, OpenerOptions{Prompter: &person{answers: []string{"mule"}}})
		if !fault.Is(err, kind) && !fault.Is(err, fault.Denied) {
			t.Errorf("%v", err)
		}
	}
	if !bytes.HasPrefix(mine.text(), []byte("# public key: age1")) {
		t.Error("the text form does not name its public half")
	}
}
