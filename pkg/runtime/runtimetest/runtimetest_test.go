package runtimetest_test

import (
	"io"
	"strings"
	"testing"

	"github.com/vexa-ai/vexa/pkg/runtime"
	"github.com/vexa-ai/vexa/pkg/runtime/runtimetest"
)

func TestMemoryIsADriver(t *testing.T) {
	t.Parallel()
	runtimetest.Run(t, func(*testing.T) runtimetest.Setup {
		m := runtimetest.NewMemory()
		m.Program("seven", func(p *runtimetest.Process) { p.Exit(7, false) })
		return runtimetest.Setup{
			Driver: m,
			Image: runtime.Image{Ref: "localhost/vexa/test:1", Open: func() (io.ReadCloser, error) {
				return io.NopCloser(strings.NewReader("")), nil
			}},
			Exit0: []string{"true"}, Exit7: []string{"seven"}, Sleep: []string{"sleep"}, Stubborn: []string{"stubborn"},
		}
	})
}
