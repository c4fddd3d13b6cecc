package tree

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/vexa-ai/vexa/pkg/workspace/git"
	"github.com/vexa-ai/vexa/pkg/workspace/object"
)

// level is one open directory of the scan, with what is needed to judge the new
// names in it.
type level struct {
	up    *level
	fd    int
	name  string
	depth int
	rules *rules // of this directory's .gitignore, once it was needed
	out   *bool  // whether the directory itself is ignored, once that was asked
}

// scan reads one directory and those below it into n.children.
func (w *walker) scan(fd int, at *level, n *node) error {
	if err := w.ctx.Err(); err != nil {
		return err
	}
	at.fd = fd
	list, err := w.list(fd, n)
	if err != nil {
		if at.up == nil {
			return fmt.Errorf("read the workspace's directory: %w", err)
		}
		w.reject(n, whyNot(err))
		return nil
	}
	n.children = make([]*node, 0, len(list))
	var fresh []*node
	for _, child := range pair(n, list) {
		if IsGitDir(child.name) {
			if at.up != nil || child.name != ".git" {
				w.refuse(child.path, "a Git directory is never committed")
			}
			continue
		}
		taken, err := w.look(at, child)
		if err != nil {
			return err
		}
		if !taken {
			continue
		}
		n.children = append(n.children, child)
		if child.prev == nil {
			fresh = append(fresh, child)
		}
	}
	if len(fresh) > 0 {
		w.checkTwins(n, fresh)
	}
	return nil
}

// pair makes a node of each of the sorted names of a directory, with what was
// committed under it.
func pair(n *node, list []string) []*node {
	prefix := ""
	if n.path != "" {
		prefix = n.path + "/"
	}
	prev := n.prev.childrenOf()
	nodes := make([]node, len(list))
	out := make([]*node, len(list))
	for i, name := range list {
		for len(prev) > 0 && prev[0].Name < name {
			prev = prev[1:]
		}
		out[i] = &nodes[i]
		out[i].name, out[i].path = name, prefix+name
		if len(prev) > 0 && prev[0].Name == name {
			out[i].prev = &prev[0]
		}
	}
	return out
}

// childrenOf returns the entries of a directory, none of anything else.
func (e *Entry) childrenOf() []Entry {
	if e == nil || e.Mode != object.ModeDir {
		return nil
	}
	return e.Children
}

// list returns the sorted names of a directory, as many as the cap allows.
func (w *walker) list(fd int, n *node) ([]string, error) {
	var all []string
	err := names(fd, func(batch []string) bool {
		if room := w.limits.Files - w.seen; len(batch) > room {
			batch = batch[:max(room, 0)]
			n.partial = true
		}
		w.seen += len(batch)
		all = append(all, batch...)
		return !n.partial
	})
	if n.partial {
		w.refuse(n.path+"/", "the workspace has more than "+strconv.Itoa(w.limits.Files)+" names")
	}
	slices.Sort(all)
	return all, err
}

// look stats one name and reports whether the walk takes it. Directories are
// scanned before it returns.
func (w *walker) look(at *level, n *node) (bool, error) {
	if n.prev == nil {
		if reason := checkName(n.name); reason != "" {
			w.refuse(n.path, reason)
			return false, nil
		}
	}
	var st unix.Stat_t
	if err := unix.Fstatat(at.fd, n.name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		if errors.Is(err, unix.ENOENT) {
			return false, nil
		}
		w.reject(n, whyNot(err))
		return n.prev != nil, nil
	}
	if len(n.path) > git.MaxPath {
		w.reject(n, "its path is longer than "+strconv.Itoa(git.MaxPath)+" bytes")
		return n.prev != nil, nil
	}
	n.stat, n.links = StatOf(&st), uint64(st.Nlink) //nolint:unconvert // its width depends on the platform
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		return w.lookDir(at, n, st.Dev)
	case unix.S_IFREG:
		n.mode = fileMode(st.Mode)
		return w.lookFile(at, n), nil
	case unix.S_IFLNK:
		n.mode = object.ModeLink
		return w.lookFile(at, n), nil
	default:
		w.reject(n, kindName(st.Mode))
		return n.prev != nil, nil
	}
}

func fileMode(mode uint32) uint32 {
	if mode&0o100 != 0 {
		return object.ModeExec
	}
	return object.ModeFile
}

