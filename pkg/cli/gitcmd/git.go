// Package gitcmd holds the commands that make Vexa known to the person's git.
package gitcmd

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/vexa-ai/vexa/pkg/cli/factory"
	"github.com/vexa-ai/vexa/pkg/cli/grammar"
	"github.com/vexa-ai/vexa/pkg/fault"
)

// New returns the command vexa git.
func New(f *factory.Factory) *cobra.Command {
	return grammar.Group("git", "Clone, push and pull workspaces with git itself", newInstall(f))
}

// helperName is what git looks for on the PATH.
const helperName = "git-remote-vexa"

// InstallOptions is what the command line of vexa git install says.
type InstallOptions struct {
	Factory *factory.Factory
	Dir     string
}

func newInstall(f *factory.Factory) *cobra.Command {
	o := &InstallOptions{Factory: f}
	cmd := &cobra.Command{
		Use:   "install",
		Short: "Let git clone, push and pull workspaces",
		Long: "Puts the name git-remote-vexa on the PATH, a link to this program, which git starts for\n" +
			"addresses that begin with vexa::. From then on git is all that is needed, here and on\n" +
			"every machine with the same key:\n\n" +
			"  vexa::NAME                      a workspace of this installation\n" +
			"  vexa::DIR/ID                    a bucket in a directory\n" +
			"  vexa::s3://BUCKET/PREFIX/ID     a bucket in S3\n" +
			"  vexa::https://HOST/REPO.git     a bucket in a Git repository, also file:///REPO.git",
		Example: "$ vexa git install\n$ git clone vexa::notes\n$ vexa git install --dir ~/bin",
		Args:    grammar.Args(),
		RunE:    func(*cobra.Command, []string) error { return runInstall(o) },
	}
	cmd.Flags().StringVar(&o.Dir, "dir", "", "put it into this `directory` (default: where this program is, else ~/.local/bin)")
	return cmd
}

func runInstall(o *InstallOptions) error {
	self, err := os.Executable()
	if err != nil {
		return fault.Wrap(fault.Internal, "find this program", err)
	}
	dir, err := place(o, self)
	if err != nil {
		return err
	}
	link := filepath.Join(dir, helperName)
	if err := put(self, link); err != nil {
		return err
	}
	if err := o.Factory.Printf("%s -> %s\n", link, self); err != nil {
		return err
	}
	if !slices.Contains(filepath.SplitList(o.Factory.Env("PATH")), dir) {
		o.Factory.Warn("%s is not on the PATH, so that git does not find it yet: add it, PATH=%s:$PATH", dir, dir)
	}
	return nil
}

// place chooses the directory: the one that was asked for, that of the program
// where one may write there and the PATH has it, or the person's own.
func place(o *InstallOptions, self string) (string, error) {
	if o.Dir != "" {
		dir, err := filepath.Abs(o.Dir)
		if err != nil {
			return "", fault.Newf(fault.Usage, "find %s: %w", o.Dir, err)
		}
		if st, err := os.Stat(dir); err != nil || !st.IsDir() {
			return "", fault.New(fault.NotFound, "there is no directory "+dir, "make it first, or leave --dir out")
		}
		return dir, nil
	}
	dir := filepath.Dir(self)
	if slices.Contains(filepath.SplitList(o.Factory.Env("PATH")), dir) && writable(dir) {
		return dir, nil
	}
	home := o.Factory.Env("HOME")
	if !filepath.IsAbs(home) {
		return "", fault.New(fault.Usage, "neither the directory of this program can be written nor is HOME set", "name a directory: vexa git install --dir DIR")
	}
	dir = filepath.Join(home, ".local", "bin")
	return dir, fault.Wrap(fault.Denied, "make "+dir, os.MkdirAll(dir, 0o755)) //nolint:gosec // a directory of programs
}

func writable(dir string) bool {
	f, err := os.CreateTemp(dir, ".vexa-*")
	if err != nil {
		return false
	}
	_ = f.Close()
	return os.Remove(f.Name()) == nil
}

// put makes the link, or replaces one; what is no link is not ours.
func put(self, link string) error {
	st, err := os.Lstat(link)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return fault.Wrap(fault.Denied, "look at "+link, err)
	case st.Mode()&fs.ModeSymlink == 0:
		return fault.New(fault.Conflict, link+" is there and is no link of Vexa's", "remove it, or choose another directory with --dir")
	}
	tmp := link + ".new"
	_ = os.Remove(tmp)
	if err := os.Symlink(self, tmp); err != nil {
		return fault.Wrap(fault.Denied, "make "+link, err)
	}
	return fault.Wrap(fault.Denied, "make "+link, os.Rename(tmp, link))
}
