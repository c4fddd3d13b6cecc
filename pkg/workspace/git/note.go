package git

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/vexa-ai/vexa/pkg/internal/atomicfile"
)

// note is what a process tells the next one of a binary's version, while the
// binary is the same file: to ask it would be another process for each push.
type note struct {
	file   string // empty: there is none
	binary string // which it is, and when it was changed last
}

func noteOf(file, path string) note {
	var st unix.Stat_t
	if file == "" || unix.Stat(path, &st) != nil {
		return note{}
	}
	return note{file: file, binary: fmt.Sprintf("%q %d %d %d %d.%09d", path, st.Dev, st.Ino, st.Size, st.Ctim.Sec, st.Ctim.Nsec)}
}

// read returns the version that is noted, and "" where none is.
func (n note) read() string {
	if n.file == "" {
		return ""
	}
	data, err := os.ReadFile(n.file)
	if err != nil {
		return ""
	}
	text, ok := strings.CutPrefix(string(data), n.binary+"\n")
	if !ok {
		return ""
	}
	v, err := parseVersion(text)
	if err != nil {
		return ""
	}
	return v
}

// write notes a version. What fails costs the next process a question.
func (n note) write(version string) {
	if n.file != "" {
		_ = atomicfile.Replace(n.file, []byte(n.binary+"\ngit version "+version+"\n"), 0o600)
	}
}
