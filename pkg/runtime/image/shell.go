package image

import (
	"bytes"
	"debug/elf"
	"slices"

	"github.com/vexa-ai/vexa/pkg/fault"
)

const defaultBusybox = "/bin/busybox"

// Applets are the commands that a busybox in an image is called by: what a person expects of a
// shell, as far as Debian's static busybox has it. Network tools, daemons,
// mount and login programs are left out: nothing in the container could use
// them. A name that this host's busybox lacks says so when it is called.
func Applets() []string {
	return []string{
		"[", "[[", "ar", "arch", "ash", "awk", "base64", "basename", "bc", "bunzip2", "bzcat", "bzip2", "cal", "cat",
		"chmod", "cksum", "clear", "cmp", "comm", "cp", "cpio", "cut", "date", "dc", "dd", "df", "diff", "dirname",
		"dos2unix", "du", "echo", "ed", "egrep", "env", "expand", "expr", "factor", "fallocate", "false", "fgrep", "find",
		"fold", "free", "grep", "groups", "gunzip", "gzip", "head", "hexdump", "hostname", "id", "install", "kill",
		"killall", "less", "link", "ln", "ls", "lzcat", "lzma", "md5sum", "mkdir", "mkfifo", "mktemp", "more", "mv",
		"nice", "nl", "nohup", "nproc", "od", "paste", "patch", "pgrep", "pidof", "pkill", "printenv", "printf", "ps",
		"pwd", "readlink", "realpath", "renice", "rev", "rm", "rmdir", "sed", "seq", "setsid", "sh", "sha1sum",
		"sha256sum", "sha3sum", "sha512sum", "shred", "shuf", "sleep", "sort", "split", "stat", "strings", "stty", "sum",
		"sync", "tac", "tail", "tar", "tee", "test", "time", "timeout", "top", "touch", "tr", "true", "truncate",
		"tsort", "tty", "uname", "uncompress", "unexpand", "uniq", "unix2dos", "unlink", "unlzma", "unshare", "unxz",
		"unzip", "uptime", "usleep", "uudecode", "uuencode", "vi", "watch", "wc", "which", "whoami", "xargs", "xxd",
		"xz", "xzcat", "yes", "zcat",
	}
}

func (s Source) busybox() string {
	if s.Busybox != "" {
		return s.Busybox
	}
	return defaultBusybox
}

// shell is the empty image with busybox and its applets in /bin, and /usr/bin/env
// for scripts that begin with it.
func (s Source) shell() ([]byte, error) {
	path := s.busybox()
	const hint = "run vexa doctor --fix (it installs busybox-static)"
	data, err := readBounded(path)
	if err != nil {
		return nil, fault.New(fault.Unavailable, "the shell image needs a static busybox: "+err.Error(), hint)
	}
	static, err := isStatic(data)
	if err != nil {
		return nil, fault.New(fault.Unavailable, path+" is not a program: "+err.Error(), hint)
	}
	if !static {
		return nil, fault.New(fault.Unavailable, path+" is not static", hint)
	}
	entries := append(base(), entry{name: "bin/busybox", mode: 0o755, data: data}, entry{name: "usr/bin/env", link: "/bin/busybox"})
	for _, name := range Applets() {
		entries = append(entries, entry{name: "bin/" + name, link: "busybox"})
	}
	slices.SortStableFunc(entries, func(a, b entry) int { return bytes.Compare([]byte(a.name), []byte(b.name)) })
	return build(entries)
}

// isStatic reports whether an ELF program needs no loader.
func isStatic(data []byte) (bool, error) {
	f, err := elf.NewFile(bytes.NewReader(data))
	if err != nil {
		return false, err
	}
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			return false, nil
		}
	}
	return f.Type == elf.ET_EXEC || f.Type == elf.ET_DYN, nil
}
