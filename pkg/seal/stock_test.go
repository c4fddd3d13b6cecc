package seal

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vexa-ai/vexa/pkg/internal/require"
)

// stockAge builds the age command, and the plugin through which it takes a
// passphrase from the environment, at the version of go.mod. It returns what
// runs it.
func stockAge(t *testing.T) func(args ...string) []byte {
	t.Helper()
	dir := t.TempDir()
	build := exec.Command(require.Tool(t, "go"), "build", "-o", dir, "filippo.io/age/cmd/age", "filippo.io/age/cmd/age-plugin-batchpass")
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-mod=readonly")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build age: %v\n%s", err, out)
	}
	return func(args ...string) []byte {
		t.Helper()
		cmd := exec.Command(filepath.Join(dir, "age"), args...)
		cmd.Env = []string{"PATH=" + dir, "AGE_PASSPHRASE=correct horse"}
		var words bytes.Buffer
		cmd.Stderr = &words
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("age %s: %v: %s", strings.Join(args, " "), err, words.String())
		}
		return out
	}
}

// TestStockAge: the command that everybody has opens what is written here, with
// what an export gives, and without Vexa.
func TestStockAge(t *testing.T) {
	t.Parallel()
	age, dir := stockAge(t), t.TempDir()
	write := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	k := openKeychain(t, identity(t), filepath.Join(dir, "pq.age"))
	export := func() string {
		t.Helper()
		data, err := k.Export(Lock{Passphrase: []byte("correct horse"), Cost: testFactor})
		if err != nil {
			t.Fatal(err)
		}
		return write("keys.txt", age("-d", "-j", "batchpass", write("export.age", data)))
	}
	sealed := func(postQuantum bool) string {
		t.Helper()
		to, err := k.Recipients(postQuantum)
		if err != nil {
			t.Fatal(err)
		}
		data, err := EncryptBytes([]byte("otters"), to...)
		if err != nil {
			t.Fatal(err)
		}
		return write("sealed.age", data)
	}
	for _, postQuantum := range []bool{false, true} {
		file := sealed(postQuantum)
		if got := age("-d", "-i", export(), file); string(got) != "otters" {
			t.Errorf("post-quantum %t: %q", postQuantum, got)
		}
	}
	// The key file as it rests, and what opens after it is lost: a copy for an SSH key.
	path := filepath.Join(dir, "identity.key")
	if err := WriteKeyFile(path, k.Classic(), Lock{Passphrase: []byte("correct horse"), Cost: testFactor}); err != nil {
		t.Fatal(err)
	}
	private, public := sshKey(t, "ed25519", "")
	copies := Copies{Dir: filepath.Join(dir, "identity.d")}
	if err := copies.Add(k.Classic(), parse(t, Plugins{}, readText(t, public))); err != nil {
		t.Fatal(err)
	}
	list, err := copies.List()
	if err != nil {
		t.Fatal(err)
	}
	for _, got := range [][]byte{age("-d", "-j", "batchpass", path), age("-d", "-i", private, list[0].Path)} {
		if string(got) != string(k.Classic().text()) {
			t.Error("the key file is not what it was")
		}
	}
	// And the other way round: what age encrypts to our recipients is opened here.
	to, err := k.Recipients(true)
	if err != nil {
		t.Fatal(err)
	}
	got, err := DecryptBytes(age("-r", to[0].String(), write("plain", []byte("herons"))), k.Identities()...)
	if err != nil || string(got) != "herons" {
		t.Errorf("%q, %v", got, err)
	}
}
