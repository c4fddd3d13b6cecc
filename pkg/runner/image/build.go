package image

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/internal/filelock"
	"github.com/vexa-ai/vexa/pkg/internal/glob"
	"github.com/vexa-ai/vexa/pkg/runner/image/deb"
	"github.com/vexa-ai/vexa/pkg/runner/image/npm"
	"github.com/vexa-ai/vexa/pkg/runner/image/oci"
	"github.com/vexa-ai/vexa/pkg/runner/image/store"
	"github.com/vexa-ai/vexa/pkg/runner/image/tree"
	builtin "github.com/vexa-ai/vexa/pkg/runtime/image"
)

// Labels of an image.
const (
	LabelRunner = "ai.vexa.runner" // the runner's name
	LabelLock   = "ai.vexa.lock"   // Lock.Digest of what it was made of
)

// fetchers is how many inputs are fetched at a time: mirrors give one connection
// less than the line has.
const fetchers = 3

// Options say how an image is made. Cache and Arch are wanted.
type Options struct {
	Arch    string // as Go names it
	Cache   store.Cache
	Sources Sources
	Client  *http.Client // default: one without a time limit for the whole, see store.NewClient
	Offline bool         // fetch nothing
	Import  string       // a directory that Download wrote, whose inputs are taken into the cache first
	Stall   time.Duration
	Notice  func(store.Input) // before a download; nil: none
}

// Made is an image that was made. Its bytes lie on the disk of the cache until
// Close.
type Made struct {
	oci.Image
	Fetched, Cached int64         // bytes that were downloaded, and that were there already
	FetchTime       time.Duration // of downloading and verifying
	MakeTime        time.Duration // of unpacking and hashing
	spool           io.Closer
	lock            *filelock.Lock
}

// Close gives back what the image holds. It is called once.
func (m *Made) Close() error {
	err := m.spool.Close()
	m.lock.Release()
	return err
}

// Digest names what an image of an architecture is made of.
func (l Lock) Digest(arch string) (store.Digest, error) {
	data, err := json.Marshal(struct {
		System  System
		Program Program
		Locked  Inputs
		Arch    string
	}{l.System, l.Program, l.Locked[arch], arch})
	return store.SHA256(data), err
}

// Make fetches what the lock says and makes the image of runner name of it.
// Errors are those of [store.Fetcher.Get] and [tree.Tree.Extract]; an
// architecture that the lock does not have is fault.NotFound.
func Make(ctx context.Context, name string, lock Lock, o Options) (_ *Made, err error) {
	inputs, err := lock.resolve(o.Arch, o.Sources)
	if err != nil {
		return nil, err
	}
	held, err := o.Cache.Lock(ctx)
	if err != nil {
		return nil, err
	}
	m := &Made{lock: held}
	defer func() {
		if err != nil {
			if m.spool != nil {
				err = errors.Join(err, m.spool.Close())
			}
			held.Release()
		}
	}()
	began := time.Now()
	if m.Fetched, err = fetch(ctx, inputs, o); err != nil {
		return nil, err
	}
	for _, in := range inputs {
		m.Cached += in.Size
	}
	m.Cached -= m.Fetched
	m.FetchTime = time.Since(began)
	began = time.Now()
	spool, err := tree.NewSpool(o.Cache.Dir)
	if err != nil {
		return nil, err
	}
	m.spool = spool
	files, err := lock.unpack(ctx, o, spool)
	if err != nil {
		return nil, err
	}
	m.Image, err = lock.image(name, o.Arch, files)
	m.MakeTime = time.Since(began)
	return m, err
}

// Download fetches what the lock says and writes it to the directory to, for a
// machine without a network: see Options.Import.
func Download(ctx context.Context, lock Lock, o Options, to string) (fetched, cached int64, err error) {
	inputs, err := lock.resolve(o.Arch, o.Sources)
	if err != nil {
		return 0, 0, err
	}
	held, err := o.Cache.Lock(ctx)
	if err != nil {
		return 0, 0, err
	}
	defer held.Release()
	if fetched, err = fetch(ctx, inputs, o); err != nil {
		return fetched, cached, err
	}
	out := store.Cache{Dir: to}
	for _, in := range inputs {
		cached += in.Size
		if out.Has(in.Digest) {
			continue
		}
		if err := o.Cache.Copy(in.What, in.Digest, out); err != nil {
			return fetched, cached, err
		}
	}
	return fetched, cached - fetched, nil
}

