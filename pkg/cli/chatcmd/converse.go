package chatcmd

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/vexa-ai/vexa/pkg/client"
	"github.com/vexa-ai/vexa/pkg/fault"
)

// converse holds a conversation line by line: the same session all along, and
// the same container as long as it lives.
func converse(ctx context.Context, o *ChatOptions, c *client.Client) error {
	f, req := o.Factory, o.Request
	f.Notice("Type a message; Ctrl-D ends the conversation.")
	lines := bufio.NewReader(f.In)
	for {
		text, err := ask(ctx, f.Err, lines)
		if errors.Is(err, io.EOF) {
			f.Notice("")
			return nil
		}
		if err != nil {
			return err
		}
		if text == "" {
			continue
		}
		req.Text, req.Key = text, rand.Text()
		t := &turn{f: f, c: c, r: newTextRenderer(f)}
		f.Notice("The agent works; Ctrl-C stops it.")
		started, err := runTurn(ctx, t, req)
		if started.Session != "" {
			req.Session, req.Continue = started.Session, false
		}
		if err == nil {
			f.Notice("The turn is done; it is yours to write.")
			continue
		}
		if ends(ctx, err) || t.wasLeft() || started.Unit == "" {
			return err
		}
		f.Warn("%s", err)
	}
}

// ends reports whether a failed turn ends the conversation: the person left,
// or there is nobody to talk to.
func ends(ctx context.Context, err error) bool {
	return ctx.Err() != nil || fault.Is(err, fault.Unreachable) || fault.Is(err, fault.Locked)
}

// ask reads one line. Reading cannot be interrupted: at the end of ctx the
// reader is left behind, and the process is about to end.
func ask(ctx context.Context, prompt io.Writer, lines *bufio.Reader) (string, error) {
	if _, err := fmt.Fprint(prompt, "> "); err != nil {
		return "", err
	}
	type answer struct {
		line string
		err  error
	}
	got := make(chan answer, 1)
	go func() {
		line, err := lines.ReadString('\n')
		if errors.Is(err, io.EOF) && line != "" {
			err = nil
		}
		got <- answer{line, err}
	}()
	select {
	case a := <-got:
		return strings.TrimSpace(a.line), a.err
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
}
