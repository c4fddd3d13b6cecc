package main

import (
	"context"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/vexa-ai/vexa/pkg/cli"
	"github.com/vexa-ai/vexa/pkg/cli/factory"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/home"
	"github.com/vexa-ai/vexa/pkg/keys"
	"github.com/vexa-ai/vexa/pkg/seal"
	"github.com/vexa-ai/vexa/pkg/workspace"
	"github.com/vexa-ai/vexa/pkg/workspace/bucket"
	"github.com/vexa-ai/vexa/pkg/workspace/git"
	"github.com/vexa-ai/vexa/pkg/workspace/gitremote"
)

// remoteHelper is the name under which git starts this program for addresses
// that begin with vexa::.
const remoteHelper = "git-remote-vexa"

// runRemote is git-remote-vexa: git gives it the remote's name and the address.
func runRemote(ctx context.Context, f *factory.Factory, args []string) int {
	ctx, stop := signalContext(ctx)
	defer stop()
	err := serveRemote(ctx, f, args)
	if err == nil {
		return 0
	}
	return cli.Fail(f, err)
}

func serveRemote(ctx context.Context, f *factory.Factory, args []string) error {
	syscall.Umask(0o077)
	collectLater()
	workspace.Prepare()
	if len(args) == 0 || len(args) > 2 {
		return fault.New(fault.Usage, remoteHelper+" is what git starts, with a remote and an address", "use it through git: git clone vexa::NAME")
	}
	at, err := openAddress(ctx, f, args[len(args)-1])
	if err != nil {
		return err
	}
	defer at.bucket.Close()
	gitDir := os.Getenv("GIT_DIR")
	if gitDir != "" {
		if gitDir, err = filepath.Abs(gitDir); err != nil {
			return err
		}
	}
	opt := gitremote.Options{
		In: f.In, Out: f.Out, Err: f.Err, Remote: args[0], GitDir: gitDir, Git: at.git, Bucket: at.bucket,
		Tidy: func() { _ = tidyLater(at.address, gitDir) },
		Paranoid: func(ctx context.Context) (bool, error) {
			return at.git.PersonBool(ctx, gitDir, os.Environ(), "vexa.paranoid")
		},
	}
	return gitremote.Run(ctx, opt)
}

// addressed is a bucket that an address names.
type addressed struct {
	home    home.Home
	git     *git.Git
	bucket  *bucket.Bucket
	address string // of the bucket itself
}

// openAddress opens the bucket that an address names: a workspace of this
// installation, or the bucket itself.
func openAddress(ctx context.Context, f *factory.Factory, address string) (*addressed, error) {
	h, store, err := f.OpenKeys()
	if err != nil {
		return nil, err
	}
	g, err := git.Later(ctx, git.Options{Note: filepath.Join(h.State, "git-version")}) // what is asked for most needs no git
	if err != nil {
		return nil, err
	}
	b := &buckets{home: h, git: g, prompt: f.MayAsk()}
	sealer, err := b.unlock(ctx, f, store)
	if err != nil {
		return nil, err
	}
	if workspace.ValidName(address) {
		if address, err = b.bucketAddress(ctx, sealer, address); err != nil {
			return nil, err
		}
	}
	if address, err = factory.AbsoluteAddress(address); err != nil {
		return nil, err
	}
	opened, err := b.Open(ctx, address)
	if err != nil {
		return nil, err
	}
	return &addressed{home: h, git: b.git, bucket: opened, address: opened.URL()}, nil
}

// unlock gives the buckets their keys: the installation's, or where those need
// somebody to open them, the ones of a daemon that is unlocked. Only where there
// is none the person is asked.
func (b *buckets) unlock(ctx context.Context, f *factory.Factory, store *keys.Store) (workspace.Sealer, error) {
	p, err := store.Protection()
	if err != nil {
		return nil, err
	}
	if p != seal.Unprotected && p != keys.Missing {
		if lent, ok := borrow(ctx, f, store); ok {
			b.keys = lent
			return lent, nil
		}
	}
	id, err := f.OpenKey(ctx, store, factory.KeyAccess{})
	if err != nil {
		return nil, err
	}
	chain, err := store.Keychain(id)
	if err != nil {
		return nil, err
	}
	b.keys = bucketKeys{chain: chain, store: store}
	return id, nil
}

// bucketAddress returns where the bucket of a workspace is.
func (b *buckets) bucketAddress(ctx context.Context, sealer workspace.Sealer, name string) (string, error) {
	ws, err := workspace.Open(workspace.Options{
		Root: b.home.Workspaces(), Repos: b.home.Repos(), Packs: b.home.Packs(), Sealer: sealer, Git: b.git, Now: time.Now, NewID: newID, Buckets: b,
	})
	if err != nil {
		return "", err
	}
	defer ws.Close() //nolint:errcheck // only its registry was read
	return ws.Bucket(ctx, name)
}
