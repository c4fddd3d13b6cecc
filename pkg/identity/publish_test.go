package identity_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/vexa-ai/vexa/pkg/contract/identityv1"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/identity"
)

// A process that holds no secret verifies with what was published, and with
// nothing else.
func TestPublished(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "authority.pub")
	token := mint(t, identity.Options{}, unit())
	p := identity.NewPublished(issuer, path, clock(start))
	verify := func() error {
		_, err := p.Verify(token, identityv1.AudienceRuntime, unitID)
		return err
	}
	if err := verify(); !fault.Is(err, fault.Denied) {
		t.Fatalf("before there is a key: %v", err)
	}
	for range 2 {
		if err := identity.Publish(path, key(1)); err != nil {
			t.Fatal(err)
		}
		if err := verify(); err != nil {
			t.Fatal(err)
		}
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("%v, %v", info, err)
	}
	if err := identity.Publish(path, key(2)); err != nil {
		t.Fatal(err)
	}
	if err := verify(); identity.ReasonOf(err) != identity.BadSignature {
		t.Fatalf("with another key: %v", err)
	}
	for _, text := range []string{"", "AAAA\n", "not base64"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := verify(); !fault.Is(err, fault.Denied) {
			t.Fatalf("with %q: %v", text, err)
		}
	}
}
