package merge_test

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/vexa-ai/vexa/pkg/workspace/merge"
)

// item is one key of a random mapping, with how it is written.
type item struct {
	key, scalar string
	set         []string
	sub         []*item
	lead        []string // comments above
	note        string   // a comment behind
	flow        bool     // of a set
	gap         int      // empty lines behind
}

type maker struct {
	*rand.Rand

	notes int
}

func (m *maker) comment() string {
	m.notes++
	return fmt.Sprintf("# note %d.", m.notes)
}

func (m *maker) scalar() string {
	forms := []string{
		"word%d", "%d", "0%d", "1.%d0", "'it''s %d'", "\"q \\\" %d\"", "yes", "~", "true", "2024-01-0%d", "é %d, [x]", "a #b %d", "http://x/%d",
		"|\n    # text %d\n\n    y", ">-\n    folded\n    %d", "\"two\n    lines %d\"",
	}
	form := forms[m.IntN(len(forms))]
	if strings.Contains(form, "%d") {
		return fmt.Sprintf(form, m.IntN(4))
	}
	return form
}

func (m *maker) member() string {
	return []string{"a", "b", "'c, c'", "\"d\\u00e9\"", "5", "'5'", "é", "x y", "it's", "1.10"}[m.IntN(10)]
}

func (m *maker) item(key string, depth int) *item {
	it := &item{key: key, flow: m.IntN(2) == 0, gap: m.IntN(4) / 3}
	switch n := m.IntN(10); {
	case n < 2 && depth < 2:
		it.sub = m.items(1+m.IntN(3), depth+1)
	case n < 5:
		it.set = []string{}
		for range m.IntN(4) {
			it.set = append(it.set, m.member())
		}
	default:
		it.scalar = m.scalar()
	}
	if m.IntN(4) == 0 {
		it.lead = []string{m.comment()}
	}
	if m.IntN(5) == 0 {
		it.note = m.comment()
	}
	return it
}

func (m *maker) items(n, depth int) []*item {
	var out []*item
	for i := range n {
		out = append(out, m.item(string(rune('a'+i)), depth))
	}
	return out
}

func clone(items []*item) []*item {
	out := make([]*item, 0, len(items))
	for _, it := range items {
		c := *it
		c.set, c.sub, c.lead = slices.Clone(it.set), clone(it.sub), slices.Clone(it.lead)
		out = append(out, &c)
	}
	return out
}

// edit makes one change.
func (m *maker) edit(items []*item, depth int) []*item {
	if n := m.IntN(8); n == 0 || len(items) == 0 {
		key := string(rune('a' + m.IntN(12)))
		if slices.ContainsFunc(items, func(it *item) bool { return it.key == key }) {
			return items
		}
		return slices.Insert(items, m.IntN(len(items)+1), m.item(key, depth))
	}
	i := m.IntN(len(items))
	it := items[i]
	switch m.IntN(9) {
	case 0:
		return slices.Delete(items, i, i+1)
	case 1:
		it.lead = []string{m.comment()}
	case 2:
		it.note = m.comment()
	case 3:
		it.gap = m.IntN(3)
	case 4:
		it.flow = !it.flow
	case 5:
		items[0], items[i] = items[i], items[0]
	case 6:
		fresh := m.item(it.key, depth)
		it.scalar, it.set, it.sub = fresh.scalar, fresh.set, fresh.sub
	default:
		m.change(it, depth)
	}
	return items
}

func (m *maker) change(it *item, depth int) {
	switch {
	case it.sub != nil:
		it.sub = m.edit(it.sub, depth+1)
	case it.set != nil && (m.IntN(2) == 0 || len(it.set) == 0):
		it.set = append(it.set, m.member())
	case it.set != nil:
		it.set = slices.Delete(it.set, 0, 1)
	default:
		it.scalar = m.scalar()
	}
}

func write(out *strings.Builder, items []*item, pad, step string) {
	for _, it := range items {
		for _, c := range it.lead {
			out.WriteString(pad + c + "\n")
		}
		note := ""
		if it.note != "" {
			note = " " + it.note
		}
		switch {
		case len(it.sub) > 0:
			out.WriteString(pad + it.key + ":" + note + "\n")
			write(out, it.sub, pad+step, step)
		case it.set != nil && (it.flow || len(it.set) == 0):
			out.WriteString(pad + it.key + ": [" + strings.Join(it.set, ", ") + "]" + note + "\n")
		case it.set != nil:
			out.WriteString(pad + it.key + ":" + note + "\n")
			for _, s := range it.set {
				out.WriteString(pad + step + "- " + s + "\n")
			}
		default:
			first, rest, more := strings.Cut(it.scalar, "\n")
			if !more {
				first += note
			} else {
				rest = "\n" + pad + strings.ReplaceAll(rest, "\n    ", "\n    "+pad)
			}
			out.WriteString(pad + it.key + ": " + first + rest + "\n")
		}
		out.WriteString(strings.Repeat("\n", it.gap))
	}
}

