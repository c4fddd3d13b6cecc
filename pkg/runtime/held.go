package runtime

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// maxLooks is how many descriptors and mappings one measurement looks at. Five
// hundred processes that have a hundred files open and a thousand mappings each
// stay below it.
const maxLooks = 1 << 20

var errTooMuchOpen = errors.New("its processes hold too many descriptors and mappings")

// holds finds the files that processes hold though their last name is gone: by
// a descriptor of any thread, as their program, or by a mapping.
type holds struct {
	devices map[uint64]bool // of the writable mounts; nothing else counts
	open    map[inode]int64 // bytes of blocks
	mapped  map[inode]int64 // bytes up to the end of the last mapping
	blind   bool            // as in usage
	looks   int
}

type inode struct{ device, number uint64 }

func newHolds() *holds {
	return &holds{devices: map[uint64]bool{}, open: map[inode]int64{}, mapped: map[inode]int64{}}
}

// watch has the files of dir's file system counted.
func (h *holds) watch(dir *os.File) error {
	var st unix.Stat_t
	if err := unix.Fstat(int(dir.Fd()), &st); err != nil {
		return err
	}
	h.devices[st.Dev] = true
	return nil
}

// addTo charges each file once.
func (h *holds) addTo(u *usage) {
	for _, blocks := range h.open {
		u.add(blocks)
	}
	for id, size := range h.mapped {
		if _, known := h.open[id]; !known {
			u.add(size) // what lies beyond the mapping is not told
			h.blind = true
		}
	}
	u.blind = u.blind || h.blind
}

// process looks at every thread of a process, since each may have a table of
// descriptors of its own. A process that has ended holds nothing.
func (h *holds) process(pid int) error {
	threads, err := entries(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil {
		return ended(err)
	}
	last, mapped := "", false
	for _, tid := range threads {
		dir := fmt.Sprintf("/proc/%d/task/%s", pid, tid)
		if last == "" || !sameTable(last, tid) {
			if err := h.table(pid, tid, dir); err != nil {
				return err
			}
			last = tid
		}
		if mapped {
			continue // threads share one address space
		}
		h.stat(dir + "/exe")
		if mapped, err = h.mappings(dir + "/maps"); err != nil {
			return err
		}
	}
	return nil
}

// entries lists a directory of /proc.
func entries(path string) ([]string, error) {
	dir, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	return dir.Readdirnames(-1)
}

// ended takes the error of a process or descriptor that is gone for none.
func ended(err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ESRCH) {
		return nil
	}
	return err
}

// sameTable reports whether two threads share their descriptors. Where the
// kernel does not say they are taken to have their own.
func sameTable(a, b string) bool {
	const kcmpFiles = 2
	x, errX := strconv.Atoi(a)
	y, errY := strconv.Atoi(b)
	if errX != nil || errY != nil {
		return false
	}
	r, _, errno := unix.Syscall6(unix.SYS_KCMP, uintptr(x), uintptr(y), kcmpFiles, 0, 0, 0)
	return errno == 0 && r == 0
}

// table looks at the descriptors of one thread.
func (h *holds) table(pid int, tid, dir string) error {
	fds, err := entries(dir + "/fd")
	if errors.Is(err, fs.ErrPermission) {
		return h.closedTable(pid, tid, dir)
	}
	if err != nil {
		return ended(err)
	}
	for _, fd := range fds {
		if h.looks++; h.looks > maxLooks {
			return errTooMuchOpen
		}
		if h.stat(dir+"/fd/"+fd) == unix.S_IFSOCK {
			h.socket(dir + "/fdinfo/" + fd)
		}
	}
	return nil
}

