package podman_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/internal/require"
	"github.com/vexa-ai/vexa/pkg/runtime"
)

// BenchmarkStart compares a workload's start through the kernel (token, checks,
// image, create, start) with the bare create and start requests of the very
// same container, in turns, so that both see the same machine. design.md 15
// asks for 1.3 at the median.
func BenchmarkStart(b *testing.B) {
	const install = "be0cbe0cbe0c"
	require.Tool(b, "podman")
	d := open(b)
	img := shellImage(b)
	clean(b, d, install)
	s := newStack(b, d, install)
	if err := d.EnsureImage(b.Context(), img); err != nil {
		b.Fatal(err)
	}
	uri, _ := d.Connection()
	bare := bareClient(strings.TrimPrefix(uri, "unix://"))
	var through, floor []time.Duration
	for i := 0; b.Loop(); i++ {
		unit := fmt.Sprintf("01JDXKBE0CH%015d", i)
		spec := s.spec(b, unit, "/bin/sleep", "600")
		began := time.Now()
		if _, err := s.kernel.Create(b.Context(), spec, "any"); err != nil {
			b.Fatal(err)
		}
		through = append(through, time.Since(began))
		b.StopTimer()
		if _, err := s.kernel.Delete(b.Context(), unit); err != nil {
			b.Fatal(err)
		}
		floor = append(floor, bare.start(b, d, runtime.Container{
			Name: "vexa-bench-" + strings.ToLower(unit), Image: img.Ref, Argv: spec.Argv, Env: spec.Env,
			Labels: map[string]string{runtime.LabelInstall: install, runtime.LabelUnit: unit},
			Mounts: []runtime.Bind{
				{Source: filepath.Join(s.root, unit, "ws/notes"), Target: "/workspace"},
				{Source: filepath.Join(s.root, unit, "ws/shared"), Target: "/workspaces/shared", ReadOnly: true},
				{Source: filepath.Join(s.root, unit, "session"), Target: "/.vexa/session"},
				{Source: filepath.Join(s.root, unit, "run"), Target: "/.vexa/run", ReadOnly: true, NoExec: true},
				{Source: s.binary, Target: "/.vexa/bin/vexa", ReadOnly: true},
			},
			Limits: runtime.Limits{Processes: 50, OpenFiles: 200, TmpMB: 8, HomeMB: 8},
		}))
		b.StartTimer()
	}
	p50, p95, base := at(through, 50), at(through, 95), at(floor, 50)
	b.ReportMetric(float64(p50)/float64(base), "x-floor")
	b.ReportMetric(float64(p95)/float64(at(floor, 95)), "x-floor-p95")
	b.ReportMetric(float64(p50)/1e6, "ms/start")
	b.ReportMetric(float64(base)/1e6, "ms/floor")
}

func at(list []time.Duration, percent int) time.Duration {
	slices.Sort(list)
	return list[min(len(list)-1, len(list)*percent/100)]
}

// bareAPI speaks to Podman with nothing in between.
type bareAPI struct{ http.Client }

func bareClient(socket string) *bareAPI {
	return &bareAPI{http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", socket)
	}}}}
}

type specer interface {
	BareSpec(c runtime.Container) ([]byte, error)
}

// start makes and starts a container, removes it, and returns how long the
// first two took.
func (c *bareAPI) start(b *testing.B, d specer, container runtime.Container) time.Duration {
	b.Helper()
	body, err := d.BareSpec(container)
	if err != nil {
		b.Fatal(err)
	}
	began := time.Now()
	var made struct{ ID string }
	if err := json.Unmarshal(c.do(b, http.MethodPost, "/containers/create", body), &made); err != nil {
		b.Fatal(err)
	}
	c.do(b, http.MethodPost, "/containers/"+made.ID+"/start", nil)
	took := time.Since(began)
	c.do(b, http.MethodDelete, "/containers/"+made.ID+"?force=true&timeout=0", nil)
	return took
}

func (c *bareAPI) do(b *testing.B, method, path string, body []byte) []byte {
	b.Helper()
	req, err := http.NewRequestWithContext(b.Context(), method, "http://d/v4.0.0/libpod"+path, bytes.NewReader(body))
	if err != nil {
		b.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := c.Do(req)
	if err != nil {
		b.Fatal(err)
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode >= 300 {
		b.Fatalf("%s %s: %s %s %v", method, path, res.Status, data, err)
	}
	return data
}
