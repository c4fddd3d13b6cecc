package main

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/oklog/ulid/v2"
	"golang.org/x/sys/unix"

	"github.com/vexa-ai/vexa/pkg/audit"
	"github.com/vexa-ai/vexa/pkg/broker"
	"github.com/vexa-ai/vexa/pkg/contract/manifestv1"
	"github.com/vexa-ai/vexa/pkg/daemon"
	"github.com/vexa-ai/vexa/pkg/dispatch"
	"github.com/vexa-ai/vexa/pkg/failpoint"
	"github.com/vexa-ai/vexa/pkg/home"
	"github.com/vexa-ai/vexa/pkg/identity"
	"github.com/vexa-ai/vexa/pkg/inference"
	"github.com/vexa-ai/vexa/pkg/journal"
	"github.com/vexa-ai/vexa/pkg/quota"
	"github.com/vexa-ai/vexa/pkg/retention"
	"github.com/vexa-ai/vexa/pkg/runner"
	"github.com/vexa-ai/vexa/pkg/runtime/remote"
	"github.com/vexa-ai/vexa/pkg/seal"
	"github.com/vexa-ai/vexa/pkg/steady"
	"github.com/vexa-ai/vexa/pkg/stream"
	streamjournal "github.com/vexa-ai/vexa/pkg/stream/journal"
	"github.com/vexa-ai/vexa/pkg/toolbox"
	"github.com/vexa-ai/vexa/pkg/transcript"
	"github.com/vexa-ai/vexa/pkg/watch"
	"github.com/vexa-ai/vexa/pkg/workspace"
	"github.com/vexa-ai/vexa/pkg/workspace/git"
	"github.com/vexa-ai/vexa/pkg/workspace/session"
)

// keySize is the size in bytes of the data key and of the authority's seed.
const keySize = 32

// newID returns a ULID. They sort by time, which ulid's monotonic entropy
// keeps true within a millisecond.
func newID() string { return ulid.Make().String() }

// opened collects what must be closed again.
type opened struct{ closers []func() error }

func (o *opened) add(c func() error) { o.closers = append(o.closers, c) }

// close closes everything, the last opened first.
func (o *opened) close() error {
	var errs []error
	for _, c := range slices.Backward(o.closers) {
		errs = append(errs, c())
	}
	return errors.Join(errs...)
}

// catalogs are what dispatches can be given, and what tells when files of it change.
type catalogs struct {
	runners *runner.Catalog
	tools   *toolbox.Catalog
	files   *watch.Watcher // nil: nobody does
}

// parts are what an engine is made of.
type parts struct {
	home    home.Home
	id      *seal.Identity
	dataKey []byte
	streams stream.Sized
	files   *watch.Watcher // nil: changes of files are not told
	log     *slog.Logger
	closers opened
}

// openEngine builds the unlocked installation. It is the one place where the
// daemon's ports meet their adapters.
func openEngine(ctx context.Context, h home.Home, secret string, c catalogs, log *slog.Logger) (_ *daemon.Engine, err error) {
	id, err := openIdentity(ctx, h, secret)
	if err != nil {
		return nil, err
	}
	p := &parts{home: h, id: id, files: c.files, log: log}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.closers.close())
		}
	}()
	if p.dataKey, err = seal.LoadOrCreateSecret(filepath.Join(h.Keys(), "data.age"), id, keySize); err != nil {
		return nil, err
	}
	streams, err := streamjournal.Open(streamjournal.Options{
		Root: filepath.Join(h.State, "streams"), Key: p.dataKey, Now: time.Now,
	})
	if err != nil {
		return nil, err
	}
	p.closers.add(streams.Close)
	p.streams = streams
	e := &daemon.Engine{Streams: streams}
	if err := p.openWorkspaces(ctx, e); err != nil {
		return nil, err
	}
	if e.Models, err = inference.Open(inference.Options{Dir: h.Config, Sealer: id, Now: time.Now}); err != nil {
		return nil, err
	}
	if err := p.openDispatch(ctx, e, c); err != nil {
		return nil, err
	}
	site, err := openPages(h, id, e.Audit, log)
	if err != nil {
		return nil, err
	}
	p.closers.add(site.Close)
	e.Pages = site
	e.Close = p.closers.close
	return e, nil
}

func (p *parts) openWorkspaces(ctx context.Context, e *daemon.Engine) error {
	g, err := git.New(ctx, git.Options{})
	if err != nil {
		return err
	}
	if err := os.MkdirAll(p.home.Workspaces(), 0o700); err != nil {
		return err
	}
	packs := p.home.Packs()
	store, err := keyStore(p.home)
	if err != nil {
		return err
	}
	chain, err := store.Keychain(p.id)
	if err != nil {
		return err
	}
	own := bucketKeys{chain: chain, store: store}
	e.Keys = lender{own}
	e.Workspaces, err = workspace.Open(workspace.Options{
		Root: p.home.Workspaces(), Repos: p.home.Repos(), Packs: packs, Sealer: p.id, Git: g, Now: time.Now, NewID: newID, Log: p.log,
		Buckets: &buckets{
			home: p.home, git: g, keys: own, files: p.files, log: p.log,
			members: func(postQuantum bool) ([]manifestv1.Member, error) { return ownMembers(p.home, chain, postQuantum) },
		},
	})
	// Readable history, and made anew where it is needed: what a live container
	// has of it are links of its own.
	p.closers.add(func() error { return os.RemoveAll(packs) })
	if err != nil {
		return err
	}
	p.closers.add(e.Workspaces.Close)
	p.closers.add(func() error { return wipe(e.Workspaces, p.log) })
	if err := e.Workspaces.MigrateAll(ctx); err != nil {
		p.log.ErrorContext(ctx, "a workspace could not be encrypted", "error", err)
	}
	p.closers.add(tend(e.Workspaces, p.log))
	e.Sessions = session.New(session.Options{Store: e.Workspaces, Sealer: p.id, Now: time.Now})
	return nil
}

