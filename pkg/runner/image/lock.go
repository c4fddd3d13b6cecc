// Package image makes the images of runners without a container registry: from
// Debian packages and npm tarballs that a lock pins by digest, or from an archive
// that somebody else made.
//
// The format of a lock is [Lock]. A build takes what the lock says and nothing
// else, verifies each byte of it, runs nothing of it on this machine, and makes
// the same image each time: the same inputs are the same digest.
package image

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/internal/configfile"
	"github.com/vexa-ai/vexa/pkg/internal/glob"
	"github.com/vexa-ai/vexa/pkg/internal/textform"
	"github.com/vexa-ai/vexa/pkg/runner/image/store"
)

// lockVersion is the version of the format.
const lockVersion = 1

// Lock says what a runner's image is made of. It has two layers: the system's,
// of Debian packages, which runners share, and the program's, of npm packages.
// System and Program are written by hand; Locked by package relock.
//
// Strings of Program may hold {{cpu}} (x64, arm64), {{machine}} (x86_64, aarch64)
// and {{arch}} (amd64, arm64), which stand for the machine's architecture.
type Lock struct {
	Version int               `json:"version"` // 1
	System  System            `json:"system"`
	Program Program           `json:"program"`
	Locked  map[string]Inputs `json:"locked"` // by architecture, as Go and OCI name it
}

// System is the layer of Debian packages.
type System struct {
	Suites []Suite `json:"suites"` // where versions are looked for, all of them; the newest is taken
	// Packages are those that are wanted, with globs of the files that are kept of
	// each; none: all.
	Packages map[string][]string `json:"packages"`
	Without  []string            `json:"without,omitempty"` // dependencies that are left out
	Drop     []string            `json:"drop,omitempty"`    // globs of files that are left out, of all packages
	Links    map[string]string   `json:"links,omitempty"`   // symbolic links, by path
	// Busybox is the path of a busybox, for whose commands links are made in
	// usr/bin where nothing has the name.
	Busybox string `json:"busybox,omitempty"`
	// Certificates joins the certificates below usr/share/ca-certificates, which a
	// script of the package would do.
	Certificates bool `json:"certificates,omitempty"`
}

// Suite is a part of a Debian archive.
type Suite struct {
	Archive string `json:"archive"` // the last element of a mirror's address: debian or debian-security
	Suite   string `json:"suite"`   // as in bookworm-updates
}

// Program is the layer of npm packages.
type Program struct {
	Packages []NPMPackage      `json:"packages"`
	Links    map[string]string `json:"links,omitempty"` // symbolic links, by path
}

// NPMPackage is an npm package that is wanted. Its scripts are not run and its
// dependencies are not followed.
type NPMPackage struct {
	Name    string   `json:"name"`
	Version string   `json:"version"`        // exactly
	To      string   `json:"to"`             // the directory for its files
	Arch    string   `json:"arch,omitempty"` // of this architecture's images alone
	Keep    []string `json:"keep,omitempty"`
	Drop    []string `json:"drop,omitempty"`
}

// Inputs are the files that the image of one architecture is made of.
type Inputs struct {
	Debian []Debian `json:"debian"`
	NPM    []NPM    `json:"npm"`
}

// Debian pins a package of Debian.
type Debian struct {
	Package string       `json:"package"`
	Version string       `json:"version"`
	Archive string       `json:"archive"`
	File    string       `json:"filename"` // below the archive's address
	Size    int64        `json:"size"`     // bytes
	SHA256  store.Digest `json:"sha256"`
}

// NPM pins a package of npm.
type NPM struct {
	Package   string `json:"package"`
	Version   string `json:"version"`
	Tarball   string `json:"tarball"`   // below the registry's address
	Size      int64  `json:"size"`      // bytes
	Integrity string `json:"integrity"` // sha512- and base64
}

// maxInput bounds one input, bytes: the largest known agent has 167 MB.
const maxInput = 2 << 30

var (
	debianName = textform.Regexp(`^[a-z0-9][a-z0-9.+-]+$`)
	npmName    = textform.Regexp(`^(@[a-z0-9][a-z0-9._-]*/)?[a-z0-9][a-z0-9._-]*$`)
	versionish = textform.Regexp(`^[A-Za-z0-9][A-Za-z0-9.+:~_-]*$`)
	suiteName  = textform.Regexp(`^[a-z0-9][a-z0-9./-]*$`)
)

// ParseLock reads a lock. A member that the format does not have, a digest that
// is none, a path that leads elsewhere or a pin that is missing is
// fault.Invalid, which names it.
func ParseLock(data []byte) (Lock, error) {
	var l Lock
	if err := configfile.Decode(data, &l); err != nil {
		return Lock{}, fault.Wrap(fault.Invalid, "image lock", err)
	}
	if err := l.check(); err != nil {
		return Lock{}, fault.Wrap(fault.Invalid, "image lock", err)
	}
	for _, arch := range slices.Sorted(maps.Keys(l.Locked)) {
		if err := l.checkInputs(arch); err != nil {
			return Lock{}, fault.Wrap(fault.Invalid, "image lock: locked."+arch, err)
		}
	}
	return l, nil
}

