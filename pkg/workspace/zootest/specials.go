package zootest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// Sparse is the size of the file that has no content, in bytes.
const Sparse = 5 << 30

// specials are what is no plain file, and plain files that are not as they look.
func specials() []Animal {
	special := func(name, why string, plant func(Pen) error, bite Bite) Animal {
		return Animal{
			Name: name, Kept: []string{"ok"}, Refused: map[string]string{"odd": why},
			Plant: each(files{"ok": "ok\n"}.planted, plant), Bite: bite,
		}
	}
	blocks := Bite{Blocks: "odd"}
	device := special("device", "device", node("odd", unix.S_IFCHR, int(unix.Mkdev(1, 5))), Bite{Vast: "odd"})
	device.Where = HostOnly
	whiteout := special("whiteout", "device", node("odd", unix.S_IFCHR, 0), Bite{Shows: "ok", Steps: []string{"host add -A", "host ls-files"}})
	whiteout.Where = HostOnly
	return []Animal{
		special("FIFO", "FIFO", node("odd", unix.S_IFIFO, 0), blocks),
		special("socket", "socket", node("odd", unix.S_IFSOCK, 0), Bite{Shows: "ok", Steps: []string{"host add -A", "host ls-files"}}),
		device, whiteout,
		{
			Name: "FIFOs in the place of what git reads", Kept: []string{"ok"}, Plant: each(files{"ok": "ok\n"}.planted,
				node(".gitignore", unix.S_IFIFO, 0), node(".gitattributes", unix.S_IFIFO, 0)),
			Refused: map[string]string{".gitignore": "FIFO", ".gitattributes": "FIFO"}, Bite: Bite{Blocks: ".gitignore"},
		},
		{
			Name: "directories in the place of what git reads", Kept: []string{".gitignore/x", ".mailmap/z"},
			Plant:   files{".gitignore/x": "*\n", ".gitattributes/y": "* filter=x\n", "gitatt~1/y": "y\n", ".mailmap/z": "z\n"}.planted,
			Refused: map[string]string{".gitattributes": "no directory", "gitatt~1": "no directory"},
			Bite:    Bite{Steps: []string{"host add -A", "host commit -qm x", "host fsck"}, Shows: "gitattributesBlob"},
		},
		special("sparse file of 5 GB", "larger", func(p Pen) error {
			f, err := os.Create(filepath.Join(p.Dir, "odd"))
			if err != nil {
				return err
			}
			return errors.Join(f.Truncate(Sparse), f.Close())
		}, Bite{Vast: "odd"}),
		{
			Name: "modes", Kept: []string{"setuid", "setgid", "sticky", "world", "script", "others"},
			Plant: each(files{"setuid!": "#!/bin/sh\n", "setgid!": "#!/bin/sh\n", "sticky": "x\n", "world": "x\n", "script!": "#!/bin/sh\n", "others": "x\n"}.planted,
				func(p Pen) error {
					return errors.Join(unix.Chmod(filepath.Join(p.Dir, "setuid"), 0o4755), unix.Chmod(filepath.Join(p.Dir, "setgid"), 0o2755),
						unix.Chmod(filepath.Join(p.Dir, "sticky"), 0o1644), unix.Chmod(filepath.Join(p.Dir, "world"), 0o666),
						unix.Chmod(filepath.Join(p.Dir, "others"), 0o655))
				}),
			Bite: Bite{Takes: []string{"setuid"}},
		},
		{
			Name: "extended attributes", Kept: []string{"ok"}, Plant: each(files{"ok": "ok\n"}.planted, func(p Pen) error {
				err := unix.Setxattr(filepath.Join(p.Dir, "ok"), "user.vexa", []byte("x"), 0)
				if errors.Is(err, unix.ENOTSUP) || errors.Is(err, unix.EPERM) {
					return nil // this file system has none
				}
				return err
			}), Bite: Bite{Takes: []string{"ok"}},
		},
		{
			Name: "no permissions", Kept: []string{"ok"}, Where: Mortals | Ending,
			Plant: each(files{"ok": "ok\n", "file": "x\n", "dir/x": "x\n", "blind/x": "x\n"}.planted, func(p Pen) error {
				return errors.Join(os.Chmod(filepath.Join(p.Dir, "file"), 0), os.Chmod(filepath.Join(p.Dir, "dir"), 0),
					os.Chmod(filepath.Join(p.Dir, "blind"), 0o600))
			}),
			Refused: map[string]string{"file": "may not be read", "dir": "may not be read", "blind/x": "may not be read"},
			Bite:    Bite{Stops: true},
		},
		{
			Name: "empty directories", Kept: []string{"ok"}, Plant: each(files{"ok": "ok\n"}.planted, func(p Pen) error {
				return os.MkdirAll(filepath.Join(p.Dir, "a/b/c"), 0o755)
			}), Bite: Bite{Takes: []string{"ok"}},
		},
	}
}

