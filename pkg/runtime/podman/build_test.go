package podman_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/runtime/podman"
)

// buildWith builds with a Podman that answers a build so.
func buildWith(t *testing.T, answer http.HandlerFunc, write func(io.Writer) error) error {
	t.Helper()
	uri := fakeAPI(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/build") {
			answer(w, r)
			return
		}
		fmt.Fprint(w, `{"host":{"cgroupVersion":"v2","security":{"rootless":true,"seccompEnabled":true}}}`)
	})
	d, err := podman.New(t.Context(), podman.Options{RunDir: runDir(t), URI: uri})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d.BuildImage(t.Context(), "localhost/x:1", "Containerfile", write)
}

func says(lines ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		for _, line := range lines {
			fmt.Fprintln(w, line)
		}
	}
}

// TestHowABuildEnds: it is one whose stream names the image at its end, however
// much it printed.
func TestHowABuildEnds(t *testing.T) {
	t.Parallel()
	files := func(w io.Writer) error { _, err := io.WriteString(w, "files"); return err }
	id := `{"stream":"` + strings.Repeat("0a", 32) + `\n"}`
	long := make([]string, 70, 71)
	for i := range long {
		long[i] = `{"stream":"` + strings.Repeat("x", 1<<20) + `"}`
	}
	if err := buildWith(t, says(append(long, id)...), files); err != nil {
		t.Errorf("a long one: %v", err)
	}
	for name, lines := range map[string][]string{
		"nothing":          nil,
		"cut at a line":    {`{"stream":"STEP 1/2: FROM scratch"}`},
		"cut in a line":    {id, `{"stream":"STE`},
		"cut after an ID":  {id, `{"stream":"STEP 2/2"}`},
		"an error, and ID": {`{"stream":"STEP 2/2"}`, `{"error":"STEP fails"}`, id},
	} {
		if err := buildWith(t, says(lines...), files); !fault.Is(err, fault.Failed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestABuildWhoseFilesCannotBeRead says why, rather than what Podman made of it.
func TestABuildWhoseFilesCannotBeRead(t *testing.T) {
	t.Parallel()
	why := fault.New(fault.Invalid, "too large", "put it elsewhere")
	err := buildWith(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		http.Error(w, `{"message":"unexpected EOF"}`, http.StatusInternalServerError)
	}, func(io.Writer) error { return why })
	if !fault.Is(err, fault.Invalid) || fault.HintOf(err) != "put it elsewhere" {
		t.Errorf("%v", err)
	}
}
