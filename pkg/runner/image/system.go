package image

import (
	"bytes"
	"maps"
	"slices"
	"strings"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/internal/glob"
	"github.com/vexa-ai/vexa/pkg/runner/image/npm"
	"github.com/vexa-ai/vexa/pkg/runner/image/tree"
	builtin "github.com/vexa-ai/vexa/pkg/runtime/image"
)

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
