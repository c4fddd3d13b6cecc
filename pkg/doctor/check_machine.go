package doctor

import (
	"bytes"
	"context"
	"debug/elf"
	"fmt"
	"path/filepath"
	"strings"
)

// The room that open workspaces should find, in bytes.
const (
	roomEnough = 1 << 30
	roomLeast  = 64 << 20
)

func checkMemory(_ context.Context, p *probe) Finding {
	if dir := p.o.Env("VEXA_PLAINTEXT_DIR"); dir != "" && !p.root() {
		d, err := p.sys.Disk(dir)
		switch {
		case err != nil:
			return fail("VEXA_PLAINTEXT_DIR: "+err.Error(), "make that directory, or unset the variable").blocks()
		case !d.InMemory:
			return warn("VEXA_PLAINTEXT_DIR is on a disk: what is open can be read there", "set it to a directory on a tmpfs")
		default:
			return room(dir, d)
		}
	}
	for _, dir := range []string{p.runtimeDir(), "/dev/shm"} {
		if dir == "" {
			continue
		}
		if d, err := p.sys.Disk(dir); err == nil && d.InMemory {
			return room(dir, d)
		}
	}
	return fail("neither the runtime directory nor /dev/shm is in memory", "mount a tmpfs on /dev/shm, or set VEXA_PLAINTEXT_DIR").blocks()
}

func room(dir string, d Disk) Finding {
	detail := fmt.Sprintf("%s, %d MB free", dir, d.Free>>20)
	switch {
	case d.Free < roomLeast:
		return fail(detail, "make the tmpfs larger, or set VEXA_PLAINTEXT_DIR").blocks()
	case d.Free < roomEnough:
		return warn(detail+"; large workspaces will not fit", "make the tmpfs larger, or set VEXA_PLAINTEXT_DIR")
	default:
		return ok(detail)
	}
}

func checkGit(ctx context.Context, p *probe) Finding {
	if !p.has("git") {
		return fail("git is not installed", otherSystems(p, "git")...).blocks().needs("git")
	}
	out, err := p.sys.Run(ctx, Command{Argv: []string{"git", "--version"}})
	if err != nil {
		return fail("git does not work: " + err.Error()).blocks()
	}
	words := strings.Fields(string(out))
	if len(words) < 3 || !atLeast(words[2], gitMajor, gitMinor) {
		return fail(fmt.Sprintf("%s is too old, %d.%d is needed", strings.TrimSpace(string(out)), gitMajor, gitMinor), "upgrade it").blocks()
	}
	return ok("git " + words[2])
}

func checkCertificates(_ context.Context, p *probe) Finding {
	for _, path := range []string{
		"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt",
		"/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem", "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
	} {
		if _, err := p.sys.Stat(path); err == nil {
			return ok(path)
		}
	}
	return warn("there are no certificates of authorities", otherSystems(p, "ca-certificates")...).needs("ca-certificates")
}

func checkShellImage(_ context.Context, p *probe) Finding {
	const path = "/bin/busybox"
	data, err := p.sys.ReadFile(path)
	if err != nil {
		return warn("there is no "+path+": the agent has no shell", otherSystems(p, "a static busybox")...).needs("busybox-static")
	}
	if !static(data) {
		return warn(path+" is not static: the agent has no shell", otherSystems(p, "a static busybox")...).needs("busybox-static")
	}
	return ok(path + " is static")
}

func checkBinary(_ context.Context, p *probe) Finding {
	data, err := p.sys.ReadFile(p.o.Self)
	switch {
	case err != nil:
		return Finding{} // whoever may run a program need not be able to read it
	case !static(data):
		return fail(p.o.Self+" is not static", "build it with CGO_ENABLED=0").blocks()
	default:
		return ok(p.o.Self + " is static")
	}
}

// static reports whether data is a program that needs no loader.
func static(data []byte) bool {
	f, err := elf.NewFile(bytes.NewReader(data))
	if err != nil {
		return false
	}
	for _, prog := range f.Progs {
		if prog.Type == elf.PT_INTERP {
			return false
		}
	}
	return true
}

func checkSwap(ctx context.Context, p *probe) Finding {
	var open, kinds []string
	lines := strings.Split(p.text("/proc/swaps"), "\n")
	for _, line := range lines[1:] {
		fields := strings.Fields(line)
		if len(fields) < 2 {
			continue
		}
		name := fields[0]
		kinds = append(kinds, name)
		if !p.encryptedSwap(ctx, name, fields[1]) {
			open = append(open, name)
		}
	}
	switch {
	case len(open) > 0:
		return fail("swap is not encrypted: "+strings.Join(open, ", "),
			"turn it off (swapoff -a, and remove it from /etc/fstab), put it on an encrypted disk, or use zram")
	case len(kinds) == 0:
		return ok("none")
	default:
		return ok("encrypted or in memory: " + strings.Join(kinds, ", "))
	}
}

// encryptedSwap reports whether what is swapped to name cannot be read from a
// disk: it is compressed memory, or lies on dm-crypt.
func (p *probe) encryptedSwap(ctx context.Context, name, kind string) bool {
	if strings.HasPrefix(name, "/dev/zram") {
		return true
	}
	if kind == "file" {
		out, err := p.sys.Run(ctx, Command{Argv: []string{"findmnt", "--noheadings", "--output", "SOURCE", "--target", name}})
		if err != nil {
			return false
		}
		name = strings.TrimSpace(string(out))
	}
	return p.encryptedDevice(p.kernelName(name), 0)
}

// kernelName returns the kernel's name of a block device: dm-0 for
// /dev/mapper/swap.
func (p *probe) kernelName(device string) string {
	base := filepath.Base(device)
	names, err := p.sys.ReadDir("/sys/block")
	if err != nil {
		return base
	}
	for _, n := range names {
		if p.text("/sys/block/"+n+"/dm/name") == base {
			return n
		}
	}
	return base
}

// encryptedDevice looks through layers (LVM on LUKS) for dm-crypt.
func (p *probe) encryptedDevice(name string, depth int) bool {
	const layers = 8
	if depth > layers {
		return false
	}
	if strings.HasPrefix(p.text("/sys/block/"+name+"/dm/uuid"), "CRYPT-") {
		return true
	}
	below, err := p.sys.ReadDir("/sys/block/" + name + "/slaves")
	if err != nil || len(below) == 0 {
		return false
	}
	for _, b := range below {
		if !p.encryptedDevice(b, depth+1) {
			return false
		}
	}
	return true
}
