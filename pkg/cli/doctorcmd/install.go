package doctorcmd

import (
	"bytes"
	"context"
	"io"
	"os"
	"strings"

	"github.com/vexa-ai/vexa/pkg/cli/factory"
	"github.com/vexa-ai/vexa/pkg/client"
	"github.com/vexa-ai/vexa/pkg/doctor"
	"github.com/vexa-ai/vexa/pkg/fault"
)

// install looks at the installation without starting a daemon.
func install(ctx context.Context, f *factory.Factory) (doctor.Install, error) {
	h, err := f.OpenHome()
	if err != nil {
		return doctor.Install{}, err
	}
	in := doctor.Install{ID: h.InstallID, State: h.State, Units: h.Units(), Packs: h.Packs()}
	if f.Keys != nil {
		if err := ownKeys(f, &in); err != nil {
			return in, err
		}
	}
	c, err := f.Dial(false)
	if err != nil {
		return in, err
	}
	defer c.Close()
	st, err := c.Status(ctx)
	if fault.Is(err, fault.Unreachable) {
		in.LastWords = lastWords(h.DaemonLog())
		return in, nil // it need not run
	}
	in.Daemon, in.Kernel, in.Locked = f.Version.Version, st.RuntimePID != 0, st.Locked
	if err == nil {
		in.Daemon = st.Version
	}
	if err == nil && !st.Locked {
		err = opened(ctx, c, &in)
	}
	if err != nil {
		in.Trouble = err.Error()
	}
	return in, nil
}

// ownKeys adds what is seen of the keys.
func ownKeys(f *factory.Factory, in *doctor.Install) error {
	_, s, err := f.OpenKeys()
	if err != nil {
		return err
	}
	p, err := s.Protection()
	if err != nil {
		return err
	}
	in.Key = string(p)
	r, err := s.Recovery()
	in.Recovery = r != nil
	return err
}

// opened adds what only an unlocked daemon tells.
func opened(ctx context.Context, c *client.Client, in *doctor.Install) error {
	live, err := c.Dispatches(ctx, false)
	if err != nil {
		return err
	}
	for _, d := range live {
		in.Live = append(in.Live, d.ID)
	}
	list, err := c.Workspaces(ctx)
	for _, w := range list {
		if !w.Encrypted {
			in.Unencrypted++
		}
	}
	return err
}

// logEnd is how much of the end of a log is looked at, in bytes.
const logEnd = 64 << 10

// lastWords returns the error that the daemon behind log ended with; empty where
// its log ends otherwise, as that of one that was killed does.
func lastWords(log string) (words string) {
	file, err := os.Open(log)
	if err != nil {
		return ""
	}
	defer file.Close()
	st, err := file.Stat()
	if err != nil {
		return ""
	}
	data, err := io.ReadAll(io.NewSectionReader(file, max(0, st.Size()-logEnd), logEnd))
	if err != nil {
		return ""
	}
	for line := range bytes.Lines(data) {
		text := strings.TrimSpace(string(line))
		for _, begins := range []string{"vexa: error: ", "panic: ", "fatal error: "} {
			if rest, ok := strings.CutPrefix(text, begins); ok {
				words = rest
			}
		}
		if strings.HasPrefix(text, "{") {
			words = "" // it went on
		}
	}
	return words
}
