package signature_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/internal/require"
	"github.com/vexa-ai/vexa/pkg/signature"
)

func derive(t *testing.T, secret string) signature.Signer {
	t.Helper()
	s, err := signature.Derive(secret)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestDeriveIsStable(t *testing.T) {
	t.Parallel()
	a, again, b := derive(t, "AGE-SECRET-KEY-1A"), derive(t, "AGE-SECRET-KEY-1A"), derive(t, "AGE-SECRET-KEY-1B")
	if a.Key().String() != again.Key().String() || a.Key().String() == b.Key().String() {
		t.Fatal("a key does not belong to its secret alone")
	}
	parsed, err := signature.ParseKey(a.Key().String() + " jane@laptop\n")
	if err != nil || parsed.String() != a.Key().String() || parsed.Fingerprint() != a.Key().Fingerprint() {
		t.Fatalf("parsed %q: %v", parsed, err)
	}
}

func TestVerifyRefuses(t *testing.T) {
	t.Parallel()
	s, other := derive(t, "one"), derive(t, "two")
	data := []byte("a manifest\n")
	sig, err := s.Sign("manifest", data)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Key().Verify("manifest", data, sig); err != nil {
		t.Fatal(err)
	}
	foreign, err := other.Sign("manifest", data)
	if err != nil {
		t.Fatal(err)
	}
	flipped := bytes.Replace(sig, []byte("\n"), []byte("\nA"), 1)
	for name, err := range map[string]error{
		"another namespace": s.Key().Verify("approval", data, sig),
		"other data":        s.Key().Verify("manifest", []byte("a manifest"), sig),
		"another key":       other.Key().Verify("manifest", data, sig),
		"a foreign signer":  s.Key().Verify("manifest", data, foreign),
		"damage":            s.Key().Verify("manifest", data, flipped),
		"no signature":      s.Key().Verify("manifest", data, nil),
		"nobody":            signature.Key{}.Verify("manifest", data, sig),
	} {
		if !fault.Is(err, fault.Denied) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestParseKeyRefuses(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"", "ssh-ed25519", "ssh-ed25519 AAAA", "age1qqq", derive(t, "x").Key().String() + "\n" + derive(t, "y").Key().String()} {
		if _, err := signature.ParseKey(bad); !fault.Is(err, fault.Invalid) || fault.HintOf(err) == "" {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// The stock command verifies what we signed.
func TestStockCommandVerifies(t *testing.T) {
	t.Parallel()
	program := require.Tool(t, "ssh-keygen")
	s := derive(t, "one")
	data := []byte("a manifest\n")
	sig, err := s.Sign("manifest", data)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	signers, file := filepath.Join(dir, "signers"), filepath.Join(dir, "sig")
	for path, text := range map[string][]byte{signers: []byte("jane " + s.Key().String() + "\n"), file: sig} {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), program, "-Y", "verify", "-f", signers, "-I", "jane", "-n", "manifest", "-s", file)
	cmd.Stdin = bytes.NewReader(data)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}
