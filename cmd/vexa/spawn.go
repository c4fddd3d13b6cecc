package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"

	"github.com/vexa-ai/vexa/pkg/cli"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/home"
)

// spawnDaemon starts the daemon in a session of its own, with an environment
// that holds no provider's key. It is a client.Start.
func spawnDaemon(_ context.Context, h home.Home) (<-chan error, error) {
	cmd, closeLog, err := detached(h, "daemon", "run")
	if err != nil {
		return nil, err
	}
	defer closeLog()
	var from int64
	if st, err := os.Stat(h.DaemonLog()); err == nil {
		from = st.Size()
	}
	if err := cmd.Start(); err != nil {
		return nil, fault.Wrap(fault.Unreachable, "start the daemon", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- lastWords(cmd.Wait(), h.DaemonLog(), from) }()
	return ended, nil
}

// wordsLimit bounds what is read of a log for its last words, in bytes.
const wordsLimit = 1 << 20

// lastWords says why a process that wrote to log, beginning at from, has ended:
// in the words of its error and hint, else in its last line. It is
// fault.Conflict where the exit code says so.
func lastWords(exit error, log string, from int64) error {
	said := fault.New(fault.Internal, "it said nothing", "")
	if exit != nil {
		said.Msg = exit.Error()
	}
	var code *exec.ExitError
	if errors.As(exit, &code) && code.ExitCode() == cli.ExitCode(fault.New(fault.Conflict, "", "")) {
		said.Kind = fault.Conflict
	}
	file, err := os.Open(log)
	if err != nil {
		return said
	}
	defer file.Close()
	data, err := io.ReadAll(io.NewSectionReader(file, from, wordsLimit))
	if err != nil {
		return said
	}
	var named bool
	for line := range bytes.Lines(data) {
		text := strings.TrimSpace(string(line))
		if msg, ok := strings.CutPrefix(text, "vexa: error: "); ok {
			said.Msg, named = msg, true
		} else if hint, ok := strings.CutPrefix(text, "vexa: hint: "); ok {
			said.Hint = hint
		} else if text != "" && !named {
			said.Msg = text
		}
	}
	return said
}
