package zootest

import (
	"errors"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// up climbs out of any tree.
var up = strings.Repeat("../", 40) //nolint:gochecknoglobals // a constant that Go cannot write

// links lead out of the tree, or across it.
func links() []Animal {
	const leaves, climbs, absolute = "leaves", "climbs", "absolute"
	link := func(name, why string, target func(p Pen) string) Animal {
		return Animal{
			Name: name, Refused: map[string]string{"link": why}, Kept: []string{"ok"},
			Plant: func(p Pen) error {
				return files{"ok": "ok\n", "link": "->" + target(p)}.plant(p.Dir)
			},
			Bite: Bite{Reads: "link"},
		}
	}
	out := func(p Pen) string { return up + strings.TrimPrefix(p.SecretFile(), "/") }
	dir := link("link to a directory outside", absolute, func(p Pen) string { return p.Outside })
	dir.Bite = Bite{Reads: "link/secret.txt"}
	write := link("link to write through", absolute, func(p Pen) string { return filepath.Join(p.Outside, "new") })
	write.Bite = Bite{Writes: "link"}
	into := link("link into a Git directory", "Git directory", func(Pen) string { return ".GIT/hooks/post-checkout" })
	into.Bite = Bite{Takes: []string{"link"}}
	proc := link("link to the reader's own files", absolute, func(Pen) string { return "/proc/self/environ" })
	proc.Bite = Bite{Takes: []string{"link"}}
	return []Animal{
		link("absolute link", absolute, Pen.SecretFile),
		link("link that climbs out", leaves, out),
		link("link that climbs after it descends", climbs, func(p Pen) string { return "down/" + up + strings.TrimPrefix(p.SecretFile(), "/") }).with("down/x"),
		dir, write, into, proc,
		{
			Name: "chain of links", Kept: []string{"a/b/x", "l1"},
			Plant: func(p Pen) error {
				return files{"a/b/x": "x\n", "l1": "->a/b", "l2": "->l1/../../../" + out(p)}.plant(p.Dir)
			},
			Refused: map[string]string{"l2": climbs}, Bite: Bite{Reads: "l2"},
		},
		{
			Name: "links that stay", Plant: files{"d/x": "x\n", "d/in": "->../d/x", "loop": "->loop", "dangling": "->nowhere", "dir": "->d"}.planted,
			Kept: []string{"d/x", "d/in", "loop", "dangling", "dir"}, Bite: Bite{Takes: []string{"loop"}},
		},
		{
			Name: "links in the place of what git reads", Kept: []string{"ok"},
			Plant: func(p Pen) error {
				return files{"ok": "ok\n", ".gitignore": "->" + p.SecretFile(), ".gitattributes": "->" + p.SecretFile(), ".mailmap": "->" + p.SecretFile()}.plant(p.Dir)
			},
			Refused: map[string]string{".gitignore": absolute, ".gitattributes": absolute, ".mailmap": absolute}, Bite: Bite{Reads: ".gitignore"},
		},
		{
			Name: "links that stay in the place of what git reads", Kept: []string{"ok", "d/.gitignore", "d/.gitattributes", "d/.mailmap"},
			Plant: files{"ok": "* filter=x\n", "d/.gitignore": "->../ok", "d/.gitattributes": "->../ok", "d/.mailmap": "->../ok"}.planted,
			Bite:  Bite{Takes: []string{"d/.gitattributes"}},
		},
		{
			Name: "link with a text that is not UTF-8", Plant: files{"ok": "ok\n", "link": "->\xff"}.planted, Kept: []string{"ok"},
			Refused: map[string]string{"link": "UTF-8"}, Bite: Bite{Takes: []string{"link"}},
		},
		{
			Name: "link of 4,000 bytes", Plant: files{"link": "->" + strings.Repeat("x/", 2000)}.planted, Kept: []string{"link"},
			Bite: Bite{Takes: []string{"link"}},
		},
		{
			Name: "hard links in the tree", Kept: []string{"a", "d/b"},
			Plant: each(files{"a": "one file\n", "d/x": ""}.planted, func(p Pen) error {
				return errors.Join(os.Remove(filepath.Join(p.Dir, "d/x")), os.Link(filepath.Join(p.Dir, "a"), filepath.Join(p.Dir, "d/b")))
			}),
			Bite: Bite{Takes: []string{"a", "d/b"}},
		},
		{
			Name: "hard link to a file outside", Where: HostOnly, Kept: []string{"ok"}, Refused: map[string]string{"stolen": "hard link"},
			Plant: each(files{"ok": "ok\n"}.planted, func(p Pen) error {
				err := os.Link(p.SecretFile(), filepath.Join(p.Dir, "stolen"))
				if errors.Is(err, unix.EXDEV) || errors.Is(err, unix.EPERM) {
					return ErrElsewhere
				}
				return err
			}),
			Bite: Bite{Reads: "stolen"},
		},
		{
			Name: "hard link into a Git directory", Kept: []string{"ok"}, Refused: map[string]string{"sub/.git": "Git directory", "linked": "hard link"},
			Plant: each(files{"ok": "ok\n", "sub/.git/config": "[core]\n"}.planted, func(p Pen) error {
				return os.Link(filepath.Join(p.Dir, "sub/.git/config"), filepath.Join(p.Dir, "linked"))
			}),
			Bite: Bite{Takes: []string{"linked"}},
		},
	}
}

// with plants a file besides.
func (a Animal) with(path string) Animal {
	a.Plant, a.Kept = each(a.Plant, files{path: "x\n"}.planted), append(a.Kept, path)
	return a
}
