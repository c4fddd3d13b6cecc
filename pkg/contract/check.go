package contract

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/vexa-ai/vexa/pkg/contract/ijson"
)

// The gates.
const (
	GateSchema  = "schema"           // goldens validate, invalid examples do not, Go types write goldens as they read them
	GateVersion = "contract-version" // a sealed contract never changes
)

// The least a contract must show.
const (
	minGoldens = 3
	minInvalid = 4
)

// CheckOptions configures Check.
type CheckOptions struct {
	FS   fs.FS // the directory of contracts; nil: those of this binary
	Base Base  // what a change is compared with; nil: the seal alone
}

// Report is what Check found: one result for each contract and gate.
type Report struct {
	Results []Result
}

// Result is what one gate says of one contract.
type Result struct {
	Contract string
	Gate     string
	OK       bool
	Detail   string // what was looked at, or what is wrong
}

// OK reports whether every gate holds.
func (r Report) OK() bool { return len(r.Findings()) == 0 }

// Findings returns what is wrong, one line each.
func (r Report) Findings() []string {
	var lines []string
	for _, res := range r.Results {
		if !res.OK {
			lines = append(lines, res.Contract+": "+res.Gate+": "+res.Detail)
		}
	}
	return lines
}

// Check runs the gates over a directory of contracts.
func Check(ctx context.Context, opt CheckOptions) Report {
	set, err := Embedded()
	if opt.FS != nil {
		set, err = Open(opt.FS)
	}
	if err != nil {
		return Report{[]Result{{Contract: "schemas", Gate: GateSchema, Detail: err.Error()}}}
	}
	var r Report
	if len(set.names) == 0 {
		r.Results = append(r.Results, Result{Contract: "schemas", Gate: GateSchema, Detail: "there is no contract here"})
	}
	for _, name := range set.names {
		r.Results = append(r.Results, set.checkSchema(ctx, name))
	}
	r.Results = append(r.Results, set.checkVersions(ctx, opt.Base)...)
	return r
}

// checkVersions runs the gate contract-version.
func (s *Set) checkVersions(ctx context.Context, base Base) []Result {
	seal, err := s.Sealed()
	if err != nil {
		return []Result{{Contract: SealFile, Gate: GateVersion, Detail: err.Error()}}
	}
	var results []Result
	before := map[string]string{}
	if base != nil {
		at, ok, err := base.Seal(ctx)
		if err != nil {
			results = append(results, Result{Contract: SealFile, Gate: GateVersion, Detail: "cannot compare with the merge base: " + err.Error()})
		}
		if ok {
			before = at
		}
	}
	names := maps.Clone(seal)
	maps.Copy(names, before)
	for _, name := range s.names {
		names[name] = ""
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		results = append(results, s.checkVersion(name, seal, before))
	}
	return results
}

func (s *Set) checkVersion(name string, seal, before map[string]string) Result {
	res := Result{Contract: name, Gate: GateVersion}
	if _, ok := s.each[name]; !ok {
		res.Detail = "it is sealed and gone; a sealed contract stays"
		return res
	}
	digest, err := s.Digest(name)
	if err != nil {
		res.Detail = err.Error()
		return res
	}
	sealed, ok := seal[name]
	was, old := before[name]
	switch {
	case old && was != digest:
		res.Detail = "it was sealed at the merge base and has changed; undo the change and add " + nextVersion(name) + " beside it"
	case !ok:
		res.Detail = "it is not sealed; run vexa contract seal"
	case sealed != digest:
		res.Detail = "it is sealed and has changed; undo the change and add " + nextVersion(name) + " beside it"
	default:
		res.OK, res.Detail = true, "sealed as "+digest[:12]
		if old {
			res.Detail += ", as at the merge base"
		}
	}
	return res
}

// checkSchema runs the gate schema on one contract.
func (s *Set) checkSchema(ctx context.Context, name string) Result {
	res := Result{Contract: name, Gate: GateSchema}
	c := checker{set: s, name: name}
	if err := c.run(ctx); err != nil {
		c.addf("%v", err)
	}
	if len(c.wrong) > 0 {
		res.Detail = strings.Join(c.wrong, "; ")
		return res
	}
	res.OK = true
	res.Detail = fmt.Sprintf("%d shapes, %d goldens, %d invalid examples", len(c.shapes), c.goldens, c.invalid)
	if c.untyped {
		res.Detail += "; this program has no Go type for it"
	}
	return res
}

// checker collects what is wrong with one contract.
type checker struct {
	set     *Set
	name    string
	shapes  []string
	goldens int
	invalid int
	wrong   []string
	covered map[string]bool // shapes with a golden
	untyped bool            // this program knows no Go type of the contract: it is newer
}

func (c *checker) addf(format string, args ...any) {
	c.wrong = append(c.wrong, fmt.Sprintf(format, args...))
}

