package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	goruntime "runtime"
	"strings"
	"time"

	"github.com/vexa-ai/vexa/pkg/cli/factory"
	"github.com/vexa-ai/vexa/pkg/contract/runnerv2"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/home"
	"github.com/vexa-ai/vexa/pkg/runner"
	"github.com/vexa-ai/vexa/pkg/runner/image"
	"github.com/vexa-ai/vexa/pkg/runner/image/oci"
	"github.com/vexa-ai/vexa/pkg/runner/image/store"
	"github.com/vexa-ai/vexa/pkg/runtime/podman"
	"github.com/vexa-ai/vexa/runners"
)

// loadRunners reads the manifests that ship and the person's own. One of those that is
// broken is told to who asks for it.
func loadRunners(h home.Home) (*runner.Catalog, error) {
	catalog, err := runner.Load(runners.FS)
	if err == nil {
		catalog.Own(os.DirFS(h.Runners()))
	}
	return catalog, err
}

// checkLock is the hook of vexa runner add.
func checkLock(data []byte) error {
	_, err := image.ParseLock(data)
	return err
}

// buildRunner is the hook of vexa runner build. The connection to Podman is one
// of its own, beside the kernel's, for as long as it takes.
func buildRunner(ctx context.Context, h home.Home, b factory.RunnerBuild) (factory.RunnerImage, error) {
	catalog, err := loadRunners(h)
	if err != nil {
		return factory.RunnerImage{}, err
	}
	m, err := catalog.Get(b.Name)
	if err != nil {
		return factory.RunnerImage{}, err
	}
	out := factory.RunnerImage{Runner: b.Name, Image: m.Image.Ref, Arch: goruntime.GOARCH}
	if err := buildable(catalog, m); err != nil {
		return out, err
	}
	builds := runner.Builds{Dir: h.Images()}
	former, _ := builds.Reference(m) // what cannot be read is written anew
	way := makeRunner
	switch {
	case b.Download != "":
		way = downloadRunner
	case b.From != "":
		way = importRunner
	case b.Containerfile != "":
		way = containerfileRunner
	}
	err = way(ctx, h, b, &out)
	if err != nil || out.Image == "" {
		return out, err
	}
	if err := pinned(ctx, h, m); err != nil {
		return out, err
	}
	if err := builds.Put(m, out.Digest); err != nil {
		return out, err
	}
	if now, err := builds.Reference(m); err == nil && former != now && former != m.Image.Ref {
		discard(ctx, h, former)
	}
	return out, nil
}

// discard removes an image that another took the place of: nothing would ask for it any
// more. One that has another name, or a container, stays.
func discard(ctx context.Context, h home.Home, ref string) {
	err := withPodman(ctx, h, func(d *podman.Driver) error {
		info, err := d.Image(ctx, ref)
		if err != nil {
			return err
		}
		return d.Forget(ctx, info.ID)
	})
	if err != nil {
		newLog().DebugContext(ctx, "a former image stays", "image", ref, "error", err)
	}
}

// probeTime is how long a program may take to say its version.
const probeTime = time.Minute

// pinned refuses an image whose program is of another version than the manifest pins,
// where it has a shell that could tell.
func pinned(ctx context.Context, h home.Home, m runnerv2.Manifest) error {
	if !runner.Pins(m) {
		return nil
	}
	return withPodman(ctx, h, func(d *podman.Driver) error {
		err := runner.CheckVersion(ctx, m, m.Image.Ref, func(ctx context.Context, argv []string) (int, error) {
			exit, err := d.Try(ctx, m.Image.Ref, h.InstallID, argv, probeTime)
			return exit.Code, err
		})
		if fault.Is(err, fault.Invalid) { // else a message would run it by its name
			err = errors.Join(err, d.Forget(ctx, m.Image.Ref))
		}
		return err
	})
}

// buildable refuses a runner whose image is not to be made.
func buildable(catalog *runner.Catalog, m runnerv2.Manifest) error {
	switch {
	case m.Image.Builtin != "":
		return fault.New(fault.Invalid, "runner "+m.Name+" needs no image to be made: its image is built in", "run it: vexa chat --runner "+m.Name)
	case strings.Contains(m.Image.Ref, "@"):
		return fault.New(fault.Invalid, "runner "+m.Name+" names its image by digest", "load that image with podman load, or name one in its manifest without a digest")
	case !strings.HasPrefix(m.Image.Ref, runner.LocalImages):
		return fault.New(fault.Invalid, "the image "+m.Image.Ref+" of runner "+m.Name+" is one of a registry", "in its manifest name one that begins with localhost/")
	}
	return catalog.CheckImage(m.Name)
}

// readLock reads the lock of a runner: beside the person's own manifest, where
// there is one, else the one that ships.
func readLock(h home.Home, name string) (image.Lock, error) {
	files := fs.FS(runners.FS)
	if _, err := os.Stat(filepath.Join(h.Runners(), name, runner.ManifestFile)); err == nil {
		files = os.DirFS(h.Runners())
	}
	data, err := fs.ReadFile(files, name+"/"+runner.LockFile)
	if errors.Is(err, fs.ErrNotExist) {
		return image.Lock{}, fault.New(fault.NotFound, "runner "+name+" has no "+runner.LockFile+" that says what its image is made of",
			"give it an image of your own: --from FILE or --containerfile FILE")
	}
	if err != nil {
		return image.Lock{}, err
	}
	return image.ParseLock(data)
}

