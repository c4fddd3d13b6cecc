package speed

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
)

// history returns a fast-import stream of so many commits of notes, always the
// same one: each commit changes a line in some files and adds a few. 11,500 of
// them are about 137,000 objects.
func history(commits int) []byte {
	r := rand.New(rand.NewPCG(7, 1))
	w := &writer{r: r, files: map[string][]string{}}
	for range 4000 {
		w.words = append(w.words, w.word())
	}
	for c := range commits {
		when := 1_700_000_000 + 60*c
		fmt.Fprintf(&w.out, "commit refs/heads/main\nmark :%d\nauthor Jane <jane@example.org> %d +0000\ncommitter Jane <jane@example.org> %d +0000\ndata 6\nChange\n", c+1, when, when)
		if c > 0 {
			fmt.Fprintf(&w.out, "from :%d\n", c)
		}
		changes := 3
		if c < commits/50 {
			changes = 25
		}
		for range changes {
			w.change(c < commits/50)
		}
	}
	w.out.WriteString("done\n")
	return w.out.Bytes()
}

// writer writes the stream.
type writer struct {
	r     *rand.Rand
	words []string
	files map[string][]string // lines, by path
	paths []string
	out   bytes.Buffer
}

func (w *writer) word() string {
	b := make([]byte, 3+w.r.IntN(7))
	for i := range b {
		b[i] = byte('a' + w.r.IntN(26))
	}
	return string(b)
}

func (w *writer) line() string {
	parts := make([]string, 12)
	for i := range parts {
		parts[i] = w.words[w.r.IntN(len(w.words))]
	}
	return strings.Join(parts, " ")
}

// change adds a file, or changes a line of one.
func (w *writer) change(add bool) {
	var path string
	if add || w.r.IntN(100) < 15 {
		path = fmt.Sprintf("d%02d/s%02d/f%05d.md", w.r.IntN(40), w.r.IntN(20), w.r.IntN(100_000))
		if w.files[path] == nil {
			w.paths = append(w.paths, path)
		}
		lines := make([]string, 8+w.r.IntN(52))
		for i := range lines {
			lines[i] = w.line()
		}
		w.files[path] = lines
	} else {
		path = w.paths[w.r.IntN(len(w.paths))]
		lines := w.files[path]
		lines[w.r.IntN(len(lines))] = w.line()
	}
	text := strings.Join(w.files[path], "\n") + "\n"
	fmt.Fprintf(&w.out, "M 100644 inline %s\ndata %d\n%s\n", path, len(text), text)
}
