// Package zootest holds the hostile repository zoo: one animal for each way that
// is known for a tree that an agent wrote to make a host's git, or a careless
// reader, run something, read something else, or hang.
//
// The same animals serve four proofs: that an unguarded git, or an ordinary
// read, is bitten; that the tree walker, the seal and the capsule refuse what
// they must, by name, and keep the rest; and that this holds for what is planted
// from inside a container. An animal is planted with system calls alone, so that
// it needs no git where it is planted.
package zootest

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/vexa-ai/vexa/pkg/workspace/object"
)

// Secret is in files outside the tree. It must be in nothing that a tree gave.
const Secret = "secret-9d1c4f"

// Author and time of the commits of every repository that an animal brings.
const author = "mallory <m@example.com> 1700000000 +0000"

// Pen is where animals are planted.
type Pen struct {
	Dir     string // the tree, or a directory of it
	Outside string // beside the tree, made by MakeOutside; the planter need not see it
}

// Canary is a program outside the tree; whoever runs it makes the marker.
func (p Pen) Canary() string { return filepath.Join(p.Outside, "canary.sh") }

// Marker is the file that the canary makes.
func (p Pen) Marker() string { return filepath.Join(p.Outside, "marker") }

// SecretFile is a file outside the tree that holds Secret.
func (p Pen) SecretFile() string { return filepath.Join(p.Outside, "secret.txt") }

// Victim is a repository outside the tree whose file secret.txt holds Secret.
func (p Pen) Victim() string { return filepath.Join(p.Outside, "victim") }

// Bitten reports whether the canary was run.
func (p Pen) Bitten() bool {
	_, err := os.Lstat(p.Marker())
	return err == nil
}

// MakeOutside makes what lies beside the tree.
func (p Pen) MakeOutside() error {
	if err := os.MkdirAll(p.Victim(), 0o755); err != nil {
		return err
	}
	script := fmt.Sprintf("#!/bin/sh\n: >%s\nexec cat 2>/dev/null </dev/null\n", quote(p.Marker()))
	err := repository{files: files{"secret.txt": Secret + "\n"}}.plant(Pen{Dir: p.Victim()}, ".git")
	return errors.Join(err,
		os.WriteFile(p.Canary(), []byte(script), 0o755),
		os.WriteFile(p.SecretFile(), []byte(Secret+"\n"), 0o644))
}

// quote quotes a word for a shell.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// Animal is one hostile thing. Refused and Kept name, unescaped and relative to
// the pen, every path that a seal refuses and commits.
type Animal struct {
	Name    string
	Plant   func(p Pen) error
	Refused map[string]string // path -> a word of the reason
	Kept    []string
	Bite    Bite
	Where   Where
}

// Where says where an animal can live.
type Where uint8

// The places, as a set.
const (
	Anywhere Where = 0
	// HostOnly animals need what a container does not grant.
	HostOnly Where = 1 << iota
	// Mortals are planted only where the planter's permissions bind the reader.
	Mortals
	// Ending animals make the disk watch end their dispatch.
	Ending
)

// Lives reports whether the animal can be planted here, by this process.
func (a Animal) Lives(inside bool) bool {
	return (a.Where&Mortals == 0 || os.Getuid() != 0) && (!inside || a.Where&(HostOnly|Ending) == 0)
}

// Bite is how an animal bites an unguarded reader. One of its proofs is set; the
// steps come first. A step is a command of an ordinary git, by words: "git" runs
// it in the pen's own repository, "in DIR" in one below it, and "host" in a
// repository of the host's own whose work tree is the pen, with the usual guards
// against hooks and the file system monitor.
type Bite struct {
	Steps []string

	Runs   bool     // a step ran the canary
	Shows  string   // the last step printed this
	Takes  []string // an ordinary "git add" takes these
	Stops  bool     // an ordinary "git add" fails, and nothing is committed
	Bends  string   // an ordinary "git add" takes other bytes than the file's
	Reads  string   // an ordinary read of this path gives Secret
	Writes string   // an ordinary write to this path lands outside the tree
	Blocks string   // an ordinary read of this path blocks
	Vast   string   // an ordinary read of this path does not end soon
	Folds  []string // one name on a file system that ignores case or form
	Since  string   // the first git that is bitten, where that is not 2.38
}

