package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"github.com/vexa-ai/vexa/pkg/contract"
	"github.com/vexa-ai/vexa/pkg/contract/gitbase"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/workspace/git"
)

// contracts gives the command line the contracts of this binary, or of a
// source tree.
type contracts struct{}

// Names implements factory.Contracts.
func (contracts) Names() []string { return contract.Names() }

// Source implements factory.Contracts.
func (contracts) Source(name string) ([]byte, error) { return contract.Source(name) }

// Validate implements factory.Contracts.
func (contracts) Validate(name string, data []byte) error { return contract.Validate(name, data) }

// Check implements factory.Contracts.
func (contracts) Check(ctx context.Context, dir string) ([]string, error) {
	if dir == "" {
		return contract.Check(ctx, contract.CheckOptions{}).Findings(), nil
	}
	dir, err := schemasOf(dir)
	if err != nil {
		return nil, err
	}
	g, err := git.New(ctx, git.Options{})
	if err != nil {
		return nil, err
	}
	return contract.Check(ctx, contract.CheckOptions{FS: os.DirFS(dir), Base: gitbase.New(dir, askGit(g))}).Findings(), nil
}

// Seal implements factory.Contracts.
func (contracts) Seal(ctx context.Context, dir string) ([]string, error) {
	dir, err := schemasOf(dir)
	if err != nil {
		return nil, err
	}
	return contract.Seal(ctx, dir)
}

// schemasOf finds the directory of contracts in a source tree; it may be that
// directory itself.
func schemasOf(dir string) (string, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	for _, d := range []string{filepath.Join(abs, "schemas"), abs} {
		if _, err := os.Stat(filepath.Join(d, "seal.json")); err == nil {
			return d, nil
		}
	}
	return "", fault.New(fault.NotFound, "there are no contracts in "+abs, "name a source tree of Vexa with --dir")
}

// askGit runs gitbase's questions with the one hardened git.
func askGit(g *git.Git) gitbase.Run {
	return func(ctx context.Context, dir string, args ...string) ([]byte, int, error) {
		res, err := g.Repo(dir).Run(ctx, git.Cmd{Args: args})
		var failed *git.Error
		if errors.As(err, &failed) && failed.Code > 0 {
			return res.Stdout, failed.Code, nil
		}
		return res.Stdout, res.Code, err
	}
}
