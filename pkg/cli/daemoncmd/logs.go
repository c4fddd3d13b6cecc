package daemoncmd

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/vexa-ai/vexa/pkg/cli/factory"
	"github.com/vexa-ai/vexa/pkg/cli/grammar"
	"github.com/vexa-ai/vexa/pkg/cli/plain"
	"github.com/vexa-ai/vexa/pkg/fault"
)

// LogsOptions is what the command line of vexa daemon logs says.
type LogsOptions struct {
	Factory *factory.Factory
	Follow  bool
	Lines   int
}

// The bounds of reading the log.
const (
	tailBytes = 4 << 20                // looked at for the last lines
	pollEvery = 200 * time.Millisecond // how soon a followed line shows
)

func newLogs(f *factory.Factory) *cobra.Command {
	o := &LogsOptions{Factory: f}
	cmd := &cobra.Command{
		Use:     "logs",
		Short:   "Print the daemon's log",
		Long:    "Prints the last lines of the daemon's log. It holds ids and errors, never what was said.",
		Example: "$ vexa daemon logs\n$ vexa daemon logs --follow",
		Args:    grammar.Args(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.Lines < 0 {
				return grammar.Usage(cmd, "--lines cannot be negative")
			}
			return runLogs(cmd.Context(), o)
		},
	}
	cmd.Flags().BoolVarP(&o.Follow, "follow", "f", false, "wait for more")
	cmd.Flags().IntVarP(&o.Lines, "lines", "n", 100, "how many `lines` to begin with")
	return cmd
}

func runLogs(ctx context.Context, o *LogsOptions) error {
	h, err := o.Factory.OpenHome()
	if err != nil {
		return err
	}
	file, err := os.Open(h.DaemonLog())
	if errors.Is(err, fs.ErrNotExist) {
		return fault.New(fault.NotFound, "there is no log yet: no daemon has run", "start one with: vexa daemon start")
	}
	if err != nil {
		return fault.Newf(fault.Internal, "open the daemon's log: %w", err)
	}
	defer file.Close()
	out := plain.NewWriter(o.Factory.Out)
	if err := tail(out, file, o.Lines); err != nil {
		return fault.Newf(fault.Internal, "read the daemon's log: %w", err)
	}
	if !o.Follow {
		return out.Close()
	}
	return follow(ctx, out, file)
}

// tail copies the last lines of file and leaves its offset at the end.
func tail(w io.Writer, file *os.File, lines int) error {
	info, err := file.Stat()
	if err != nil {
		return err
	}
	from := max(0, info.Size()-tailBytes)
	if _, err := file.Seek(from, io.SeekStart); err != nil {
		return err
	}
	data, err := io.ReadAll(io.LimitReader(file, tailBytes))
	if err != nil {
		return err
	}
	_, err = w.Write(lastLines(data, lines))
	return err
}

func lastLines(data []byte, n int) []byte {
	at := len(data)
	if bytes.HasSuffix(data, []byte("\n")) {
		at--
	}
	for ; n > 0; n-- {
		i := bytes.LastIndexByte(data[:max(at, 0)], '\n')
		if i < 0 {
			return data
		}
		at = i
	}
	if at >= len(data)-1 {
		return nil
	}
	return data[at+1:]
}

// follow copies what is appended to file until ctx ends, and goes on with the
// new one where a daemon that starts has set it aside.
func follow(ctx context.Context, w io.Writer, file *os.File) error {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		if _, err := io.Copy(w, file); err != nil {
			return fault.Newf(fault.Internal, "read the daemon's log: %w", err)
		}
		if next := successor(file); next != nil {
			defer next.Close()
			file = next
			continue
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
}

// successor opens the file that has taken the place of file; nil where it is
// still the same.
func successor(file *os.File) *os.File {
	next, err := os.Open(file.Name())
	if err != nil {
		return nil
	}
	old, err1 := file.Stat()
	now, err2 := next.Stat()
	if err1 != nil || err2 != nil || os.SameFile(old, now) {
		next.Close()
		return nil
	}
	return next
}