func (c *checker) run(ctx context.Context) error {
	var err error
	if c.shapes, err = c.set.Shapes(c.name); err != nil {
		return err
	}
	if readme, err := fs.ReadFile(c.set.fsys, path.Join(c.name, "README.md")); err != nil || len(bytes.TrimSpace(readme)) == 0 {
		c.addf("it has no README.md")
	}
	c.covered = map[string]bool{}
	for _, step := range []func() error{c.checkGoldens, c.checkPredecessor, c.checkInvalid} {
		if err := errors.Join(ctx.Err(), step()); err != nil {
			return err
		}
	}
	roots, err := c.set.rootShapes(c.name)
	for _, shape := range roots {
		if !c.covered[shape] {
			c.addf("shape %s has no golden", shape)
		}
	}
	return err
}

// each calls fn with the shape and the bytes of every example in dir.
func (c *checker) each(dir string, fn func(file, shape string, data []byte)) (int, error) {
	files, err := c.set.examples(c.name, dir)
	if err != nil {
		return 0, err
	}
	n := 0
	for _, file := range files {
		data, err := fs.ReadFile(c.set.fsys, path.Join(c.name, dir, file))
		if err != nil {
			return 0, err
		}
		shape, _, _ := strings.Cut(file, ".")
		if dir != predecessorDir && !slices.Contains(c.shapes, shape) {
			c.addf("%s/%s: there is no shape %s", dir, file, shape)
			continue
		}
		n++
		fn(path.Join(dir, file), shape, data)
	}
	return n, nil
}

func (c *checker) checkGoldens() (err error) {
	types := goTypes()
	c.untyped = true
	for id := range types {
		if name, _ := split(id); name == c.name {
			c.untyped = false
		}
	}
	c.goldens, err = c.each(goldenDir, func(file, shape string, data []byte) {
		c.covered[shape] = true
		id := c.name + "#" + shape
		if err := errors.Join(c.set.Validate(id, data), c.set.Validate(c.name, data)); err != nil {
			c.addf("%s does not validate: %v", file, err)
			return
		}
		through, ok := types[id]
		if c.untyped {
			return
		}
		if !ok {
			c.addf("this program has no Go type for %s", id)
			return
		}
		if err := sameThrough(through, data); err != nil {
			c.addf("%s does not pass through its Go type: %v", file, err)
		}
	})
	if c.goldens < minGoldens {
		c.addf("it has %d goldens, not %d", c.goldens, minGoldens)
	}
	return err
}

// sameThrough holds a Go type to writing a text, in canonical form, byte for
// byte as it read it.
func sameThrough(through roundTrip, data []byte) error {
	out, err := through(data)
	if err != nil {
		return err
	}
	want, err := ijson.Canonical(data)
	if err != nil {
		return err
	}
	got, err := ijson.Canonical(out)
	if err != nil {
		return err
	}
	if !bytes.Equal(got, want) {
		i := 0
		for i < min(len(got), len(want)) && got[i] == want[i] {
			i++
		}
		return fmt.Errorf("it comes back as …%s instead of …%s", excerpt(got, i), excerpt(want, i))
	}
	return nil
}

// excerpt returns what of data lies around offset i.
func excerpt(data []byte, i int) []byte {
	return bytes.ToValidUTF8(data[max(0, i-40):min(len(data), i+40)], nil)
}

func (c *checker) checkPredecessor() error {
	_, err := c.each(predecessorDir, func(file, _ string, data []byte) {
		if err := c.set.Validate(c.name, data); err != nil {
			c.addf("%s does not validate: %v", file, err)
		}
	})
	return err
}

// expectFile says of each invalid example which rule it breaks, and where.
const expectFile = "invalid.json"

// expectation is one entry of it.
type expectation struct {
	Pointer string `json:"pointer"`
	Rule    string `json:"rule"`
}

func (c *checker) checkInvalid() error {
	expect := map[string]expectation{}
	data, err := fs.ReadFile(c.set.fsys, path.Join(c.name, expectFile))
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, &expect); err != nil {
		return fmt.Errorf("%s: %w", expectFile, err)
	}
	c.invalid, err = c.each(invalidDir, func(file, shape string, data []byte) {
		want, ok := expect[path.Base(file)]
		if !ok {
			c.addf("%s names no rule for %s", expectFile, file)
			return
		}
		delete(expect, path.Base(file))
		c.checkBroken(file, c.name+"#"+shape, data, want)
	})
	for _, file := range slices.Sorted(maps.Keys(expect)) {
		c.addf("%s names %s, which does not exist", expectFile, file)
	}
	if c.invalid < minInvalid {
		c.addf("it has %d invalid examples, not %d", c.invalid, minInvalid)
	}
	return err
}

// checkBroken holds an example to breaking the rule it is expected to, and no
// other.
func (c *checker) checkBroken(file, id string, data []byte, want expectation) {
	err := c.set.Validate(id, data)
	var e *Error
	switch {
	case err == nil, c.set.Validate(c.name, data) == nil:
		c.addf("%s validates", file)
	case !errors.As(err, &e):
		c.addf("%s: %v", file, err)
	case e.Pointer != want.Pointer || e.Rule != want.Rule:
		c.addf("%s breaks %s at %q, not %s at %q", file, e.Rule, e.Pointer, want.Rule, want.Pointer)
	case len(e.Problems) > 1:
		c.addf("%s breaks more than one rule: %v", file, e.Problems)
	}
}