// check verifies what was written by hand.
func (l Lock) check() error {
	if l.Version != lockVersion {
		return fmt.Errorf("version %d is not %d", l.Version, lockVersion)
	}
	for _, s := range l.System.Suites {
		if !suiteName.MatchString(s.Archive) || !suiteName.MatchString(s.Suite) || strings.Contains(s.Archive+s.Suite, "..") {
			return fmt.Errorf("system.suites: %q of %q is no suite", s.Suite, s.Archive)
		}
	}
	globs := slices.Clone(l.System.Drop)
	for name, keep := range l.System.Packages {
		if !debianName.MatchString(name) {
			return fmt.Errorf("system.packages: %q is no name of a package", name)
		}
		globs = append(globs, keep...)
	}
	for i, p := range l.Program.Packages {
		if p.To == "" || p.Name == "" || p.Version == "" {
			return fmt.Errorf("program.packages[%d]: name, version and to are wanted", i)
		}
		globs = append(append(globs, p.Keep...), p.Drop...)
	}
	for _, g := range globs {
		if err := glob.Check(g); err != nil {
			return fmt.Errorf("%q: %w", g, err)
		}
	}
	return nil
}

// checkInputs verifies the pins of one architecture.
func (l Lock) checkInputs(arch string) error {
	in := l.Locked[arch]
	debs := map[string]bool{}
	for _, d := range in.Debian {
		switch {
		case !debianName.MatchString(d.Package), !versionish.MatchString(d.Version):
			return fmt.Errorf("%q %q is no package of Debian", d.Package, d.Version)
		case !suiteName.MatchString(d.Archive), !below(d.File):
			return fmt.Errorf("%s: %q of %q is no file of an archive", d.Package, d.File, d.Archive)
		case d.Size <= 0 || d.Size > maxInput:
			return fmt.Errorf("%s: a size of %d bytes", d.Package, d.Size)
		case d.SHA256 == store.Digest{}:
			return fmt.Errorf("%s: sha256 is wanted", d.Package)
		case debs[d.Package]:
			return fmt.Errorf("%s is there twice", d.Package)
		}
		debs[d.Package] = true
	}
	for name := range l.System.Packages {
		if !debs[name] {
			return fmt.Errorf("the package %s is not locked", name)
		}
	}
	wanted := l.Program.For(arch)
	if len(in.NPM) != len(wanted) {
		return fmt.Errorf("%d packages of npm are wanted, %d are locked", len(wanted), len(in.NPM))
	}
	for i, n := range in.NPM {
		want := wanted[i]
		switch {
		case !npmName.MatchString(n.Package), !versionish.MatchString(n.Version), !below(n.Tarball):
			return fmt.Errorf("%q %q is no package of npm", n.Package, n.Version)
		case n.Package != want.Name || n.Version != want.Version:
			return fmt.Errorf("%s %s is wanted, %s %s is locked", want.Name, want.Version, n.Package, n.Version)
		case n.Size <= 0 || n.Size > maxInput:
			return fmt.Errorf("%s: a size of %d bytes", n.Package, n.Size)
		}
		if _, err := store.ParseIntegrity(n.Integrity); err != nil {
			return fmt.Errorf("%s: %w", n.Package, err)
		}
	}
	return nil
}

// below reports whether a path leads to something below where it begins.
func below(p string) bool {
	return p != "" && !path.IsAbs(p) && path.Clean(p) == p && p != ".." && !strings.HasPrefix(p, "../") &&
		!strings.ContainsAny(p, "?#\\% \t\r\n")
}

// For is the packages of an architecture, as they are called there.
func (p Program) For(arch string) (out []NPMPackage) {
	for _, n := range p.Packages {
		if n.Arch != "" && n.Arch != arch {
			continue
		}
		n.Name, n.Version, n.To = forArch(n.Name, arch), forArch(n.Version, arch), forArch(n.To, arch)
		n.Keep, n.Drop = forArchs(n.Keep, arch), forArchs(n.Drop, arch)
		out = append(out, n)
	}
	return out
}

// forArch replaces the names of an architecture. They are Node's (process.arch),
// the kernel's (uname -m) and Go's, which is Debian's too for these.
func forArch(s, arch string) string {
	cpu, machine := arch, arch
	switch arch {
	case "amd64":
		cpu, machine = "x64", "x86_64"
	case "arm64":
		machine = "aarch64"
	}
	return strings.NewReplacer("{{cpu}}", cpu, "{{machine}}", machine, "{{arch}}", arch).Replace(s)
}

func forArchs(list []string, arch string) []string {
	out := slices.Clone(list)
	for i := range out {
		out[i] = forArch(out[i], arch)
	}
	return out
}

// inputs are the pins of an architecture, or fault.NotFound.
func (l Lock) inputs(arch string) (Inputs, error) {
	in, ok := l.Locked[arch]
	if !ok {
		return Inputs{}, fault.New(fault.NotFound, "the lock has nothing for the architecture "+arch,
			"it has "+strings.Join(slices.Sorted(maps.Keys(l.Locked)), ", ")+"; use an image of your own with --from FILE")
	}
	return in, nil
}