// attributes are files of the tree that tell git to change what it reads, or to
// take long over it.
func attributes() []Animal {
	bends := func(name, attr, text string) Animal {
		return Animal{
			Name: name, Plant: files{".gitattributes": "x.txt " + attr + "\n", "x.txt": text}.planted,
			Kept: []string{".gitattributes", "x.txt"}, Bite: Bite{Bends: "x.txt"},
		}
	}
	return []Animal{
		bends("attribute text", "text", "dos\r\nlines\r\n"),
		bends("attribute eol", "eol=crlf", "dos\r\nlines\r\n"),
		bends("attribute ident", "ident", "$Id: 0123456789012345678901234567890123456789 $\n"),
		bends("attribute working-tree-encoding", "working-tree-encoding=UTF-16LE-BOM", "\xff\xfeh\x00i\x00\n\x00"),
		{
			Name: "attribute export-subst", Plant: files{".gitattributes": "x.txt export-subst\n", "x.txt": "$Format:%an$\n"}.planted,
			Kept: []string{".gitattributes", "x.txt"},
			Bite: Bite{Steps: []string{"host add -A", "host commit -qm x", "host archive --format=tar HEAD x.txt"}, Shows: "zookeeper"},
		},
		{
			Name: "attribute line that git does not read", Kept: []string{"ok"}, Refused: map[string]string{".gitattributes": "longer than Git reads"},
			Plant: files{"ok": "ok\n", ".gitattributes": "x" + strings.Repeat("y", 4000) + " text\n"}.planted,
			Bite:  Bite{Steps: []string{"host add -A", "host commit -qm x", "host fsck"}, Shows: "gitattributesLineLength"},
		},
		{
			Name: "mailmap", Plant: files{".mailmap": "Somebody Else <else@example.com> <zookeeper@example.com>\n"}.planted, Kept: []string{".mailmap"},
			Bite: Bite{Steps: []string{"host add -A", "host commit -qm x", "host -c mailmap.blob=HEAD:.mailmap log --use-mailmap --format=%aN"}, Shows: "Somebody Else"},
		},
		{
			Name: "patterns that take for ever", Kept: []string{".gitignore", strings.Repeat("a", 200)},
			Plant: files{
				".gitignore": strings.Repeat(strings.Repeat("*a", 40)+"b\n", 20) + strings.Repeat("[", 2000) + "\n[!\n\\\n**/**/**/**/x\n" + strings.Repeat("(", 900) + "\n",

				strings.Repeat("a", 200): "x\n",
			}.planted,
			Bite: Bite{Takes: []string{".gitignore"}},
		},
		{
			Name: "content that git reads as its own", Kept: []string{"pack-0.pack", "x.bundle", "x.patch", "objects/info/alternates", "config", "HEAD", "hooks/post-checkout"},
			Plant: files{
				"pack-0.pack": "PACK\x00\x00\x00\x02\xff\xff\xff\xff", "x.bundle": "# v2 git bundle\n", "x.patch": "diff --git a/../../x b/../../x\n",
				"objects/info/alternates": "/\n", "config": "[core]\n\tfsmonitor = x\n", "HEAD": "ref: refs/heads/main\n", "hooks/post-checkout!": "#!/bin/sh\n",
			}.planted,
			Bite: Bite{Takes: []string{"config"}},
		},
	}
}

// Many plants n small files, a thousand to a directory.
func Many(dir string, n int) error {
	for i := range n {
		sub := filepath.Join(dir, fmt.Sprintf("d%03d", i/1000))
		if i%1000 == 0 {
			if err := os.Mkdir(sub, 0o755); err != nil {
				return err
			}
		}
		if err := os.WriteFile(filepath.Join(sub, fmt.Sprintf("f%06d", i)), fmt.Appendf(nil, "file %d\n", i), 0o644); err != nil {
			return err
		}
	}
	return nil
}