// openJournal opens one of the installation's own journals.
func (p *parts) openJournal(name string) (*journal.Journal, error) {
	j, err := journal.Open(journal.Options{
		Dir: filepath.Join(p.home.State, name), Checkpoint: filepath.Join(p.home.State, "checkpoints", name),
		Key: p.dataKey, Name: name,
	})
	if err != nil {
		return nil, err
	}
	p.closers.add(j.Close)
	return j, nil
}

func (p *parts) openDispatch(ctx context.Context, e *daemon.Engine, c catalogs) error {
	records, err := p.openJournal("dispatches")
	if err != nil {
		return err
	}
	auditJournal, err := p.openJournal("audit")
	if err != nil {
		return err
	}
	key, err := p.authorityKey()
	if err != nil {
		return err
	}
	keep, err := retention.Load(p.home.Config)
	if err != nil {
		return err
	}
	clock, err := tokenClock(p.home)
	if err != nil {
		return err
	}
	trail := audit.Open(auditJournal, time.Now)
	recording := transcript.ConfigFile{Dir: p.home.Config}
	if _, err := recording.On(); err != nil { // requests are refused until it is put right: vexa model record on|off
		p.log.ErrorContext(ctx, "what is set of recording cannot be read", "error", err)
	}
	e.Audit, e.Recording = trail, recording
	e.Transcripts = transcript.Open(transcript.Options{Streams: p.streams, Setting: recording, Limits: keep.Inference, Now: time.Now})
	upstream := inference.NewUpstream(inference.UpstreamOptions{})
	e.Test = testModel(e.Models, upstream)
	b, err := broker.New(broker.Options{
		Verifier:  identity.NewVerifier(issuer(p.home), ed25519.PublicKey(key[ed25519.SeedSize:]), clock),
		Providers: e.Models, Upstream: upstream, Tools: c.tools, Transcripts: e.Transcripts, Audit: trail, Now: time.Now, Log: p.log,
	})
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	gate, err := containerQuota(p.home)
	if err != nil {
		return err
	}
	kernel := remote.New(p.home.RuntimeSocket())
	e.Dispatch, err = dispatch.New(ctx, dispatch.Options{
		Home: p.home, Binary: self, Records: records, Streams: e.Streams,
		Runtime: kernel, Workspaces: e.Workspaces, Sessions: e.Sessions,
		Tokens:     identity.NewAuthority(identity.Options{Issuer: issuer(p.home), Key: key, Now: clock, NewID: newID}),
		Audit:      trail,
		OpenSocket: func(ctx context.Context, s broker.Session) (dispatch.Socket, error) { return b.Open(ctx, s) },
		Runners:    c.runners, Models: resolveModel(e.Models), Images: images(p.home, kernel).Reference, Tools: c.tools,
		Quota: gate, Failpoints: failpoint.New(os.Getenv(failpoint.Env)), Now: time.Now, NewID: newID, Log: p.log, Retention: keep,
		AlsoRetain: func(ctx context.Context, now time.Time) error {
			return errors.Join(audit.Trim(auditJournal, keep.Audit, now), e.Transcripts.Trim(ctx, now, func() map[string]bool { return liveUnits(e.Dispatch) }))
		},
	})
	return err
}

// images are those of runners: made here, or brought.
func images(h home.Home, engine runner.Engine) *runner.Images {
	return &runner.Images{Builds: runner.Builds{Dir: h.Images()}, Checked: runner.Builds{Dir: h.CheckedImages()}, Engine: engine}
}

// liveUnits are the dispatches that have not ended.
func liveUnits(m *dispatch.Manager) map[string]bool {
	live := map[string]bool{}
	for _, d := range m.List(false) {
		live[d.ID] = true
	}
	return live
}

// tokenClock is what tokens are dated by. Daemon and kernel share it, and it is
// not set: a token is good for as long as its container may live.
func tokenClock(h home.Home) (func() time.Time, error) {
	return steady.System().Open(filepath.Join(h.Run, "clock"))
}

// containerQuota is how many containers this machine gives each owner.
func containerQuota(h home.Home) (*quota.Gate, error) {
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err != nil {
		return nil, fmt.Errorf("ask how much memory there is: %w", err)
	}
	policy, err := quota.Load(h.Config, int64(info.Totalram)*int64(info.Unit))
	return quota.NewGate(policy), err
}

func resolveModel(table *inference.Table) dispatch.ResolveModel {
	return func(model string) ([]string, string, error) {
		provider, name, err := table.Resolve(model)
		if err != nil {
			return nil, "", err
		}
		var protocols []string
		for _, p := range provider.Protocols() {
			protocols = append(protocols, string(p))
		}
		return protocols, provider.FullName(name), nil
	}
}