func kindName(mode uint32) string {
	switch mode & unix.S_IFMT {
	case unix.S_IFIFO:
		return "it is a FIFO"
	case unix.S_IFSOCK:
		return "it is a socket"
	case unix.S_IFBLK, unix.S_IFCHR:
		return "it is a device"
	default:
		return "it is not a file"
	}
}

// lookDir scans a directory below at.
func (w *walker) lookDir(at *level, n *node, dev uint64) (bool, error) {
	n.mode = object.ModeDir
	below := &level{up: at, name: n.name, depth: at.depth + 1}
	switch {
	case (n.prev == nil || n.prev.Mode != object.ModeDir) && w.isIgnored(at, n.name, true):
		w.ignored++
		return false, nil
	case isGitattributes(n.name):
		w.reject(n, "Git reads a file of this name, and takes no directory for it")
	case dev != w.dev:
		w.reject(n, "it lies on another file system")
	case below.depth > w.limits.Depth:
		w.reject(n, "it is more than "+strconv.Itoa(w.limits.Depth)+" directories deep")
	default:
		fd, err := openDir(at.fd, n.name)
		if err != nil {
			reason := whyNot(err)
			if reason == "" {
				return false, nil
			}
			w.reject(n, reason)
			break
		}
		defer unix.Close(fd) //nolint:errcheck // it was only read
		if err := w.scan(fd, below, n); err != nil {
			return false, err
		}
	}
	return !n.kept || n.prev != nil, nil
}

// lookFile judges a file or link by its stat alone.
func (w *walker) lookFile(at *level, n *node) bool {
	if n.prev == nil && w.isIgnored(at, n.name, false) {
		w.ignored++
		return false
	}
	clean := w.clean(n)
	switch {
	case clean:
	case n.prev != nil && isGitmodules(n.name):
		w.reject(n, "Git submodules are not supported in a workspace")
		return true
	case n.mode != object.ModeLink && n.stat.Size > w.limits.FileBytes:
		w.reject(n, "it is larger than "+strconv.FormatInt(w.limits.FileBytes, 10)+" bytes")
		return n.prev != nil
	case n.mode != object.ModeLink && w.bytes+n.stat.Size > w.limits.TotalBytes:
		w.reject(n, "the workspace is larger than "+strconv.FormatInt(w.limits.TotalBytes, 10)+" bytes")
		return n.prev != nil
	}
	w.bytes += n.stat.Size
	if n.links > 1 && n.mode != object.ModeLink {
		if w.links == nil {
			w.links = make(map[inode][]*node)
		}
		key := inode{n.stat.Dev, n.stat.Ino}
		w.links[key] = append(w.links[key], n)
	}
	return true
}

// clean reports whether the file is as it was when the previous tree was read.
func (w *walker) clean(n *node) bool {
	return !w.opt.Thorough && n.prev != nil && n.prev.Mode == n.mode && n.prev.Stat == n.stat && n.stat.Ctime != 0
}

// checkTwins refuses new names that some file system would take for another
// name of the directory. What was committed before has precedence, then the
// order of bytes.
func (w *walker) checkTwins(n *node, fresh []*node) {
	taken := make(map[string]string, len(n.children))
	for _, c := range n.children {
		if c.prev != nil {
			taken[fold(c.name)] = c.name
		}
	}
	refused := make(map[*node]bool)
	for _, c := range fresh {
		key := fold(c.name)
		if twin, ok := taken[key]; ok {
			w.refuse(c.path, "its name differs from "+Escape(twin)+" only in case or Unicode form")
			refused[c] = true
			continue
		}
		taken[key] = c.name
	}
	if len(refused) > 0 {
		n.children = slices.DeleteFunc(n.children, func(c *node) bool { return refused[c] })
	}
}

// checkHardLinks refuses files that have a name outside the tree.
func (w *walker) checkHardLinks() {
	var outside []*node
	for _, list := range w.links {
		if list[0].links > uint64(len(list)) {
			outside = append(outside, list...)
		}
	}
	slices.SortFunc(outside, func(a, b *node) int { return strings.Compare(a.path, b.path) })
	for _, n := range outside {
		w.reject(n, "it is a hard link to a file that has a name outside the workspace")
	}
}