// All returns every animal.
func All() []Animal {
	var all []Animal
	for _, house := range [][]Animal{configs(), repositories(), stores(), names(), links(), specials(), attributes()} {
		all = append(all, house...)
	}
	return all
}

// ErrElsewhere reports that this file system or user cannot have the animal.
var ErrElsewhere = errors.New("it cannot be planted here")

// files are texts by path; a path that ends in "!" is executable, a text that
// begins with "->" is that of a symbolic link.
type files map[string]string

func (f files) plant(dir string) error {
	for name, text := range f {
		path := filepath.Join(dir, strings.TrimSuffix(name, "!"))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if target, ok := strings.CutPrefix(text, "->"); ok {
			if err := os.Symlink(target, path); err != nil {
				return err
			}
			continue
		}
		perm := os.FileMode(0o644)
		if strings.HasSuffix(name, "!") {
			perm = 0o755
		}
		if err := os.WriteFile(path, []byte(text), perm); err != nil {
			return err
		}
	}
	return nil
}

// planted is an animal that is nothing but files.
func (f files) planted(p Pen) error { return f.plant(p.Dir) }

// each plants one thing after the other.
func each(steps ...func(Pen) error) func(Pen) error {
	return func(p Pen) error {
		for _, step := range steps {
			if err := step(p); err != nil {
				return err
			}
		}
		return nil
	}
}

// node plants a special file.
func node(name string, mode uint32, dev int) func(Pen) error {
	return func(p Pen) error {
		err := unix.Mknod(filepath.Join(p.Dir, name), mode|0o644, dev)
		if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) {
			return ErrElsewhere
		}
		return err
	}
}

// repository is a Git repository, written without git.
type repository struct {
	files  files  // of its commits; f.md is what changes
	config string // beyond what every repository has
	extra  files  // of the .git directory
	signed bool   // HEAD carries a signature
	bare   bool   // without an index
	alter  func(git string, c commits) error
}

// commits are what every repository holds: main and side both come from base.
type commits struct {
	base, main, side object.ID
	tree             object.ID // main's
	blob             object.ID // main's f.md
}

// plant writes the repository at the path name of the pen, with its files beside
// it; f.md is then changed without a change of its size, so that git looks at it.
func (r repository) plant(p Pen, name string) error {
	git := filepath.Join(p.Dir, name)
	objects := filepath.Join(git, "objects")
	if err := removeAll(git); err != nil {
		return err
	}
	var c commits
	var index []indexed
	for _, v := range []string{"1", "2", "3"} {
		list, err := r.blobs(objects, v)
		if err != nil {
			return err
		}
		tree, err := writeTree(objects, list)
		if err != nil {
			return err
		}
		parent := ""
		if v != "1" {
			parent = "parent " + c.base.String() + "\n"
		}
		sig := ""
		if r.signed && v == "2" {
			sig = "gpgsig -----BEGIN PGP SIGNATURE-----\n \n x\n -----END PGP SIGNATURE-----\n"
		}
		id, err := object.WriteLoose(objects, object.KindCommit,
			fmt.Appendf(nil, "tree %s\n%sauthor %s\ncommitter %s\n%s\nversion %s\n", tree, parent, author, author, sig, v))
		if err != nil {
			return err
		}
		switch v {
		case "1":
			c.base = id
		case "2":
			c.main, c.tree, index = id, tree, list
			c.blob = list[slicesIndex(list, "f.md")].id
		default:
			c.side = id
		}
	}
	top := files{
		"HEAD": "ref: refs/heads/main\n", "refs/heads/main": c.main.String() + "\n", "refs/heads/side": c.side.String() + "\n",
		"objects/info/x": "", "config": "[core]\n\trepositoryformatversion = 0\n\tbare = " + strconv.FormatBool(r.bare) +
			"\n[user]\n\tname = m\n\temail = m@example.com\n" + r.config,
	}
	if !r.bare {
		top["index"] = encodeIndex(index)
	}
	work := files{}
	maps.Copy(work, r.files)
	if !r.bare {
		work["f.md"] = "version 4\n"
	}
	err := errors.Join(top.plant(git), r.extra.plant(git), work.plant(p.Dir))
	if err == nil && r.alter != nil {
		err = r.alter(git, c)
	}
	return err
}

// removeAll takes away what stood there, as an agent does with its own .git.
func removeAll(path string) error { return os.RemoveAll(path) }
