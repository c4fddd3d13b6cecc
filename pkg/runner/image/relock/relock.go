// Package relock renews the pins of an image's lock from the registries: it
// resolves what the lock wants, of Debian through the indexes of its suites, of
// npm through the registry's metadata. It is for those who maintain runners; a
// build never does this.
package relock

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/ulikunitz/xz"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/runner/image"
	"github.com/vexa-ai/vexa/pkg/runner/image/deb"
	"github.com/vexa-ai/vexa/pkg/runner/image/npm"
	"github.com/vexa-ai/vexa/pkg/runner/image/store"
)

// Verify returns the text that a clear-signed Release file signs, or an error
// where no key that is trusted signed it.
type Verify func(inRelease []byte) ([]byte, error)

// Resolver asks registries.
type Resolver struct {
	Sources image.Sources
	Client  *http.Client
	Verify  Verify
}

// maxAnswer bounds an index or metadata, bytes: Debian's main has 9 MB.
const maxAnswer = 256 << 20

// Resolve returns the pins of what the lock wants, for one architecture.
func (r Resolver) Resolve(ctx context.Context, l image.Lock, arch string) (image.Inputs, error) {
	var in image.Inputs
	var index deb.Index
	for _, s := range l.System.Suites {
		if err := r.suite(ctx, &index, s, arch); err != nil {
			return in, fmt.Errorf("suite %s: %w", s.Suite, err)
		}
	}
	found, err := index.Resolve(slices.Collect(maps.Keys(l.System.Packages)), l.System.Without)
	if err != nil {
		return in, fault.Wrap(fault.NotFound, "resolve the packages of Debian", err)
	}
	for _, p := range found {
		sum, err := store.ParseDigest("sha256:" + p.SHA256)
		if err != nil {
			return in, fmt.Errorf("package %s: %w", p.Name, err)
		}
		in.Debian = append(in.Debian, image.Debian{Package: p.Name, Version: p.Version, Archive: p.Archive, File: p.File, Size: p.Size, SHA256: sum})
	}
	for _, want := range l.Program.For(arch) {
		pin, err := r.npm(ctx, want)
		if err != nil {
			return in, fmt.Errorf("package %s: %w", want.Name, err)
		}
		in.NPM = append(in.NPM, pin)
	}
	return in, nil
}

// suite reads the index of a suite's main component, which its signed Release
// file names by digest.
func (r Resolver) suite(ctx context.Context, x *deb.Index, s image.Suite, arch string) error {
	signed, err := r.get(ctx, r.Sources.DebianAt(s.Archive, "dists/"+s.Suite+"/InRelease"))
	if err != nil {
		return err
	}
	release, err := r.Verify(signed)
	if err != nil {
		return fault.Wrap(fault.Denied, "verify who signed it", err)
	}
	name := "main/binary-" + arch + "/Packages.xz"
	want, err := listed(string(release), name)
	if err != nil {
		return err
	}
	data, err := r.get(ctx, r.Sources.DebianAt(s.Archive, "dists/"+s.Suite+"/"+name))
	if err != nil {
		return err
	}
	if got := store.SHA256(data); got != want {
		return fault.New(fault.Invalid, name+" has the digest "+got.String()+", its Release file says "+want.String(), "try again: the mirror is being updated")
	}
	text, err := xz.NewReader(strings.NewReader(string(data)))
	if err != nil {
		return err
	}
	return x.Add(s.Archive, text)
}

// listed finds the digest of a file in a Release file.
func listed(release, name string) (store.Digest, error) {
	_, sums, _ := strings.Cut(release, "\nSHA256:")
	for line := range strings.Lines(sums) {
		if f := strings.Fields(line); len(f) == 3 && f[2] == name {
			return store.ParseDigest("sha256:" + f[0])
		}
	}
	return store.Digest{}, fault.New(fault.NotFound, "its Release file does not name "+name, "")
}

// npm pins a version. The registry does not say how large a tarball is, so that
// it is asked for it, and verified on the way.
func (r Resolver) npm(ctx context.Context, want image.NPMPackage) (image.NPM, error) {
	data, err := r.get(ctx, r.Sources.NPMAt(npm.Metadata(want.Name, want.Version)))
	if err != nil {
		return image.NPM{}, err
	}
	var v npm.Version
	if err := json.Unmarshal(data, &v); err != nil {
		return image.NPM{}, fault.Wrap(fault.Invalid, "the registry's metadata", err)
	}
	if v.Name != want.Name || v.Version != want.Version {
		return image.NPM{}, fault.New(fault.Invalid, "the registry answered with "+v.Name+" "+v.Version, "")
	}
	if _, err := store.ParseIntegrity(v.Dist.Integrity); err != nil {
		return image.NPM{}, err
	}
	pin := image.NPM{Package: v.Name, Version: v.Version, Tarball: npm.Tarball(v.Name, v.Version), Integrity: v.Dist.Integrity}
	pin.Size, err = r.size(ctx, r.Sources.NPMAt(pin.Tarball))
	return pin, err
}

// size asks for the length of a file.
func (r Resolver) size(ctx context.Context, urls []string) (int64, error) {
	if len(urls) == 0 {
		return 0, errNoSource
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, urls[0], nil)
	if err != nil {
		return 0, err
	}
	res, err := r.Client.Do(req)
	if err != nil {
		return 0, fault.Wrap(fault.Timeout, "ask "+req.URL.Host, err)
	}
	defer res.Body.Close()
	n, err := strconv.ParseInt(res.Header.Get("Content-Length"), 10, 64)
	if res.StatusCode != http.StatusOK || err != nil {
		return 0, fault.Newf(fault.Failed, "%s answers %s and no length", req.URL.Host, res.Status)
	}
	return n, nil
}

var errNoSource = errors.New("no mirror or registry is known")

// get reads a file from the first place that has it.
func (r Resolver) get(ctx context.Context, urls []string) (data []byte, err error) {
	err = errNoSource
	for _, at := range urls {
		if data, err = r.one(ctx, at); err == nil {
			return data, nil
		}
	}
	return nil, err
}

func (r Resolver) one(ctx context.Context, at string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
	if err != nil {
		return nil, err
	}
	res, err := r.Client.Do(req)
	if err != nil {
		return nil, fault.Wrap(fault.Timeout, "ask "+req.URL.Host, err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fault.Newf(fault.NotFound, "%s answers %s", req.URL.Host, res.Status)
	}
	return io.ReadAll(io.LimitReader(res.Body, maxAnswer))
}