// fetch brings all inputs into the cache, and returns how many bytes that took.
func fetch(ctx context.Context, inputs []store.Input, o Options) (fetched int64, err error) {
	if o.Import != "" {
		if err := importAll(inputs, o); err != nil {
			return 0, err
		}
	}
	f := &store.Fetcher{Cache: o.Cache, Client: o.Client, Offline: o.Offline || o.Import != "", Stall: o.Stall}
	if f.Client == nil {
		f.Client = store.NewClient()
		defer f.Client.CloseIdleConnections()
	}
	var mu sync.Mutex
	if o.Notice != nil {
		f.Notice = func(in store.Input) {
			mu.Lock()
			defer mu.Unlock()
			o.Notice(in)
		}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	slots := make(chan struct{}, fetchers)
	var wg sync.WaitGroup
	for _, in := range inputs {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			if ctx.Err() != nil {
				return
			}
			n, getErr := f.Get(ctx, in)
			mu.Lock()
			defer mu.Unlock()
			fetched += n
			if getErr != nil && err == nil {
				err = getErr
				cancel()
			}
		})
	}
	wg.Wait()
	if err == nil && ctx.Err() != nil {
		err = fault.Wrap(fault.Interrupted, "download", ctx.Err())
	}
	return fetched, err
}

// importAll takes what the cache lacks from the directory of a download.
func importAll(inputs []store.Input, o Options) error {
	from := store.Cache{Dir: o.Import}
	if info, err := os.Stat(o.Import); err != nil || !info.IsDir() {
		return fault.New(fault.NotFound, "there is no directory "+o.Import, "vexa runner build NAME --download-only DIR writes one, where there is a network")
	}
	for _, in := range inputs {
		if o.Cache.Has(in.Digest) {
			continue
		}
		if err := from.Copy(in.What, in.Digest, o.Cache); err != nil {
			return err
		}
	}
	return nil
}

// unpack puts the tree of an image together.
func (l Lock) unpack(ctx context.Context, o Options, spool *tree.Spool) (*tree.Tree, error) {
	t := tree.New(spool)
	_, open, err := builtin.Resolve(builtin.Empty)
	if err != nil {
		return nil, err
	}
	base, err := open()
	if err != nil {
		return nil, err
	}
	if err := t.Extract("the built-in image", base, func(name string) string { return name }); err != nil {
		return nil, err
	}
	jobs, err := l.packed(o.Arch)
	if err != nil {
		return nil, err
	}
	trees, err := extractAll(ctx, spool, o.Cache, jobs)
	if err != nil {
		return nil, err
	}
	system := len(l.Locked[o.Arch].Debian)
	if err := join(t, trees[:system]); err != nil {
		return nil, err
	}
	if err := l.System.finish(t); err != nil {
		return nil, err
	}
	t.NextLayer()
	if err := join(t, trees[system:]); err != nil {
		return nil, err
	}
	return t, links(t, l.Program.Links, o.Arch)
}

func join(t *tree.Tree, trees []*tree.Tree) error {
	for _, sub := range trees {
		if err := t.Join(sub); err != nil {
			return err
		}
	}
	return nil
}

// packed lists what is unpacked, the packages of Debian first.
func (l Lock) packed(arch string) (out []packed, err error) {
	for _, d := range l.Locked[arch].Debian {
		out = append(out, packed{"Debian's " + d.Package + " " + d.Version, d.SHA256, d.Size, deb.Data, l.System.choose(d.Package)})
	}
	wanted := l.Program.For(arch)
	for i, n := range l.Locked[arch].NPM {
		digest, err := store.ParseIntegrity(n.Integrity)
		if err != nil {
			return nil, err
		}
		out = append(out, packed{"npm's " + n.Package + " " + n.Version, digest, n.Size, npm.Data, wanted[i].choose})
	}
	return out, nil
}

// extractAll unpacks inputs at once, each into a tree of its own, since
// decompressing takes the most of a build. The largest is begun first.
func extractAll(ctx context.Context, spool *tree.Spool, c store.Cache, jobs []packed) (_ []*tree.Tree, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	out := make([]*tree.Tree, len(jobs))
	order := make([]int, len(jobs))
	for i := range jobs {
		out[i], order[i] = tree.New(spool), i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(jobs[b].size, jobs[a].size) })
	slots := make(chan struct{}, runtime.GOMAXPROCS(0))
	var wg sync.WaitGroup
	var once sync.Once // the first error is why the others ended
	for _, i := range order {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			if jobErr := extract(ctx, out[i], c, jobs[i]); jobErr != nil {
				once.Do(func() { err = jobErr })
				cancel()
			}
		})
	}
	wg.Wait()
	return out, err
}

