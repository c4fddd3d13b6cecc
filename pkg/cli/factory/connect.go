package factory

import (
	"context"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/client"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/home"
)

// Connect returns a client of a daemon that answers, starting one if need be
// and allowed.
func (f *Factory) Connect(ctx context.Context) (*client.Client, error) {
	c, err := f.Lazy(ctx)
	if err != nil || f.Client != nil {
		return c, err
	}
	if _, err := f.Reach(ctx, c); err != nil {
		return nil, err
	}
	return c, nil
}

// Lazy returns a client that starts a daemon if need be and allowed, and asks for none yet.
func (f *Factory) Lazy(ctx context.Context) (*client.Client, error) {
	if f.Client != nil {
		return f.Client(ctx)
	}
	return f.Dial(!f.Flags.NoDaemonStart && f.Env("VEXA_NO_DAEMON_START") == "")
}

// Reach makes sure that a daemon answers the client, and returns its status.
func (f *Factory) Reach(ctx context.Context, c *client.Client) (api.Status, error) {
	waiting := f.Begin("waiting for the daemon")
	defer waiting.End()
	return c.Connect(ctx)
}

// Dial returns a client without making sure that a daemon answers.
func (f *Factory) Dial(start bool) (*client.Client, error) {
	h, err := f.OpenHome()
	if err != nil {
		return nil, err
	}
	o := client.Options{Socket: h.DaemonSocket(), Version: f.Version.Version, OnSkew: f.warnSkew}
	if start {
		o.Start = func(ctx context.Context) (<-chan error, error) {
			if f.Spawn == nil {
				return nil, Missing("a daemon")
			}
			starting := f.Begin("starting the daemon")
			context.AfterFunc(ctx, starting.End)
			return f.Spawn(ctx, h)
		}
	}
	return client.New(o), nil
}

// OpenHome finds the installation.
func (f *Factory) OpenHome() (home.Home, error) {
	if f.Home == nil {
		return home.Home{}, fault.Wrap(fault.Internal, "find the installation", Missing("a home"))
	}
	return f.Home()
}

func (f *Factory) warnSkew(theirs string, _ int) {
	f.Warn("the running daemon is version %s and this is %s; restart it when nothing runs: vexa daemon stop", theirs, f.Version.Version)
}
