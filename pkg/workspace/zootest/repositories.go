package zootest

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/vexa-ai/vexa/pkg/workspace/object"
)

// repositories are Git directories where none should be: nested ones, which an
// ordinary git records and then runs in, and every spelling of the name.
func repositories() []Animal {
	const why = "Git directory"
	evil := repository{
		files: files{".gitattributes": "* filter=x\n"}, config: "[core]\nfsmonitor = CANARY\n[filter \"x\"]\nclean = CANARY\n",
	}
	sub := func(p Pen) error {
		return evil.in(p).plant(Pen{Dir: filepath.Join(p.Dir, "sub")}, ".git")
	}
	below := []string{"sub/f.md", "sub/.gitattributes"}
	store := func(p Pen) error {
		return repository{bare: true, config: "[core]\nbare = false\nworktree = PEN\nfsmonitor = CANARY\n"}.in(p).plant(p, "store")
	}
	stored := []string{
		"store/HEAD", "store/config", "store/refs/heads/main", "store/refs/heads/side", "store/objects/info/x",
	}
	stored = append(stored, looseOf("store")...)
	list := []Animal{
		{
			Name: "nested repository", Plant: sub, Kept: below, Refused: map[string]string{"sub/.git": why},
			Bite: Bite{Steps: []string{"host add -A", "host status"}, Runs: true},
		},
		{
			Name: "nested repository, taken as a link", Plant: sub, Kept: below, Refused: map[string]string{"sub/.git": why},
			Bite: Bite{Takes: []string{"sub"}},
		},
		{
			Name:  "submodule that must not be ignored",
			Plant: each(sub, files{".gitmodules": "[submodule \"sub\"]\n\tpath = sub\n\turl = ext::x\n\tignore = none\n"}.planted),
			Kept:  below, Refused: map[string]string{"sub/.git": why, ".gitmodules": "submodules"},
			Bite: Bite{Steps: []string{"host add -A", "host -c diff.ignoreSubmodules=all status"}, Runs: true},
		},
		{
			Name: "submodule path with a carriage return", Plant: files{".gitmodules": "[submodule \"x\"]\n\tpath = \"sub\r\"\n\turl = ./x\n"}.planted,
			Refused: map[string]string{".gitmodules": "submodules"}, Bite: Bite{Takes: []string{".gitmodules"}},
		},
		{
			Name: "submodule with an endless URL", Plant: files{".gitmodules": "[submodule \"x\"]\n\tpath = x\n\turl = " + strings.Repeat("a", 2000) + "\n"}.planted,
			Refused: map[string]string{".gitmodules": "submodules"}, Bite: Bite{Takes: []string{".gitmodules"}},
		},
		{
			Name: "git file to a store in the tree", Plant: each(store, files{".git": "gitdir: store\n"}.replacing),
			Kept: stored, Refused: map[string]string{".git": why}, Bite: Bite{Steps: []string{"git status"}, Runs: true},
		},
		{
			Name: "git link to a store in the tree", Plant: each(store, files{".git": "->store"}.replacing),
			Kept: stored, Refused: map[string]string{".git": why}, Bite: Bite{Steps: []string{"git status"}, Runs: true},
		},
		{
			Name: "git file to the host's repository",
			Plant: func(p Pen) error {
				return files{"sub/.git": "gitdir: " + p.Victim() + "/.git\n", "sub/x": "x\n"}.plant(p.Dir)
			},
			Kept: []string{"sub/x"}, Refused: map[string]string{"sub/.git": why},
			Bite: Bite{Steps: []string{"in sub show HEAD:secret.txt"}, Shows: Secret},
		},
		{
			Name: "bare repository in the tree", Plant: store, Kept: stored,
			Bite: Bite{Steps: []string{"in store status"}, Runs: true},
		},
	}
	return append(list, spellings()...)
}

// replacing plants files over what is there.
func (f files) replacing(p Pen) error {
	for name := range f {
		if err := removeAll(filepath.Join(p.Dir, name)); err != nil {
			return err
		}
	}
	return f.plant(p.Dir)
}

// looseOf lists the objects of a repository without files, at the path name.
func looseOf(name string) []string {
	dir, err := os.MkdirTemp("", "vexa-zoo-*")
	if err != nil {
		return nil
	}
	defer removeAll(dir) //nolint:errcheck // a temporary directory
	if err := (repository{bare: true}).plant(Pen{Dir: dir}, name); err != nil {
		return nil
	}
	found, err := filepath.Glob(filepath.Join(dir, name, "objects", "??", "*"))
	if err != nil {
		return nil
	}
	for i := range found {
		found[i] = strings.TrimPrefix(found[i], dir+"/")
	}
	return found
}

