package bucket_test

import (
	"bytes"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/contract/manifestv1"
	"github.com/vexa-ai/vexa/pkg/seal"
	"github.com/vexa-ai/vexa/pkg/signature"
	"github.com/vexa-ai/vexa/pkg/workspace/blob/mem"
	"github.com/vexa-ai/vexa/pkg/workspace/bucket"
)

var updateExample = flag.Bool("update", false, "make the example of docs/bucket-format.md anew")

const (
	exampleDir = "testdata/example" // the bucket, and Jane's private key beside it
	exampleKey = "testdata/example.key"
	formatDoc  = "../../../docs/bucket-format.md"
)

// TestExampleOfTheFormat: the bucket that docs/bucket-format.md explains byte by
// byte can be read, and is what the document prints of it. It also keeps what
// this version wrote readable by the next.
func TestExampleOfTheFormat(t *testing.T) {
	t.Parallel()
	if *updateExample {
		makeExample(t)
	}
	m := exampleMachine(t)
	st := m.mustFetch()
	if st.Generation != 4 || st.Epoch() != 2 || len(st.Packs) != 2 || st.Refs["refs/heads/main"] == "" {
		t.Fatalf("%+v", st)
	}
	doc, err := os.ReadFile(formatDoc)
	if err != nil {
		t.Fatal(err)
	}
	text := string(doc)
	for name, want := range exampleBlocks(t, m) {
		got, changed := block(t, text, name, want)
		if got == want {
			continue
		}
		if !*updateExample {
			t.Errorf("docs/bucket-format.md, %s:\n%s\nwant\n%s", name, got, want)
		}
		text = changed
	}
	if *updateExample {
		if err := os.WriteFile(formatDoc, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// block returns the fenced block that follows the comment with a name, and the
// document with another in its place.
func block(t *testing.T, doc, name, other string) (got, changed string) {
	t.Helper()
	before, rest, found := strings.Cut(doc, "<!-- example: "+name+" -->\n```")
	info, rest, _ := strings.Cut(rest, "\n")
	got, after, ended := strings.Cut(rest, "```\n")
	if !found || !ended {
		t.Fatalf("docs/bucket-format.md has no example %q", name)
	}
	return got, before + "<!-- example: " + name + " -->\n```" + info + "\n" + other + "```\n" + after
}

// exampleBlocks are the blocks of the document.
func exampleBlocks(t *testing.T, m *machine) map[string]string {
	t.Helper()
	read := func(name string) []byte {
		data, err := os.ReadFile(filepath.Join(exampleDir, name))
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	var names strings.Builder
	err := filepath.WalkDir(exampleDir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			name := strings.TrimPrefix(filepath.ToSlash(path), exampleDir+"/")
			fmt.Fprintf(&names, "%6d  %s\n", len(read(name)), name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	st := m.mustFetch()
	keyring, err := m.who.OpenKeyring(t.Context(), read("k/000001.000001.age"))
	if err != nil {
		t.Fatal(err)
	}
	line := func(g int) []byte {
		text := gunzip(t, m.unsealed(read(fmt.Sprintf("m/%016d", g))))
		return bytes.SplitAfter(text, []byte("\n"))[0]
	}
	stored := read("m/0000000000000003")
	zipped := m.unsealed(stored)
	pack := m.unsealed(read("o/" + st.Packs[1].SHA256[:2] + "/" + st.Packs[1].SHA256))
	key, err := os.ReadFile(exampleKey)
	if err != nil {
		t.Fatal(err)
	}
	return map[string]string{
		"names":      names.String(),
		"key":        string(key),
		"FORMAT":     dump(read("FORMAT")),
		"keyring":    wrapped(string(keyring)),
		"manifest 1": wrapped(string(line(1))),
		"age":        dump(stored[:256]),
		"gzip":       dump(zipped[:32]),
		"manifest 3": wrapped(string(line(3))),
		"signature":  string(bytes.TrimPrefix(gunzip(t, zipped), line(3))),
		"manifest 4": wrapped(string(line(4))),
		"pack":       dump(pack),
	}
}

// wrapped breaks a line of JSON where a reader's eyes can follow; without the
// breaks it is the line.
func wrapped(line string) string {
	var out strings.Builder
	width := 0
	for i, part := range strings.SplitAfter(line, ",") {
		if i > 0 && width+len(part) > 116 {
			out.WriteByte('\n')
			width = 0
		}
		out.WriteString(part)
		width += len(part)
	}
	return strings.TrimSuffix(out.String(), "\n") + "\n"
}

// dump prints bytes as xxd -g1 does.
func dump(data []byte) string {
	var out strings.Builder
	for i := 0; i < len(data); i += 16 {
		row := data[i:min(i+16, len(data))]
		shown := bytes.Clone(row)
		for j, c := range shown {
			if c < ' ' || c > '~' {
				shown[j] = '.'
			}
		}
		fmt.Fprintf(&out, "%08x: % -47x  %s\n", i, row, shown)
	}
	return out.String()
}

// exampleMachine is a machine of Jane's that never saw the example.
func exampleMachine(t *testing.T) *machine {
	t.Helper()
	text, err := os.ReadFile(exampleKey)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	who := personOf(t, lines[len(lines)-1])
	storage := mem.New()
	store := storage.Handle()
	err = filepath.WalkDir(exampleDir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return store.Create(t.Context(), strings.TrimPrefix(filepath.ToSlash(path), exampleDir+"/"), data)
	})
	if err != nil {
		t.Fatal(err)
	}
	m := &machine{tb: t, who: who, state: t.TempDir(), store: store}
	m.reopen()
	return m.withRepo()
}

func personOf(t *testing.T, secret string) *person {
	t.Helper()
	id, err := seal.ParseIdentity(secret)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := signature.Derive(id.String())
	if err != nil {
		t.Fatal(err)
	}
	return &person{id: id, signer: signer}
}

// makeExample makes the example anew: two pushes, and another member with a new
// epoch.
func makeExample(t *testing.T) {
	t.Helper()
	who := newPerson(t)
	m := &machine{tb: t, who: who, state: t.TempDir(), store: mem.New().Handle()}
	opt := options(who, m.store, m.state)
	clock := time.Date(2026, 11, 28, 9, 0, 0, 0, time.UTC)
	opt.Now = func() time.Time {
		clock = clock.Add(5 * time.Minute)
		return clock
	}
	var err error
	if m.bucket, err = bucket.Create(t.Context(), opt, bucket.CreateOptions{Members: []manifestv1.Member{who.member("jane")}}); err != nil {
		t.Fatal(err)
	}
	m.withRepo()
	var days strings.Builder
	for i := range 20 {
		fmt.Fprintf(&days, "day %d: %d otters, %d herons\n", i+1, i*i%7, i*5%11)
	}
	m.mustPush("refs/heads/main", m.commit("otters.md", days.String()))
	m.mustPush("refs/heads/main", m.commit("otters.md", days.String()+"The otters are back.\n"))
	_, err = m.bucket.SetMembership(t.Context(), bucket.Edit(true, func(all *manifestv1.Membership) error {
		joe := newPerson(t).member("joe")
		joe.Rights = []manifestv1.Right{{Refs: "refs/heads/joe/*", Allow: []string{"write"}}}
		all.Members = append(all.Members, joe)
		return nil
	}))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(exampleDir); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(exampleDir), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(exampleDir, os.DirFS(storageOnDisk(t, m.store))); err != nil {
		t.Fatal(err)
	}
	key := "# public key: " + who.id.Recipient() + "\n" + who.id.String() + "\n"
	if err := os.WriteFile(exampleKey, []byte(key), 0o600); err != nil {
		t.Fatal(err)
	}
}