func (m *maker) page(items []*item) string {
	var out strings.Builder
	write(&out, items, "", []string{"  ", "    "}[m.IntN(8)/7])
	if m.IntN(2) == 0 {
		return page(out.String())
	}
	return page(out.String() + "# the end\n")
}

// head is a file's frontmatter with its fences; empty where there is none.
func head(text []byte) string {
	s := strings.ReplaceAll(string(text), "\r\n", "\n")
	rest, ok := strings.CutPrefix(s, "---\n")
	i := strings.Index("\n"+rest+"\n", "\n---\n")
	if !ok || i < 0 {
		return ""
	}
	return "---\n" + rest[:i] + "---\n"
}

// flat reads a file's frontmatter as one value for each path; sets are sorted.
func flat(t *testing.T, text []byte) map[string]string {
	t.Helper()
	front := strings.TrimSuffix(head(text), "---\n")
	var doc yaml.Node
	var check map[string]any
	if err := yaml.Unmarshal([]byte(front), &doc); err != nil || front == "" {
		t.Fatalf("%q: %v", text, err)
	}
	if err := yaml.Unmarshal([]byte(front), &check); err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	out := map[string]string{}
	if len(doc.Content) > 0 {
		flatten(out, "", doc.Content[0])
	}
	delete(out, "")
	return out
}

func flatten(out map[string]string, path string, n *yaml.Node) {
	switch n.Kind {
	case yaml.MappingNode:
		out[path] = "mapping"
		for i := 0; i < len(n.Content); i += 2 {
			flatten(out, path+"/"+n.Content[i].Value, n.Content[i+1])
		}
	case yaml.SequenceNode:
		var all []string
		for _, c := range n.Content {
			if c.Tag == "!!null" {
				c.Value = ""
			}
			all = append(all, c.Tag+c.Value)
		}
		slices.Sort(all)
		out[path] = fmt.Sprintf("%q", all)
	default:
		if out[path] = n.Tag + " " + n.Value; n.Tag == "!!null" {
			out[path] = n.Tag
		}
	}
}

func markdown(t *testing.T, base, ours, theirs string) ([]byte, []merge.Conflict) {
	t.Helper()
	got, conflicts, err := merge.Markdown([]byte(base), []byte(ours), []byte(theirs), noBody)
	if err != nil || (got == nil) == (conflicts == nil) {
		t.Fatalf("%q, %v, %v", got, conflicts, err)
	}
	return got, conflicts
}

// TestProperties merges random files and checks what holds for every merge.
func TestProperties(t *testing.T) {
	t.Parallel()
	const rounds, parts = 500, 8
	for part := range uint64(parts) {
		t.Run(fmt.Sprint(part), func(t *testing.T) {
			t.Parallel()
			m := &maker{Rand: rand.New(rand.NewPCG(1, part))}
			clean := 0
			for range rounds {
				items := m.items(m.IntN(8), 0)
				side := func() string {
					mine := clone(items)
					for range 1 + m.IntN(3) {
						mine = m.edit(mine, 0)
					}
					return m.page(mine)
				}
				base, ours, theirs := m.page(items), side(), side()
				if m.IntN(5) == 0 {
					theirs = crlf(theirs)
				}
				if holds(t, base, ours, theirs) {
					clean++
				}
				if t.Failed() {
					t.Fatalf("base:\n%s\nours:\n%s\ntheirs:\n%s", base, ours, theirs)
				}
			}
			t.Logf("%d of %d merged", clean, rounds)
			if clean < rounds/3 {
				t.Errorf("only %d of %d merged", clean, rounds)
			}
		})
	}
}

