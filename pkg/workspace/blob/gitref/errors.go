package gitref

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/workspace/blob"
	"github.com/vexa-ai/vexa/pkg/workspace/git"
)

// doOn runs one call about a blob.
func (s *Store) doOn(ctx context.Context, op, name string, fn func() error) error {
	if err := blob.CheckName(name); err != nil {
		return err
	}
	return s.explain(op, name, s.call(ctx, fn))
}

// do runs one call about no blob, or several.
func (s *Store) do(ctx context.Context, op string, fn func() error) error {
	return s.explain(op, "", s.call(ctx, fn))
}

func (s *Store) call(ctx context.Context, fn func() error) error {
	if err := s.begin(); err != nil {
		return err
	}
	defer s.calls.Done()
	if err := ctx.Err(); err != nil {
		return err
	}
	return fn()
}

// explain says what was being done, to which blob of which remote, and what can
// be done about it. It returns nil for nil.
func (s *Store) explain(op, name string, err error) error {
	if err == nil {
		return nil
	}
	what := op + " " + s.URL()
	if name != "" {
		what = op + " " + name + " in " + s.URL()
	}
	if known, ok := errors.AsType[*fault.Error](err); ok {
		return &fault.Error{Kind: known.Kind, Msg: what, Err: err}
	}
	if failed, ok := errors.AsType[*git.RemoteError](err); ok {
		return s.remoteFault(what, failed)
	}
	kind := fault.Internal
	switch {
	case errors.Is(err, blob.ErrNotExist):
		kind = fault.NotFound
	case errors.Is(err, blob.ErrExist):
		kind = fault.Conflict
	case errors.Is(err, context.Canceled):
		kind = fault.Interrupted
	case errors.Is(err, context.DeadlineExceeded):
		kind = fault.Timeout
	}
	return &fault.Error{Kind: kind, Msg: what, Err: err}
}

// remoteFault classifies what git says of a remote. The text of failed begins
// with git's command and the URL.
func (s *Store) remoteFault(what string, failed *git.RemoteError) error {
	f := &fault.Error{Kind: fault.Failed, Msg: what, Err: failed}
	switch failed.Trouble {
	case git.Denied:
		f.Kind, f.Err = fault.Denied, fmt.Errorf("%w: %w", blob.ErrDenied, failed)
		f.Hint = s.credentialHint(failed)
	case git.Refused:
		f.Kind, f.Err = fault.Denied, fmt.Errorf("%w: %w", blob.ErrDenied, failed)
		f.Hint = "let this account push to the branch vexa-bucket of " + s.URL() + ": see which rules or hooks protect it"
		if full := strings.ToLower(failed.Stderr); strings.Contains(full, "no space left") || strings.Contains(full, "quota") {
			f.Kind, f.Err = fault.Failed, fmt.Errorf("%w: %w", blob.ErrUnavailable, failed)
			f.Hint = "make room at " + s.URL()
		}
	case git.Missing:
		f.Kind = fault.NotFound
		f.Hint = "create the repository, empty, or see that the URL is right and that this account may see it: git ls-remote " + s.URL()
	case git.Unreachable, git.Moved:
		f.Err = fmt.Errorf("%w: %w", blob.ErrUnavailable, failed)
		f.Hint = "see that this machine reaches " + s.URL() + ", then do the same again: what was stored already is not stored twice"
	case git.Other:
		f.Hint = "see what git says there: git ls-remote " + s.URL()
	}
	return f
}

func (s *Store) credentialHint(failed *git.RemoteError) string {
	switch {
	case strings.Contains(failed.Stderr, "dubious ownership"):
		return "the directory is another user's; if you trust them: git config --global --add safe.directory DIR"
	case failed.Command == "push":
		return "see that this account, token or key may write to " + s.URL() + " and not only read it"
	case s.remote.Protocol() == "ssh":
		return "see that ssh gets there without a question: git ls-remote " + s.URL()
	default:
		return "see that git has your credentials for it, from a credential helper for example: git ls-remote " + s.URL()
	}
}

// foreign says that the branch holds what no store of this kind wrote.
func foreign(what string) error {
	return fault.New(fault.Invalid, "its branch vexa-bucket is no bucket: "+what,
		"use another repository, or see who wrote to that branch; only Vexa may")
}