// closedTable looks at the descriptors of a process that does not let itself be
// dumped, which closes its directory of descriptors to us. Their numbers are
// open to the owner of the user namespace, and so are copies of them.
func (h *holds) closedTable(pid int, tid, dir string) error {
	if zombie(dir) {
		return nil
	}
	fds, err := entries(dir + "/fdinfo")
	if ended(err) == nil && err != nil {
		return nil
	}
	process, openErr := unix.PidfdOpen(pid, 0)
	if err != nil || openErr != nil || tid != strconv.Itoa(pid) {
		h.blind = true // a thread's own table cannot be copied from
		return nil
	}
	defer func() { _ = unix.Close(process) }()
	for _, name := range fds {
		if h.looks++; h.looks > maxLooks {
			return errTooMuchOpen
		}
		fd, err := strconv.Atoi(name)
		if err != nil {
			return err
		}
		dup, err := unix.PidfdGetfd(process, fd, 0)
		if err != nil {
			h.blind = h.blind || !errors.Is(err, unix.EBADF) && !errors.Is(err, unix.ESRCH)
			continue
		}
		var st unix.Stat_t
		if unix.Fstat(dup, &st) == nil {
			h.add(&st)
		}
		_ = unix.Close(dup)
		if st.Mode&unix.S_IFMT == unix.S_IFSOCK {
			h.socket(dir + "/fdinfo/" + name)
		}
	}
	return nil
}

// zombie reports whether a thread has ended.
func zombie(dir string) bool {
	text, err := os.ReadFile(dir + "/stat")
	if err != nil {
		return true
	}
	_, rest, _ := bytes.Cut(text[bytes.LastIndexByte(text, ')')+1:], []byte(" "))
	return bytes.HasPrefix(rest, []byte("Z")) || bytes.HasPrefix(rest, []byte("X"))
}

// stat looks at what a link of /proc leads to and returns its type; 0: it is
// gone.
func (h *holds) stat(link string) uint32 {
	var st unix.Stat_t
	if unix.Stat(link, &st) != nil {
		return 0
	}
	h.add(&st)
	return st.Mode & unix.S_IFMT
}

// add remembers a removed file.
func (h *holds) add(st *unix.Stat_t) {
	if st.Nlink == 0 && h.devices[st.Dev] && st.Mode&unix.S_IFMT == unix.S_IFREG {
		h.open[inode{st.Dev, st.Ino}] = st.Blocks * 512
	}
}

// socket looks whether descriptors are on their way through a socket: no table
// has them, and no size is told.
func (h *holds) socket(info string) {
	text, err := os.ReadFile(info)
	if err != nil {
		return
	}
	for line := range strings.Lines(string(text)) {
		if n, ok := strings.CutPrefix(line, "scm_fds:"); ok && strings.TrimSpace(n) != "0" {
			h.blind = true
		}
	}
}

// mappings looks for removed files in an address space. It reports whether
// there was one: the first thread of a process may have ended before others.
func (h *holds) mappings(path string) (found bool, err error) {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrPermission) {
		h.blind = h.blind || !zombie(strings.TrimSuffix(path, "/maps"))
		return false, nil
	}
	if err != nil {
		return false, ended(err)
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		found = true
		if h.looks++; h.looks > maxLooks {
			return found, errTooMuchOpen
		}
		if id, size, ok := removedMapping(lines.Bytes()); ok && h.devices[id.device] {
			h.mapped[id] = max(h.mapped[id], size)
		}
	}
	return found, ended(lines.Err())
}

// removedMapping reads a line of /proc/PID/maps that maps a file whose name is
// gone: which it is, and how many bytes it has at least if it has no holes. A
// file that is named so by its owner is taken for one.
func removedMapping(line []byte) (id inode, size int64, ok bool) {
	if !bytes.HasSuffix(line, []byte(" (deleted)")) {
		return inode{}, 0, false
	}
	var first, end, offset uint64
	var major, minor uint32
	var perms string
	n, err := fmt.Sscanf(string(line), "%x-%x %s %x %x:%x %d", &first, &end, &perms, &offset, &major, &minor, &id.number)
	if err != nil || n != 7 || end < first {
		return inode{}, 0, false
	}
	id.device = unix.Mkdev(major, minor)
	const most = 1 << 60
	return id, int64(min(offset, most) + min(end-first, most)), true
}
