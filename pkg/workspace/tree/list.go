package tree

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/vexa-ai/vexa/pkg/workspace/object"
)

// ParseList reads what "git ls-tree -r -t -z --full-tree" prints of the tree
// with the given id. Nothing is known of any file.
func ParseList(root object.ID, text string) (*Index, error) {
	x := &Index{Root: Entry{Mode: object.ModeDir, ID: root}}
	p := &listParser{text: text}
	children, err := p.children("")
	if err != nil {
		return nil, err
	}
	if p.text != "" {
		return nil, fmt.Errorf("git ls-tree: entries out of order at %q", p.text[:min(len(p.text), 80)])
	}
	x.Root.Children = children
	return x, nil
}

type listParser struct{ text string }

// children takes the entries below prefix, which stand together, a directory
// before what it holds.
func (p *listParser) children(prefix string) ([]Entry, error) {
	var list []Entry
	for p.text != "" {
		line, rest, ok := strings.Cut(p.text, "\x00")
		path, e, err := parseLine(line)
		if err != nil || !ok {
			return nil, errors.Join(err, errNotEnded(ok))
		}
		name, below := strings.CutPrefix(path, prefix)
		if !below {
			break
		}
		if !ValidName(name) {
			return nil, fmt.Errorf("the commit has a path that must not be written: %s", Escape(path))
		}
		p.text, e.Name = rest, name
		if e.Mode == object.ModeDir {
			if e.Children, err = p.children(path + "/"); err != nil {
				return nil, err
			}
		}
		list = append(list, e)
	}
	slices.SortFunc(list, func(a, b Entry) int { return strings.Compare(a.Name, b.Name) })
	for i := 1; i < len(list); i++ {
		if list[i].Name == list[i-1].Name {
			return nil, fmt.Errorf("the commit has %s twice", Escape(prefix+list[i].Name))
		}
	}
	return list, nil
}

func errNotEnded(ended bool) error {
	if ended {
		return nil
	}
	return errors.New("git ls-tree: the list is cut short")
}

// parseLine reads "<mode> <type> <id>\t<path>".
func parseLine(line string) (path string, e Entry, err error) {
	head, path, tab := strings.Cut(line, "\t")
	fields := strings.Fields(head)
	if !tab || len(fields) != 3 {
		return "", e, fmt.Errorf("git ls-tree: cannot read %q", line)
	}
	mode, err := strconv.ParseUint(fields[0], 8, 32)
	if err != nil {
		return "", e, fmt.Errorf("git ls-tree: cannot read %q", line)
	}
	switch e.Mode = uint32(mode); e.Mode {
	case object.ModeDir, object.ModeFile, object.ModeExec, object.ModeLink, object.ModeGitlink:
	default: // git wrote 100664 once
		e.Mode = object.ModeFile
	}
	e.ID, err = object.ParseID(fields[2])
	return path, e, err
}
