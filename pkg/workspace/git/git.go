// Package git is the one place that starts git.
package git

import "context"

// Git is a checked git binary.
type Git struct{}

// Options configures New.
type Options struct {
	Path string // absolute path of git; default: the first of the usual places
}

// New finds git and checks its version.
func New(ctx context.Context, opt Options) (*Git, error) { return &Git{}, nil }

// Version returns git's version, as "2.39.5".
func (g *Git) Version() string { return "" }