// spellings are the names that some file system takes for ".git".
func spellings() []Animal {
	var list []Animal
	for _, name := range []string{
		".GIT", ".Git", "git~1", "GIT~1", ".git ", ".git.", ".git . ", ".git::$INDEX_ALLOCATION", ".git:x",
		".g\u200cit", ".git\u200d", "\ufeff.git", ".\u202egit", `a\.git`, `.git\config`,
	} {
		a := Animal{
			Name: "spelling " + name, Plant: files{name + "/config": "[core]\n", "x": "x\n"}.planted,
			Kept: []string{"x"}, Refused: map[string]string{name: "Git directory"},
			Bite: Bite{Takes: []string{name + "/config"}},
		}
		if strings.ContainsAny(name, "GI~ .:\\") && !strings.ContainsAny(name, "\u200c\u200d\ufeff\u202e") {
			a.Bite = Bite{Stops: true} // the guard against NTFS, which is on by default, ends all of it
		}
		list = append(list, a)
	}
	return list
}

// stores are repositories whose objects are not what they say.
func stores() []Animal {
	loose := func(git string, id object.ID) string {
		name := id.String()
		return filepath.Join(git, "objects", name[:2], name[2:])
	}
	lie := func(name string, alter func(git string, c commits) error, step, shows string) Animal {
		a := hostile(name, repository{alter: alter}, step)
		a.Bite = Bite{Steps: a.Bite.Steps, Shows: shows}
		return a
	}
	const why = "Git directory"
	shown := func(a Animal, shows string) Animal {
		a.Bite = Bite{Steps: a.Bite.Steps, Shows: shows}
		return a
	}
	return []Animal{
		shown(hostile("alternates to another workspace", repository{
			extra: files{"objects/info/alternates": "VICTIM/.git/objects\n"},
		}, "git cat-file -p "+SecretBlob()), Secret),
		{
			Name: "objects that are a link",
			Plant: func(p Pen) error {
				if err := (repository{}).planted(p); err != nil {
					return err
				}
				return files{".git/objects": "->" + p.Victim() + "/.git/objects"}.replacing(p)
			},
			Kept: []string{"f.md"}, Refused: map[string]string{".git": why},
			Bite: Bite{Steps: []string{"git cat-file -p " + SecretBlob()}, Shows: Secret},
		},
		shown(hostile("work tree elsewhere", repository{config: "[core]\nworktree = OUTSIDE\n"}, "git ls-files -o"), "secret.txt"),
		shown(hostile("common directory elsewhere", repository{extra: files{"commondir": "VICTIM/.git\n"}}, "git show main:secret.txt"), Secret),
		lie("replaced objects", func(git string, c commits) error {
			return files{"refs/replace/" + c.main.String(): c.side.String() + "\n"}.plant(git)
		}, "git log", "version 3"),
		lie("grafts", func(git string, c commits) error {
			return files{"info/grafts": c.main.String() + " " + c.side.String() + "\n"}.plant(git)
		}, "git log", "version 3"),
		lie("object that is not its name", func(git string, c commits) error {
			forged, err := object.WriteLoose(filepath.Join(git, "objects"), object.KindBlob, []byte("forged\n"))
			if err != nil {
				return err
			}
			return os.Rename(loose(git, forged), loose(git, c.blob))
		}, "git cat-file -p HEAD:f.md", "forged"),
		lie("commit-graph that lies", func(git string, c commits) error {
			empty, err := object.WriteLoose(filepath.Join(git, "objects"), object.KindTree, nil)
			if err != nil {
				return err
			}
			return files{"objects/info/commit-graph": commitGraph([]object.ID{c.base, c.main, c.side}, empty)}.plant(git)
		}, "git log -1 --format=tree:%T", "tree:4b825dc642cb6eb9a060e54bf8d69288fbee4904"),
	}
}

// SecretBlob is the object id of a file outside the tree.
func SecretBlob() string { return blobID(Secret + "\n") }

func blobID(text string) string {
	id, err := object.Name(object.KindBlob, []byte(text))
	if err != nil {
		return ""
	}
	return id.String()
}
