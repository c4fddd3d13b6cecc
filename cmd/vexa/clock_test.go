package main

import (
	"crypto/ed25519"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/contract/identityv1"
	"github.com/vexa-ai/vexa/pkg/contract/unitv1"
	"github.com/vexa-ai/vexa/pkg/home"
	"github.com/vexa-ai/vexa/pkg/identity"
	"github.com/vexa-ai/vexa/pkg/keys"
	"github.com/vexa-ai/vexa/pkg/runner"
	"github.com/vexa-ai/vexa/runners"
)

// Daemon and kernel date tokens by one clock, which the time of day does not
// move: here it is ten years off, as it would be if that had been put right.
func TestTokensOutliveAClockThatIsSet(t *testing.T) {
	t.Parallel()
	env := map[string]string{"VEXA_HOME": t.TempDir(), "XDG_RUNTIME_DIR": t.TempDir(), "VEXA_PLAINTEXT_DIR": t.TempDir()}
	h, err := home.Open(func(k string) string { return env[k] }, os.Getuid())
	must(t, err)
	s, err := keyStore(h)
	must(t, err)
	_, err = s.Create(t.Context(), keys.With{})
	must(t, err)
	catalog, err := runner.Load(runners.FS)
	must(t, err)
	e, err := openEngine(t.Context(), h, "", catalogs{runners: catalog}, slog.New(slog.DiscardHandler))
	must(t, err)
	must(t, e.Close())

	path := filepath.Join(h.Run, "clock") // as the engine has left it
	data, err := os.ReadFile(path)
	must(t, err)
	boot, at, _ := strings.Cut(strings.TrimSpace(string(data)), " ")
	began, err := time.Parse(time.RFC3339Nano, at)
	must(t, err)
	must(t, os.WriteFile(path, []byte(boot+" "+began.AddDate(-10, 0, 0).Format(time.RFC3339Nano)+"\n"), 0o600))

	_, key, err := ed25519.GenerateKey(nil)
	must(t, err)
	now, err := tokenClock(h)
	must(t, err)
	authority := identity.NewAuthority(identity.Options{Issuer: issuer(h), Key: key, Now: now, NewID: newID})
	unit := unitv1.Unit{
		ID: newID(), Identity: unitv1.Identity{Subject: "u_jane", Launcher: "user:jane"}, Runner: "vexa",
		Workspaces: []unitv1.Workspace{{ID: strings.ToLower(newID()), Mode: unitv1.ReadWrite}}, Trigger: unitv1.TriggerMessage,
	}
	token, err := authority.Mint(unit, nil, time.Hour, identityv1.AudienceRuntime)
	must(t, err)
	must(t, identity.Publish(publicKeyPath(h), key))
	verifier, err := tokenVerifier(h)
	must(t, err)
	if _, err := verifier.Verify(token, identityv1.AudienceRuntime, unit.ID); err != nil {
		t.Errorf("the kernel refuses it: %v", err)
	}
	if _, err := identity.NewVerifier(issuer(h), key.Public().(ed25519.PublicKey), time.Now).Verify(token, identityv1.AudienceRuntime, unit.ID); identity.ReasonOf(err) != identity.Expired {
		t.Errorf("by the time of day: %v", err)
	}
}
