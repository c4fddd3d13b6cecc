package image_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/runner"
	"github.com/vexa-ai/vexa/pkg/runner/image"
	"github.com/vexa-ai/vexa/pkg/runner/image/imagetest"
)

func TestParseLock(t *testing.T) {
	t.Parallel()
	w := imagetest.NewWorld(t, arch, nil)
	good := string(w.LockJSON(t))
	if _, err := image.ParseLock([]byte(good)); err != nil {
		t.Fatal(err)
	}
	integrity := w.Lock.Locked[arch].NPM[0].Integrity
	for name, change := range map[string][2]string{
		"unknown member":      {`"version": 1`, `"version": 1, "extra": 2`},
		"another version":     {`"version": 1`, `"version": 2`},
		"two values":          {`{`, `{} {`},
		"path out":            {"pool/base_1.deb", "../pool/base_1.deb"},
		"absolute path":       {"pool/base_1.deb", "/pool/base_1.deb"},
		"query":               {"pool/base_1.deb", "pool/base_1.deb?x=y"},
		"another host":        {"@acme/tool/-/tool-1.2.3.tgz", "//evil.example/x.tgz"},
		"no digest":           {`"sha256:`, `"sha1:`},
		"no integrity":        {integrity, "sha512-x"},
		"old integrity":       {integrity, "sha1-2jmj7l5rSw0yVb/vlWAYkK/YBwk="},
		"not locked":          {`"package": "certs"`, `"package": "other"`},
		"twice":               {`"package": "certs"`, `"package": "base"`},
		"another npm version": {`"version": "1.2.3"`, `"version": "1.2.4"`},
		"name of a package":   {`"package": "base"`, `"package": "ba se"`},
		"glob":                {`"usr/share/doc/**"`, `"usr/["`},
		"archive":             {`"archive": "debian"`, `"archive": "../x"`},
	} {
		bad := strings.Replace(good, change[0], change[1], 1)
		if bad == good {
			t.Fatalf("%s: nothing was changed", name)
		}
		if _, err := image.ParseLock([]byte(bad)); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSources(t *testing.T) {
	t.Parallel()
	root, config := t.TempDir(), t.TempDir()
	write := func(path, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	env := map[string]string{}
	find := func(flags image.Sources) image.Sources {
		t.Helper()
		s, err := image.Find(flags, func(name string) string { return env[name] }, config, root)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	expect := func(got image.Sources, npm string, debian ...string) {
		t.Helper()
		if got.NPM != npm || !slices.Equal(got.Debian, debian) {
			t.Errorf("got %+v, want %q and %q", got, npm, debian)
		}
	}
	expect(find(image.Sources{}), "") // a machine that names none
	write(filepath.Join(root, "etc/apt/sources.list"), "# deb http://comment.example/debian x main\ndeb [arch=amd64] http://one.example/debian/ bookworm main\ndeb cdrom:[x]/ y main\n")
	write(filepath.Join(root, "etc/apt/sources.list.d/a.sources"), "Types: deb\nURIs: https://two.example/debian-security http://one.example/debian\nSuites: x\n")
	write(filepath.Join(root, "etc/apt/sources.list.d/b.list"), "deb https://vendor.example/apt x main\n")
	write(filepath.Join(root, "etc/npmrc"), "fund=false\nregistry = \"https://npm.example/\"\n")
	s := find(image.Sources{})
	expect(s, "https://npm.example/", "http://one.example/debian", "https://two.example/debian-security")
	if got := s.DebianAt("debian-security", "pool/x"); !slices.Equal(got, []string{"https://two.example/debian-security/pool/x"}) {
		t.Errorf("security: %q", got)
	}
	if got := s.NPMAt("a/-/a-1.tgz"); !slices.Equal(got, []string{"https://npm.example/a/-/a-1.tgz"}) {
		t.Errorf("npm: %q", got)
	}
	write(filepath.Join(config, image.SourcesFile), `{"version": 1, "debian": ["https://file.example/debian"], "npm": "https://file.example/npm"}`)
	expect(find(image.Sources{}), "https://file.example/npm", "https://file.example/debian")
	env[image.EnvDebian], env[image.EnvNPM] = "https://env.example/debian https://env.example/b", "https://env.example/npm"
	s = find(image.Sources{})
	expect(s, "https://env.example/npm", "https://env.example/debian", "https://env.example/b")
	if got := s.DebianAt("debian", "x"); len(got) != 2 {
		t.Errorf("an address of no archive's name serves all: %q", got)
	}
	expect(find(image.Sources{Debian: []string{"http://flag.example/debian"}, NPM: "http://flag.example"}), "http://flag.example", "http://flag.example/debian")
	for _, bad := range []string{"file:///etc", "ftp://x/debian", "nonsense", "http://"} {
		if _, err := image.Find(image.Sources{NPM: bad}, func(string) string { return "" }, t.TempDir(), root); !fault.Is(err, fault.Usage) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	write(filepath.Join(config, image.SourcesFile), `{"version": 1, "mirror": "x"}`)
	if _, err := image.Find(image.Sources{}, func(string) string { return "" }, config, root); !fault.Is(err, fault.Invalid) || fault.HintOf(err) == "" {
		t.Errorf("a file with an unknown member: %v", err)
	}
}

func TestContainerfile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "Containerfile")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	digest := "@sha256:" + strings.Repeat("0a", 32)
	write("# FROM x\nFROM --platform=linux/amd64 docker.example/debian:12" + digest + " AS base\nRUN x\nfrom base\nFROM scratch\n")
	file, err := image.OpenContainerfile(path)
	if err != nil || file.Name() != "Containerfile" {
		t.Fatalf("%v", err)
	}
	if err := os.Symlink("/etc/passwd", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(dir, ".git/objects"), 0o755); err != nil {
		t.Fatal(err)
	}
	var buf strings.Builder
	if err := file.WriteContext(&buf); err != nil {
		t.Fatal(err)
	}
	files, names := members(t, []byte(buf.String()))
	if !slices.Equal(names, []string{"Containerfile", "link"}) || string(files["link"]) != "-> /etc/passwd" {
		t.Errorf("the build is given %q", files)
	}
	for _, bad := range []string{"FROM debian\n", "FROM debian:12\n", "FROM debian@sha256:00\n", "FROM ${BASE}\n", "FROM\n", "FROM later\nFROM x" + digest + " AS later\n"} {
		write(bad)
		if _, err := image.OpenContainerfile(path); !fault.Is(err, fault.Invalid) || fault.HintOf(err) == "" || !strings.Contains(err.Error(), ":1:") {
			t.Errorf("%q: %v", bad, err)
		}
	}
	for _, good := range []string{
		"FROM scratch AS a\nFROM scratch\nCOPY --from=a --chmod=755 x /x\nCOPY --from=0 x /x\nADD --from=x" + digest + " x /x\n",
		"# syntax=docker/dockerfile:1\n# escape=\\\nFROM scratch AS a\nFROM scratch\nRUN --mount=type=bind,from=a,target=/x \\\n  --mount=type=cache,target=/y \\\n\n  # a comment\n  make --from=alpine\n",
		"\ufeffFROM scratch\nRUN x \\\n && y\n",
		"FROM scratch AS a\nRUN <<-E sh\n\techo \\\n\tE\nFROM scratch AS b\nCOPY --from=a x /x\nCOPY <<F /x\nF\nFROM b\n",
	} {
		write(good)
		if _, err := image.OpenContainerfile(path); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for line, bad := range []string{
		"\ufeffFROM alpine\n", "# escape=`\nFROM scratch\n", "FR\\\nOM alpine:latest\n", "FR\\\n\n  # x\n# y\nOM alpine\n", "FROM --platform='x y" + digest + " z' alpine\n",
		"COPY --from=docker.io/library/alpine:latest x /x", "add --from=alpine x /x", "COPY --fr'om'=alpine x /x", `COPY --fr\om=alpine x /x`, "COPY --chmod=755 \\\n --from=alpine x /x",
		"COPY --from=7 x /x", "COPY --from=$X x /x", "ONBUILD COPY --from=alpine x /x", "RUN --mount=type=bind,from=alpine:latest,target=/x y", "RUN --mount=type=cache,target=/x --mount='type=bind,\"from=alpine\"' y",
		"RUN --mount=type=bind,$X y", "RUN x \\\nFROM scratch AS alpine\nFROM alpine\n", "RUN <<E\nFROM scratch AS alpine\nE\nFROM alpine\n", "FROM scratch AS ${X}\nFROM ${X}\n",
		"COPY --from=good x /x", "COPY --from=0 x /x", "RUN <<E \\\nE\nFROM scratch AS alpine\nE\nFROM alpine\n", "RUN echo '<<E'\nRUN <<F\nE\nFROM scratch AS alpine\nF\nFROM alpine\n",
		"RUN x <<E y\nRUN <<F\nE\nFROM scratch AS alpine\nF\nFROM alpine\n", "ENV x \\\\\nRUN <<E\nFROM scratch AS alpine\nE\nFROM alpine\n", "RUN <<E <<F\nE\nFROM scratch AS alpine\nF\nFROM alpine\n", "RUN x \\\n  # y\nFROM alpine\n",
	} {
		if line > 4 {
			bad = "FROM scratch AS good\n" + bad
		}
		write(bad)
		if _, err := image.OpenContainerfile(path); !fault.Is(err, fault.Invalid) || fault.HintOf(err) == "" {
			t.Errorf("%q: %v", bad, err)
		}
	}
	write("FROM scratch\n")
	if err := os.Rename(path, path+".in"); err != nil {
		t.Fatal(err)
	}
	if _, err := image.OpenContainerfile(path + ".in"); !fault.Is(err, fault.Invalid) {
		t.Errorf("a template: %v", err)
	}
	write("FROM scratch\n" + strings.Repeat("#", 256<<10))
	if _, err := image.OpenContainerfile(path); !fault.Is(err, fault.Invalid) {
		t.Errorf("a large one: %v", err)
	}
	if _, err := image.OpenContainerfile(filepath.Join(dir, "none")); !fault.Is(err, fault.NotFound) {
		t.Errorf("no file: %v", err)
	}
}

// TestTheShippedLocks are right, and their images share the layer of the system
// where they want the same of it.
func TestTheShippedLocks(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../../runners/*/" + runner.LockFile)
	if err != nil || len(files) < 3 {
		t.Fatalf("%d locks, %v", len(files), err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		lock, err := image.ParseLock(data)
		if err != nil {
			t.Errorf("%s: %v", file, err)
		}
		if len(lock.Locked["amd64"].Debian) == 0 || len(lock.Locked["amd64"].NPM) == 0 {
			t.Errorf("%s has nothing for amd64", file)
		}
	}
}
