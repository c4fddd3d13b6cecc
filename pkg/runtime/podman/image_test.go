package podman_test

import (
	"crypto/rand"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/vexa-ai/vexa/pkg/internal/require"
	"github.com/vexa-ai/vexa/pkg/runtime"
	"github.com/vexa-ai/vexa/pkg/runtime/image"
)

// TestAnImageIsMadeOnFirstUse, without a registry: an image that nobody has
// made before is made and run.
func TestAnImageIsMadeOnFirstUse(t *testing.T) {
	t.Parallel()
	const install, unit = "f1257f1257f1", "01JDXKF1RSTVSE000000000001"
	program := require.Tool(t, "podman")
	d := open(t)
	busybox, err := os.ReadFile("/bin/busybox")
	if err != nil {
		require.Missing(t, "busybox", err.Error())
	}
	nonce := make([]byte, 16)
	if _, err := rand.Read(nonce); err != nil {
		t.Fatal(err)
	}
	fresh := filepath.Join(t.TempDir(), "busybox") // a tail changes the digest, not the program
	if err := os.WriteFile(fresh, append(busybox, nonce...), 0o700); err != nil {
		t.Fatal(err)
	}
	ref, openImage, err := image.Source{Busybox: fresh}.Resolve(image.Shell)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if out, err := exec.Command(program, "rmi", "-f", ref).CombinedOutput(); err != nil {
			t.Errorf("rmi: %v: %s", err, out)
		}
	})
	clean(t, d, install)
	img := runtime.Image{Ref: ref, Open: openImage}
	for range 2 {
		if err := d.EnsureImage(t.Context(), img); err != nil {
			t.Fatal(err)
		}
	}
	s := newStack(t, d, install)
	spec := s.spec(t, unit, "/bin/sh", "-c", "ls / /etc /bin && test -r /etc/passwd && test -x /usr/bin/env && ! test -w /etc")
	spec.Image = ref
	if _, err := s.kernel.Create(t.Context(), spec, "any"); err != nil {
		t.Fatal(err)
	}
	if st := s.ended(t, unit); *st.ExitCode != 0 {
		t.Errorf("exit code %d", *st.ExitCode)
	}
}
