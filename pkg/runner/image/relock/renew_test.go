package relock_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/clearsign"

	"github.com/vexa-ai/vexa/pkg/internal/require"
	"github.com/vexa-ai/vexa/pkg/runner"
	"github.com/vexa-ai/vexa/pkg/runner/image"
	"github.com/vexa-ai/vexa/pkg/runner/image/relock"
	"github.com/vexa-ai/vexa/pkg/runner/image/store"
)

var (
	renew   = flag.String("relock", "", "renew the pins of this runner's image.json from the registries")
	keyring = flag.String("keyring", "/usr/share/keyrings/debian-archive-keyring.gpg", "the keys that sign Debian's suites")
)

// TestRenew is how a maintainer renews a lock, with the sources that apt and
// npm of the machine have, by
//
//	go test ./pkg/runner/image/relock -run TestRenew -relock NAME
func TestRenew(t *testing.T) {
	if *renew == "" {
		t.Skip("renews a lock where -relock names its runner")
	}
	file := filepath.Join("..", "..", "..", "..", "runners", *renew, runner.LockFile)
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var lock image.Lock
	if err := json.Unmarshal(data, &lock); err != nil {
		t.Fatal(err)
	}
	sources := machineSources(t)
	r := relock.Resolver{Sources: sources, Client: store.NewClient(), Verify: signedByDebian}
	lock.Locked = map[string]image.Inputs{}
	for _, arch := range []string{"amd64", "arm64"} {
		if len(lock.Program.For(arch)) == 0 {
			continue
		}
		if lock.Locked[arch], err = r.Resolve(t.Context(), lock, arch); err != nil {
			t.Fatalf("%s: %v", arch, err)
		}
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	if err := enc.Encode(lock); err != nil {
		t.Fatal(err)
	}
	if _, err := image.ParseLock(out.Bytes()); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, out.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

// machineSources are those that apt and npm of this machine are configured with.
// npm knows of a registry that no file of its configuration names.
func machineSources(t *testing.T) image.Sources {
	t.Helper()
	sources, err := image.Find(image.Sources{}, os.Getenv, t.TempDir(), "/")
	if err != nil {
		t.Fatal(err)
	}
	if sources.NPM == "" {
		out, err := exec.Command(require.Tool(t, "npm"), "config", "get", "registry").Output()
		if err != nil {
			t.Fatal(err)
		}
		sources.NPM = strings.TrimSpace(string(out))
	}
	return sources
}

// signedByDebian verifies a Release file with the keys of the distribution.
func signedByDebian(signed []byte) ([]byte, error) {
	f, err := os.Open(*keyring)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	keys, err := openpgp.ReadKeyRing(f)
	if err != nil {
		return nil, err
	}
	block, _ := clearsign.Decode(signed)
	if block == nil {
		return nil, errors.New("it is not signed")
	}
	_, err = block.VerifySignature(keys, nil)
	return block.Plaintext, err
}
