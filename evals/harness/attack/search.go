package main

import (
	"bytes"
	"compress/zlib"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Limits of what is read of one file, lest one without an end be read for ever.
const (
	mostOfFile   = 64 << 20
	mostOfKernel = 1 << 20
	mostInflated = 4 << 20
)

// searcher looks for canaries and tokens, and for both within what is
// compressed, as Git's objects are.
type searcher struct {
	canary, token *regexp.Regexp
	found         map[string]bool
	files, procs  int
	bytes         int64
	inflated      int
}

func search() error {
	// What is looked for is not spelt out, lest the search find itself.
	s := &searcher{
		canary: regexp.MustCompile("vx-can" + "ary-[a-z]+"), token: regexp.MustCompile(`eyJ[\w-]{10,}\.(eyJ[\w-]+)\.[\w-]{40,}`),
		found: map[string]bool{},
	}
	err := filepath.WalkDir("/", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil: // what cannot be listed is not read
		case path == "/proc/"+strconv.Itoa(os.Getpid()), path == "/proc/self", path == "/proc/thread-self":
			return fs.SkipDir
		case d.IsDir() && filepath.Base(filepath.Dir(path)) == "task":
			return fs.SkipDir // a thread has what its process has
		case d.Type().IsRegular():
			s.file(path)
		}
		return nil //nolint:nilerr // see above
	})
	if err != nil {
		return err
	}
	s.processes()
	list := make([]string, 0, len(s.found))
	for line := range s.found {
		list = append(list, line)
	}
	slices.Sort(list)
	for _, line := range list {
		say("found %s", line)
	}
	say("searched %d files and %d processes, %d MB, %d compressed pieces", s.files, s.procs, s.bytes>>20, s.inflated)
	return nil
}

// file searches one file.
func (s *searcher) file(path string) {
	kernel := strings.HasPrefix(path, "/proc/") || strings.HasPrefix(path, "/sys/")
	name := filepath.Base(path)
	if kernel && (name == "mem" || name == "pagemap" || name == "clear_refs" || strings.HasPrefix(name, "trace_pipe")) {
		return // memory is searched by itself
	}
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOFOLLOW, 0)
	if err != nil {
		return
	}
	defer f.Close()
	most := int64(mostOfFile)
	if kernel {
		most = mostOfKernel
	}
	data, err := io.ReadAll(io.LimitReader(f, most))
	if err != nil && len(data) == 0 {
		return
	}
	s.files++
	s.look(data, path)
	if !kernel && strings.HasPrefix(path, "/.vexa/history/") || strings.Contains(path, "/.git/") {
		s.inflate(data, path)
	}
}

// inflate searches everything in data that is a compressed piece.
func (s *searcher) inflate(data []byte, path string) {
	for i := 0; i+2 < len(data); i++ {
		if data[i] != 0x78 || (int(data[i])<<8|int(data[i+1]))%31 != 0 {
			continue
		}
		r, err := zlib.NewReader(bytes.NewReader(data[i:]))
		if err != nil {
			continue
		}
		if piece, err := io.ReadAll(io.LimitReader(r, mostInflated)); err == nil && len(piece) > 0 {
			s.inflated++
			s.look(piece, path)
		}
	}
}

// look notes what is in data.
func (s *searcher) look(data []byte, where string) {
	s.bytes += int64(len(data))
	for _, c := range s.canary.FindAll(data, -1) {
		s.found[string(c)+" in "+where] = true
	}
	for _, m := range s.token.FindAllSubmatch(data, -1) {
		var claims struct{ Unit string }
		payload, err := base64.RawURLEncoding.DecodeString(string(m[1]))
		if err != nil || json.Unmarshal(payload, &claims) != nil {
			continue
		}
		s.found["a token of "+claims.Unit+" in "+where] = true
	}
}

// processes searches the memory of every other process, and what its
// descriptors lead to.
func (s *searcher) processes() {
	list, err := os.ReadDir("/proc")
	if err != nil {
		return
	}
	for _, e := range list {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		s.procs++
		s.memory(pid)
		fds, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
		if err != nil {
			continue
		}
		for _, fd := range fds {
			link := fmt.Sprintf("/proc/%d/fd/%s", pid, fd.Name())
			if info, err := os.Stat(link); err == nil && info.Mode().IsRegular() {
				s.descriptor(link)
			}
		}
	}
}

// descriptor reads a file through somebody's descriptor of it.
func (s *searcher) descriptor(link string) {
	f, err := os.Open(link)
	if err != nil {
		return
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, mostOfFile))
	if err == nil {
		s.look(data, link)
	}
}

// memory reads what of a process's memory can be read.
func (s *searcher) memory(pid int) {
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		return
	}
	mem, err := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
	if err != nil {
		return // not everywhere may a process look into another
	}
	defer mem.Close()
	where := fmt.Sprintf("the memory of %d", pid)
	for line := range strings.Lines(string(maps)) {
		var from, to uint64
		var mode string
		if n, err := fmt.Sscanf(line, "%x-%x %s", &from, &to, &mode); n != 3 || err != nil || mode[0] != 'r' || to > 1<<62 {
			continue
		}
		for at := from; at < to; at += mostInflated {
			data := make([]byte, min(to-at, mostInflated))
			n, err := mem.ReadAt(data, int64(at))
			s.look(data[:n], where)
			if err != nil {
				break
			}
		}
	}
}
