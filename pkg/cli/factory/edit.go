package factory

import (
	"cmp"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/internal/scratchdir"
)

// Edit lets a person change text in their editor, VISUAL or EDITOR, as git does: a
// file called name, in memory, that is gone afterwards. check is given what came of
// it; while it fails the person may go on with what they have. instead says what to
// do where there is no terminal.
func (f *Factory) Edit(ctx context.Context, name string, text []byte, instead string, check func([]byte) error) error {
	if !f.CanPrompt() {
		return fault.New(fault.Usage, "there is no terminal for an editor", instead)
	}
	h, err := f.OpenHome()
	if err != nil {
		return err
	}
	dir, err := scratchdir.Make(h.Plain, "edit-")
	if err != nil {
		return fault.Wrap(fault.Internal, "make room for an editor", err)
	}
	defer dir.Remove() //nolint:errcheck // the next one sweeps it
	path := filepath.Join(dir.Path, filepath.Base(name))
	if err := os.WriteFile(path, text, 0o600); err != nil {
		return fault.Wrap(fault.Internal, "make room for an editor", err)
	}
	for {
		if err := f.edit(ctx, path); err != nil {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return fault.Newf(fault.Usage, "read what the editor left: %w", err)
		}
		err = check(data)
		if err == nil || ctx.Err() != nil {
			return err
		}
		f.Warn("%s", err)
		again, aerr := f.Confirm(ctx, "Go on editing? What you have is lost otherwise. [Y/n] ", instead, true)
		if aerr != nil || !again {
			return errors.Join(err, aerr)
		}
	}
}

// edit runs the editor on a file and waits for its end.
func (f *Factory) edit(ctx context.Context, path string) error {
	editor := cmp.Or(f.Env("VISUAL"), f.Env("EDITOR"), "vi")
	cmd := exec.CommandContext(ctx, "sh", "-c", editor+` "$@"`, editor, path) //nolint:gosec // the person's own editor, as git runs it
	cmd.Stdin, cmd.Stdout, cmd.Stderr = f.In, f.Err, f.Err
	if tty, err := os.OpenFile("/dev/tty", os.O_RDWR, 0); err == nil {
		defer tty.Close()
		cmd.Stdin, cmd.Stdout = tty, tty
	}
	if err := cmd.Run(); err != nil {
		return fault.Newf(fault.Usage, "the editor %q: %w", editor, err).WithHint("set VISUAL or EDITOR to one that works")
	}
	return nil
}