// locks are those of all runners, the person's and those that ship, as far as they can be
// read.
func locks(h home.Home) []image.Lock {
	var all []image.Lock
	for _, files := range []fs.FS{runners.FS, os.DirFS(h.Runners())} {
		paths, _ := fs.Glob(files, "*/"+runner.LockFile) // the pattern is well formed
		for _, path := range paths {
			data, err := fs.ReadFile(files, path)
			if err != nil {
				continue
			}
			if lock, err := image.ParseLock(data); err == nil {
				all = append(all, lock)
			}
		}
	}
	return all
}

// imageOptions are where inputs come from.
func imageOptions(h home.Home, b factory.RunnerBuild, arch string) (image.Options, error) {
	sources, err := image.Find(image.Sources{Debian: b.Debian, NPM: b.NPM}, os.Getenv, h.Config, "/")
	return image.Options{
		Arch: arch, Cache: store.Cache{Dir: h.ImageInputs()}, Sources: sources, Offline: b.Offline, Import: b.Import,
		Notice: func(in store.Input) {
			b.Notice("downloading " + in.What + ", " + fmt.Sprintf("%.1f MB", float64(in.Size)/1e6))
		},
	}, err
}

func downloadRunner(ctx context.Context, h home.Home, b factory.RunnerBuild, out *factory.RunnerImage) error {
	lock, err := readLock(h, b.Name)
	if err != nil {
		return err
	}
	out.Image = ""
	if b.Arch != "" {
		out.Arch = b.Arch
	}
	o, err := imageOptions(h, b, out.Arch)
	if err != nil {
		return err
	}
	began := time.Now()
	out.Downloaded, out.Cached, err = image.Download(ctx, lock, o, b.Download)
	out.Fetch = time.Since(began)
	return err
}

func makeRunner(ctx context.Context, h home.Home, b factory.RunnerBuild, out *factory.RunnerImage) (err error) {
	lock, err := readLock(h, b.Name)
	if err != nil {
		return err
	}
	o, err := imageOptions(h, b, out.Arch)
	if err != nil {
		return err
	}
	o.Keep = locks(h)
	made, err := image.Make(ctx, b.Name, lock, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, made.Close()) }()
	out.Downloaded, out.Cached, out.Freed, out.Fetch, out.Make = made.Fetched, made.Cached, made.Freed, made.FetchTime, made.MakeTime
	return loadRunner(ctx, h, b, made.Image, out)
}

func importRunner(ctx context.Context, h home.Home, b factory.RunnerBuild, out *factory.RunnerImage) error {
	f, err := os.Open(b.From)
	if errors.Is(err, fs.ErrNotExist) {
		return fault.New(fault.NotFound, "there is no file "+b.From, "name an archive that podman save or docker save wrote")
	}
	if err != nil {
		return fault.Wrap(fault.Denied, "read "+b.From, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	began := time.Now()
	img, err := oci.Read(f, info.Size(), out.Arch)
	if err != nil {
		return fault.Wrap(fault.KindOf(err), b.From, err)
	}
	out.Make = time.Since(began)
	return loadRunner(ctx, h, b, img, out)
}

func containerfileRunner(ctx context.Context, h home.Home, b factory.RunnerBuild, out *factory.RunnerImage) error {
	file, err := image.OpenContainerfile(b.Containerfile)
	if err != nil {
		return err
	}
	return withPodman(ctx, h, func(d *podman.Driver) error {
		b.Notice("podman builds " + b.Containerfile)
		began := time.Now()
		if err := d.BuildImage(ctx, out.Image, file.Name(), file.WriteContext); err != nil {
			return err
		}
		out.Make = time.Since(began)
		return ready(ctx, d, h, b, out)
	})
}

// loadRunner gives an image to Podman.
func loadRunner(ctx context.Context, h home.Home, b factory.RunnerBuild, img oci.Image, out *factory.RunnerImage) error {
	return withPodman(ctx, h, func(d *podman.Driver) error {
		b.Notice("giving Podman the image " + out.Image)
		began := time.Now()
		if err := d.LoadImage(ctx, func(w io.Writer) error { return img.WriteArchive(w, out.Image) }); err != nil {
			return err
		}
		out.Load = time.Since(began)
		err := ready(ctx, d, h, b, out)
		if img.Unpacked > 0 { // Podman counts the copy for containers, too
			out.Size = img.Unpacked
		}
		return err
	})
}

// ready makes what a first container would wait for, and tells what is there.
func ready(ctx context.Context, d *podman.Driver, h home.Home, b factory.RunnerBuild, out *factory.RunnerImage) error {
	b.Notice("having Podman make " + out.Image + " ready for containers")
	began := time.Now()
	if err := d.Warm(ctx, out.Image, h.InstallID); err != nil {
		return err
	}
	out.Warm = time.Since(began)
	info, err := d.Image(ctx, out.Image)
	if err != nil {
		return err
	}
	out.Digest, out.Size = info.Digest, info.Size
	if info.Arch != out.Arch {
		return fault.New(fault.Invalid, "the image "+out.Image+" is for "+info.Arch+", and this machine is "+out.Arch, "give it an image for this machine, or make one: vexa runner build "+out.Runner)
	}
	return nil
}

// withPodman connects to Podman for a while.
func withPodman(ctx context.Context, h home.Home, use func(*podman.Driver) error) error {
	dir, err := os.MkdirTemp(h.Run, "build-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // it goes with the next boot
	d, err := podman.New(ctx, podman.Options{
		RunDir: dir, URI: chosenSocket(os.Getenv), UserSocket: userSocket(os.Getenv), Environ: os.Environ(), Log: newLog(),
	})
	if err != nil {
		return err
	}
	return errors.Join(use(d), d.Close())
}
