package deb

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// Package is what is used of an entry of a Packages index.
type Package struct {
	Name, Version string
	Archive       string // which archive's index it is from
	File          string // below that archive's address
	Size          int64
	SHA256        string
	Depends       []string // with Pre-Depends, as they stand: "libc6 (>= 2.36)", "a | b"
	Provides      []string
}

// maxField bounds a line of an index.
const maxField = 1 << 20

// Index is a set of packages by name, the newest of each.
type Index struct {
	packages map[string]Package
	provides map[string][]string // names of the packages that provide a name, sorted
}

// Add reads a Packages index of an archive.
func (x *Index) Add(archive string, r io.Reader) error {
	if x.packages == nil {
		x.packages, x.provides = map[string]Package{}, map[string][]string{}
	}
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxField)
	p := Package{Archive: archive}
	for lines.Scan() {
		line := lines.Text()
		if line == "" {
			x.add(p)
			p = Package{Archive: archive}
			continue
		}
		key, value, ok := strings.Cut(line, ": ")
		if !ok || line[0] == ' ' {
			continue
		}
		if err := p.set(key, value); err != nil {
			return fmt.Errorf("package %s: %s: %w", p.Name, key, err)
		}
	}
	x.add(p)
	return lines.Err()
}

func (p *Package) set(key, value string) (err error) {
	switch key {
	case "Package":
		p.Name = value
	case "Version":
		p.Version = value
	case "Filename":
		p.File = value
	case "SHA256":
		p.SHA256 = value
	case "Size":
		p.Size, err = strconv.ParseInt(value, 10, 64)
	case "Depends", "Pre-Depends":
		p.Depends = append(p.Depends, list(value)...)
	case "Provides":
		p.Provides = list(value)
	}
	return err
}

func list(value string) (out []string) {
	for one := range strings.SplitSeq(value, ",") {
		out = append(out, strings.TrimSpace(one))
	}
	return out
}

func (x *Index) add(p Package) {
	if p.Name == "" {
		return
	}
	if old, ok := x.packages[p.Name]; ok && Compare(old.Version, p.Version) >= 0 {
		return
	}
	x.packages[p.Name] = p
	for _, one := range p.Provides {
		name := bare(one)
		if !slices.Contains(x.provides[name], p.Name) {
			x.provides[name] = append(x.provides[name], p.Name)
			slices.Sort(x.provides[name])
		}
	}
}

// bare is a dependency without its version and architecture.
func bare(dependency string) string {
	name, _, _ := strings.Cut(strings.TrimSpace(dependency), " ")
	name, _, _ = strings.Cut(name, ":")
	return name
}

// Resolve returns the packages named and what they depend on, less without,
// sorted by name. Of alternatives the first that is there is taken, else the
// first package that provides one. Versions are not compared: all are of one
// release.
func (x *Index) Resolve(names, without []string) ([]Package, error) {
	found := map[string]Package{}
	queue := slices.Sorted(slices.Values(names))
	for len(queue) > 0 {
		name := queue[0]
		queue = queue[1:]
		p, ok := x.packages[name]
		if !ok {
			return nil, fmt.Errorf("there is no package %s", name)
		}
		if _, known := found[name]; known {
			continue
		}
		found[name] = p
		for _, dependency := range p.Depends {
			to, skip := x.choose(dependency, found, without)
			if skip {
				continue
			}
			if to == "" {
				return nil, fmt.Errorf("%s depends on %s, which is not there", name, dependency)
			}
			queue = append(queue, to)
		}
	}
	out := make([]Package, 0, len(found))
	for _, p := range found {
		out = append(out, p)
	}
	slices.SortFunc(out, func(a, b Package) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

// choose picks the package for a dependency. It is skipped where one of its
// alternatives is left out, or there already.
func (x *Index) choose(dependency string, found map[string]Package, without []string) (name string, skip bool) {
	for one := range strings.SplitSeq(dependency, "|") {
		one = bare(one)
		if _, there := found[one]; there || slices.Contains(without, one) {
			return "", true
		}
		if _, ok := x.packages[one]; ok && name == "" {
			name = one
		}
		if providers := x.provides[one]; len(providers) > 0 && name == "" {
			name = providers[0]
		}
	}
	return name, false
}