// holds checks one merge and reports whether it is without conflict.
func holds(t *testing.T, base, ours, theirs string) bool {
	t.Helper()
	for _, x := range []string{ours, theirs} {
		for _, v := range [][3]string{{base, x, base}, {base, base, x}, {base, x, x}} {
			if got, _ := markdown(t, v[0], v[1], v[2]); string(got) != x {
				t.Errorf("one side's change became %q", got)
			}
		}
	}
	got, conflicts := markdown(t, base, ours, theirs)
	swapped, others := markdown(t, base, theirs, ours)
	if (conflicts == nil) != (others == nil) {
		t.Errorf("one way: %q\nthe other way: %q\n%s%s", conflicts, others, got, swapped)
	}
	if conflicts != nil || others != nil {
		return false
	}
	b, o, u, r := flat(t, []byte(base)), flat(t, []byte(ours)), flat(t, []byte(theirs)), flat(t, got)
	if !maps.Equal(r, flat(t, swapped)) {
		t.Errorf("one way:\n%s\nthe other way:\n%s", got, swapped)
	}
	for path := range r {
		if o[path] == "" && u[path] == "" {
			t.Errorf("%s is new", path)
		}
	}
	for _, s := range [][2]map[string]string{{o, u}, {u, o}} {
		changedBy(t, b, s[0], s[1], r)
	}
	for _, side := range []string{ours, theirs} {
		for line := range strings.Lines(side) {
			if _, note, ok := strings.Cut(line, "# note"); ok && !strings.Contains(base, note[:strings.Index(note, ".")+1]) && !bytes.Contains(got, []byte(strings.TrimSpace(note))) {
				t.Errorf("the comment%s is lost:\n%s", note, got)
			}
		}
	}
	return true
}

// changedBy checks every path that mine has changed and other has not.
func changedBy(t *testing.T, base, mine, other, got map[string]string) {
	t.Helper()
	for path, v := range mine {
		if got[path] == "" && (base[path] == "" || other[path] != "") {
			t.Errorf("%s is lost:\n%q", path, got)
		}
		if v != base[path] && other[path] == base[path] && got[path] != v {
			t.Errorf("%s is %q, not %q", path, got[path], v)
		}
	}
	for path, v := range base {
		if mine[path] == "" && other[path] == v && v != "mapping" && got[path] != "" {
			t.Errorf("%s is still there", path)
		}
	}
}

func FuzzMarkdown(f *testing.F) {
	m := &maker{Rand: rand.New(rand.NewPCG(2, 2))}
	for range 30 {
		items := m.items(4, 0)
		f.Add([]byte(m.page(items)), []byte(m.page(m.edit(clone(items), 0))), []byte(m.page(m.edit(clone(items), 0))))
	}
	f.Add([]byte("---\na: &x [b]\n---"), []byte("---\r\n? a\r\n: *x\r\n---\r\n"), []byte("---\n{a: 1}\n---\n"))
	f.Fuzz(func(t *testing.T, base, ours, theirs []byte) {
		got, conflicts, err := merge.Markdown(base, ours, theirs, func(_, ours, _ []byte) ([]byte, bool, error) { return ours, true, nil })
		if err != nil || got != nil && conflicts != nil || conflicts != nil && len(conflicts) == 0 {
			t.Fatalf("%q, %q, %v", got, conflicts, err)
		}
		// A side's own bytes are what they are; whatever was put together reads as YAML.
		if h := head(got); h != "" && h != head(ours) && h != head(theirs) {
			flat(t, got)
		}
		swapped, others, err := merge.Markdown(base, theirs, ours, func(_, _, theirs []byte) ([]byte, bool, error) { return theirs, true, nil })
		if err != nil || (others == nil) != (conflicts == nil) {
			t.Errorf("%q, %q\nthe other way: %q, %q, %v", got, conflicts, swapped, others, err)
		}
	})
}

// BenchmarkMarkdown merges a file of 40 keys that both sides have changed. The
// floor is what it takes to read the three versions.
func BenchmarkMarkdown(b *testing.B) {
	var text strings.Builder
	for i := range 40 {
		fmt.Fprintf(&text, "# about %d\nkey%d: value %d\n", i, i, i)
	}
	front := text.String() + "tags: [a, b, c]\n"
	fronts := []string{front, strings.Replace(front, "value 3\n", "ours\n", 1) + "new: 1\n", strings.Replace(strings.Replace(front, "value 30", "theirs", 1), "b, c", "b, d", 1)}
	var files [3][]byte
	for i, f := range fronts {
		files[i] = []byte(page(f))
	}
	var floor, spent time.Duration
	for b.Loop() {
		start := time.Now()
		for _, f := range fronts {
			var doc yaml.Node
			if err := yaml.Unmarshal([]byte(f), &doc); err != nil {
				b.Fatal(err)
			}
		}
		floor += time.Since(start)
		start = time.Now()
		if _, conflicts, err := merge.Markdown(files[0], files[1], files[2], noBody); conflicts != nil || err != nil {
			b.Fatal(conflicts, err)
		}
		spent += time.Since(start)
	}
	b.ReportMetric(float64(spent.Nanoseconds())/float64(b.N), "ns/op")
	b.ReportMetric(spent.Seconds()/floor.Seconds(), "x-floor")
}
