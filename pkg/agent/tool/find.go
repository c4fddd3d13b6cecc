package tool

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"regexp"
	"strings"
)

const (
	maxEntries    = 1000    // that one list returns
	maxMatches    = 200     // that one search returns
	maxMatchLine  = 300     // bytes of a line that are shown
	maxSearchFile = 4 << 20 // bytes of a file that are searched
	maxWalk       = 200_000 // entries that one search looks at
)

type listArgs struct {
	Path  string `json:"path"`
	Depth int    `json:"depth"`
}

func (b *Box) list() builtin {
	return define("list", "List a directory. Directories end with a slash, files are followed by their size.", `{
  "type": "object",
  "properties": {
    "path": {"type": "string", "description": "directory; the working directory if left out"},
    "depth": {"type": "integer", "description": "levels to list, 1 if left out"}
  }
}`, func(ctx context.Context, a listArgs) (string, error) {
		p, err := b.places.open(a.Path)
		if err != nil {
			return "", err
		}
		defer p.close()
		if info, err := p.root.Stat(p.rel); err != nil {
			return "", explain(err, p.name)
		} else if !info.IsDir() {
			return "", fmt.Errorf("%s is no directory: use read", p.name)
		}
		return listTree(ctx, p, max(a.Depth, 1))
	})
}

func listTree(ctx context.Context, p place, depth int) (string, error) {
	var out strings.Builder
	entries := 0
	err := walk(ctx, p, func(rel string, d fs.DirEntry) error {
		if entries++; entries > maxEntries {
			out.WriteString("[there is more: list one of the directories]\n")
			return fs.SkipAll
		}
		switch {
		case d.IsDir():
			fmt.Fprintf(&out, "%s/\n", rel)
			if strings.Count(rel, "/")+1 >= depth {
				return fs.SkipDir
			}
		case d.Type().IsRegular():
			size := int64(0)
			if info, err := d.Info(); err == nil {
				size = info.Size()
			}
			fmt.Fprintf(&out, "%s  %d\n", rel, size)
		default:
			fmt.Fprintf(&out, "%s  (%s)\n", rel, kind(d.Type()))
		}
		return nil
	})
	if err != nil {
		return "", err
	}
	if entries == 0 {
		return "(empty)", nil
	}
	return out.String(), nil
}

func kind(m fs.FileMode) string {
	if m&fs.ModeSymlink != 0 {
		return "link"
	}
	return "special"
}

// walk visits what is below p in lexical order, with paths relative to p. Git's
// own directories and what cannot be read are left out.
func walk(ctx context.Context, p place, visit func(rel string, d fs.DirEntry) error) error {
	seen := 0
	return fs.WalkDir(p.root.FS(), p.rel, func(name string, d fs.DirEntry, err error) error {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil || name == p.rel {
			return nil //nolint:nilerr // an unreadable directory is as good as empty
		}
		if d.Name() == ".git" {
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if seen++; seen > maxWalk {
			return fs.SkipAll
		}
		rel := name
		if p.rel != "." {
			rel = strings.TrimPrefix(name, p.rel+"/")
		}
		return visit(rel, d)
	})
}

type searchArgs struct {
	Pattern    string `json:"pattern"`
	Path       string `json:"path"`
	Regexp     bool   `json:"regexp"`
	IgnoreCase bool   `json:"ignoreCase"`
	Name       string `json:"name"`
}

func (b *Box) search() builtin {
	return define("search", "Search the text of files. Returns path:line: text of each matching line.", `{
  "type": "object",
  "properties": {
    "pattern": {"type": "string", "description": "text, or with regexp an RE2 regular expression"},
    "path": {"type": "string", "description": "file or directory; the working directory if left out"},
    "regexp": {"type": "boolean"},
    "ignoreCase": {"type": "boolean"},
    "name": {"type": "string", "description": "glob of the file names to search, such as *.md"}
  },
  "required": ["pattern"]
}`, func(ctx context.Context, a searchArgs) (string, error) {
		match, err := compile(a)
		if err != nil {
			return "", err
		}
		if _, err := path.Match(a.Name, ""); err != nil {
			return "", fmt.Errorf("name is no glob: %w", err)
		}
		p, err := b.places.open(a.Path)
		if err != nil {
			return "", err
		}
		defer p.close()
		info, err := p.root.Stat(p.rel)
		if err != nil {
			return "", explain(err, p.name)
		}
		s := &searcher{place: p, match: match}
		if info.IsDir() {
			err = s.tree(ctx, a.Name)
		} else {
			err = s.file(p.rel, path.Base(p.rel))
		}
		if err != nil && !errors.Is(err, fs.SkipAll) {
			return "", err
		}
		if s.found == 0 {
			return "nothing found", nil
		}
		return s.out.String(), nil
	})
}

func compile(a searchArgs) (*regexp.Regexp, error) {
	if a.Pattern == "" {
		return nil, errors.New("pattern is empty")
	}
	expr := a.Pattern
	if !a.Regexp {
		expr = regexp.QuoteMeta(expr)
	}
	if a.IgnoreCase {
		expr = "(?i)" + expr
	}
	re, err := regexp.Compile(expr)
	if err != nil {
		return nil, fmt.Errorf("pattern is no regular expression: %w", err)
	}
	return re, nil
}

type searcher struct {
	place place
	match *regexp.Regexp
	out   strings.Builder
	found int
}

func (s *searcher) tree(ctx context.Context, glob string) error {
	return walk(ctx, s.place, func(rel string, d fs.DirEntry) error {
		if !d.Type().IsRegular() {
			return nil
		}
		if glob != "" {
			if ok, _ := path.Match(glob, d.Name()); !ok {
				return nil
			}
		}
		if info, err := d.Info(); err != nil || info.Size() > maxSearchFile {
			return nil //nolint:nilerr // it is gone, or too large to be text a person wrote
		}
		return s.file(path.Join(s.place.rel, rel), rel)
	})
}

// file searches one file; it returns fs.SkipAll when enough was found.
func (s *searcher) file(name, shown string) error {
	f, err := s.place.root.Open(name)
	if err != nil {
		return nil
	}
	defer f.Close()
	in := bufio.NewReaderSize(io.LimitReader(f, maxSearchFile), sniff)
	if head, err := in.Peek(sniff); (err != nil && !errors.Is(err, io.EOF)) || !isText(head) {
		return nil
	}
	for number := 1; ; number++ {
		line, more, err := nextLine(in)
		if err != nil || (line == "" && !more) {
			return nil
		}
		line = strings.TrimRight(line, "\r\n")
		if !s.match.MatchString(line) {
			continue
		}
		if s.found++; s.found > maxMatches {
			s.out.WriteString("[there is more: narrow the search]\n")
			return fs.SkipAll
		}
		fmt.Fprintf(&s.out, "%s:%d: %s\n", shown, number, strings.ToValidUTF8(clip(line, maxMatchLine), "\uFFFD"))
	}
}
