package s3

import (
	"bufio"
	"bytes"
	"errors"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"github.com/vexa-ai/vexa/pkg/fault"
)

// sections are those of a file of AWS's tools: section, key, value. A key below
// another, which is indented, is "outer.inner".
type sections map[string]map[string]string

// readSections reads such a file; one that is not there is empty.
func readSections(path string) (sections, error) {
	if path == "" {
		return sections{}, nil
	}
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return sections{}, nil
	}
	if err != nil {
		return nil, fault.Wrap(fault.Denied, "read "+path, err)
	}
	all, line := parseSections(data)
	if line > 0 {
		return nil, fault.New(fault.Invalid, path+": line "+strconv.Itoa(line)+" is neither [a section] nor a key and its value", "aws configure writes this file")
	}
	return all, nil
}

// parseSections returns the number of the first malformed line, or 0. It says
// nothing of what is in the line, which may be a secret.
func parseSections(data []byte) (sections, int) {
	p := parser{all: sections{}}
	lines := bufio.NewScanner(bytes.NewReader(data))
	lines.Buffer(nil, 1<<20)
	n := 0
	for lines.Scan() {
		n++
		if !p.line(strings.TrimPrefix(lines.Text(), "\ufeff")) {
			return nil, n
		}
	}
	if lines.Err() != nil {
		return nil, n + 1
	}
	return p.all, 0
}

// parser reads a file line by line.
type parser struct {
	all     sections
	section map[string]string // the one that the next key is in, or nil
	outer   string            // the key that indented ones are below, or ""
}

// line reads one line and reports whether it is well-formed.
func (p *parser) line(raw string) bool {
	line := strings.TrimSpace(raw)
	if line == "" || line[0] == '#' || line[0] == ';' {
		return true
	}
	if line[0] == '[' {
		name, ok := sectionName(line)
		if ok && p.all[name] == nil {
			p.all[name] = map[string]string{}
		}
		p.section, p.outer = p.all[name], ""
		return ok
	}
	key, value, ok := strings.Cut(line, "=")
	if !ok || p.section == nil {
		return false
	}
	key, value = strings.ToLower(strings.TrimSpace(key)), strings.TrimSpace(value)
	if indented := raw[0] == ' ' || raw[0] == '\t'; indented && p.outer != "" {
		p.section[p.outer+"."+key] = value
		return true
	}
	p.section[key] = value
	p.outer = ""
	if value == "" {
		p.outer = key
	}
	return true
}

// sectionName reads "[profile  'a'] # comment" as "profile a".
func sectionName(line string) (string, bool) {
	name, _, ok := strings.Cut(line[1:], "]")
	if !ok {
		return "", false
	}
	words := strings.Fields(name)
	for i, w := range words {
		words[i] = strings.Trim(w, `"'`)
	}
	return strings.Join(words, " "), true
}
