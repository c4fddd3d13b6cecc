// Package git is the one place in the code base that starts git, and it starts
// it hardened: an absolute path, an environment made from scratch, a fixed list
// of subcommands, an explicit git directory, guards against every setting that
// could run a program, bounded output and a context for the time.
//
// It is never pointed at a directory that an agent wrote. The guards are a
// second line: a hostile repository can make git run programs whatever the
// guards, so the first line is that host git only opens repositories of
// package workspace.
//
// There are two modes. [Repo.Run] works on this machine alone: git has no
// network, no credential and nothing of the person's. A [Remote] speaks to one
// other repository as the person, with their credentials and their way to the
// host, by three commands that take nothing but names and ids.
package git

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/internal/textform"
)

// The oldest git that has merge-tree --write-tree.
const (
	minMajor = 2
	minMinor = 38
)

// Git is a git binary whose version was checked. It is safe for concurrent use.
type Git struct {
	path    string
	version func() (string, error)
	idle    time.Duration
}

// Options configures New.
type Options struct {
	Path string        // absolute path of git; default: the first of the usual places
	Note string        // a file that notes the version of a binary for the next process; default: none
	Idle time.Duration // how long a process is kept for the next read of an object; default 30 s
}

// New finds git and checks its version. It returns fault.Unavailable where
// there is none that will do.
func New(ctx context.Context, opt Options) (*Git, error) {
	g, err := Later(ctx, opt)
	if err == nil {
		_, err = g.version()
	}
	if err != nil {
		return nil, err
	}
	return g, nil
}

// Later is New for who has something else to do first: git is asked for its
// version meanwhile, and whatever is done with it waits for the answer, and fails
// where New would have.
func Later(ctx context.Context, opt Options) (*Git, error) {
	path, err := find(opt.Path)
	if err != nil {
		return nil, err
	}
	g := &Git{path: path, idle: cmp.Or(opt.Idle, defaultIdle)}
	g.version = sync.OnceValues(func() (string, error) {
		note := noteOf(opt.Note, path)
		if v := note.read(); v != "" {
			return v, nil
		}
		out, err := collect(ctx, g.process(ctx, "/", []string{"version"}), Cmd{Args: []string{"version"}})
		if err != nil {
			return "", fault.Wrap(fault.Unavailable, "ask "+path+" for its version", err)
		}
		v, err := parseVersion(string(out.Stdout))
		if err == nil {
			note.write(v)
		}
		return v, err
	})
	go func() { _, _ = g.version() }()
	return g, nil
}

// Path returns the binary's absolute path.
func (g *Git) Path() string { return g.path }

// Version returns the binary's version, for example "2.39.5".
func (g *Git) Version() string {
	v, _ := g.version()
	return v
}

func find(path string) (string, error) {
	const hint = "install git 2.38 or later"
	if path != "" {
		if !filepath.IsAbs(path) {
			return "", fault.New(fault.Invalid, "the path of git is not absolute: "+path, "")
		}
		return path, nil
	}
	for _, p := range []string{"/usr/bin/git", "/usr/local/bin/git", "/opt/homebrew/bin/git", "/run/current-system/sw/bin/git"} {
		st, err := os.Stat(p)
		if err == nil && st.Mode().IsRegular() && st.Mode()&0o111 != 0 {
			return p, nil
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", fault.Wrap(fault.Unavailable, "look for git", err)
		}
	}
	return "", fault.New(fault.Unavailable, "git is not installed", hint)
}

var versionForm = textform.Regexp(`^git version (([0-9]+)\.([0-9]+)[0-9A-Za-z.+-]*)`)

func parseVersion(line string) (string, error) {
	m := versionForm.FindStringSubmatch(line)
	if m == nil {
		return "", fault.New(fault.Unavailable, "git prints no version: "+strconv.Quote(strings.TrimSpace(line)), "install git 2.38 or later")
	}
	major, err1 := strconv.Atoi(m[2])
	minor, err2 := strconv.Atoi(m[3])
	if err := errors.Join(err1, err2); err != nil {
		return "", fault.Wrap(fault.Unavailable, "read git's version", err)
	}
	if major < minMajor || major == minMajor && minor < minMinor {
		return "", fault.New(fault.Unavailable, "git "+m[1]+" is too old", "install git 2.38 or later")
	}
	return m[1], nil
}