// packed is an input that is to be unpacked.
type packed struct {
	what   string
	digest store.Digest
	size   int64
	data   func(io.Reader) (io.Reader, error) // its tar
	choose tree.Choice
}

// extract puts one input into the tree.
func extract(ctx context.Context, t *tree.Tree, c store.Cache, p packed) error {
	what := p.what
	if err := ctx.Err(); err != nil {
		return fault.Wrap(fault.Interrupted, "unpack "+what, err)
	}
	f, err := c.Open(p.digest)
	if errors.Is(err, fs.ErrNotExist) {
		return fault.New(fault.Conflict, what+" went from the cache "+c.Dir, "try again")
	}
	if err != nil {
		return err
	}
	defer f.Close()
	in, err := p.data(f)
	if err != nil {
		return fault.Wrap(fault.Invalid, "unpack "+what, err)
	}
	return t.Extract(what, in, p.choose)
}

// choose takes the files of a Debian package that are wanted.
func (s System) choose(name string) tree.Choice {
	keep := s.Packages[name]
	return func(file string) string {
		if len(keep) > 0 && !glob.Any(keep, file) || glob.Any(s.Drop, file) {
			return ""
		}
		return file
	}
}

// choose takes the files of an npm package that are wanted.
func (p NPMPackage) choose(name string) string {
	file := npm.Strip(name)
	if file == "" || len(p.Keep) > 0 && !glob.Any(p.Keep, file) || glob.Any(p.Drop, file) {
		return ""
	}
	return p.To + "/" + file
}

// owner is whose what no package has is, in messages.
const owner = "the lock"

// maxCertificate bounds one certificate, bytes.
const maxCertificate = 64 << 10

// finish does what scripts of packages would do.
func (s System) finish(t *tree.Tree) error {
	if err := links(t, s.Links, ""); err != nil {
		return err
	}
	if err := s.commands(t); err != nil {
		return err
	}
	if err := s.certificates(t); err != nil {
		return err
	}
	return t.MergeUsr(owner)
}

// commands makes links for the commands of the busybox.
func (s System) commands(t *tree.Tree) error {
	if s.Busybox == "" {
		return nil
	}
	if !t.Has(s.Busybox) {
		return fault.New(fault.Invalid, "no package has "+s.Busybox, "")
	}
	for _, name := range builtin.Applets() {
		if t.Has("usr/bin/"+name) || t.Has("usr/sbin/"+name) {
			continue
		}
		if err := t.Symlink(owner, "usr/bin/"+name, "/"+s.Busybox); err != nil {
			return err
		}
	}
	return nil
}

// certificates joins the certificates into the file that programs look for.
func (s System) certificates(t *tree.Tree) error {
	if !s.Certificates {
		return nil
	}
	list, err := t.Files(func(name string) bool {
		return strings.HasPrefix(name, "usr/share/ca-certificates/") && strings.HasSuffix(name, ".crt")
	}, maxCertificate)
	if err != nil {
		return err
	}
	if len(list) == 0 {
		return fault.New(fault.Invalid, "no package has a certificate", "")
	}
	return t.File(owner, "etc/ssl/certs/ca-certificates.crt", 0o644, bytes.Join(list, nil))
}

func links(t *tree.Tree, want map[string]string, arch string) error {
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if err := t.Symlink(owner, forArch(name, arch), forArch(want[name], arch)); err != nil {
			return err
		}
	}
	return nil
}

// image makes an image of a tree.
func (l Lock) image(name, arch string, t *tree.Tree) (oci.Image, error) {
	digest, err := l.Digest(arch)
	if err != nil {
		return oci.Image{}, err
	}
	var layers []oci.Blob
	for i := range t.Layers() {
		b, err := oci.NewBlob(func(w io.Writer) error { return t.WriteLayer(w, i) })
		if err != nil {
			return oci.Image{}, fmt.Errorf("layer %d: %w", i, err)
		}
		layers = append(layers, b)
	}
	return oci.New(oci.Config{
		Architecture: arch, User: "1000:1000", WorkingDir: "/workspace",
		Labels: map[string]string{LabelRunner: name, LabelLock: digest.String()},
	}, layers)
}
