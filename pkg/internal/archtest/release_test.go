package archtest

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

// release is the part of goreleaser.yaml that promises something.
type release struct {
	Version int `yaml:"version"`
	Before  struct {
		Hooks []string `yaml:"hooks"`
	} `yaml:"before"`
	Builds []struct {
		Main   string   `yaml:"main"`
		Env    []string `yaml:"env"`
		Flags  []string `yaml:"flags"`
		GoOS   []string `yaml:"goos"`
		GoArch []string `yaml:"goarch"`
		Time   string   `yaml:"mod_timestamp"`
	} `yaml:"builds"`
	Archives []struct {
		Files []any `yaml:"files"`
	} `yaml:"archives"`
	Checksum struct {
		Algorithm string `yaml:"algorithm"`
	} `yaml:"checksum"`
}

// TestRelease: what is released is what anybody builds, for the platforms that
// are promised, and it compiles for each.
func TestRelease(t *testing.T) {
	t.Parallel()
	var r release
	if err := yaml.Unmarshal([]byte(read(t, "goreleaser.yaml")), &r); err != nil {
		t.Fatal(err)
	}
	if r.Version != 2 || len(r.Builds) != 1 || r.Checksum.Algorithm != "sha256" {
		t.Fatalf("goreleaser.yaml: version %d, %d builds, checksum %q", r.Version, len(r.Builds), r.Checksum.Algorithm)
	}
	b := r.Builds[0]
	if !slices.Equal(b.GoOS, []string{"linux"}) || !slices.Equal(b.GoArch, []string{"amd64", "arm64"}) {
		t.Errorf("it builds for %v on %v", b.GoArch, b.GoOS)
	}
	if !slices.Contains(b.Env, "CGO_ENABLED=0") || !slices.Contains(b.Flags, "-trimpath") || b.Time == "" {
		t.Errorf("it does not build a static binary that can be reproduced: %+v", b)
	}
	if slices.ContainsFunc(b.Flags, func(f string) bool { return strings.HasPrefix(f, "-tags") }) {
		t.Errorf("it builds with tags: %v", b.Flags)
	}
	for _, arch := range b.GoArch {
		// Listing compiles nothing, and fails where a file of the platform is missing.
		cmd := exec.Command("go", "list", "-deps", b.Main)
		cmd.Dir = root(t)
		cmd.Env = append(cmd.Environ(), "GOOS=linux", "GOARCH="+arch, "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", arch, err, out)
		}
	}
}

// TestReleaseHooks: the hooks run between goreleaser's clearing of dist and its
// check that nothing is in it, so that they write elsewhere, where Git looks
// away: a release is not made from a changed tree.
func TestReleaseHooks(t *testing.T) {
	t.Parallel()
	var r release
	if err := yaml.Unmarshal([]byte(read(t, "goreleaser.yaml")), &r); err != nil {
		t.Fatal(err)
	}
	written := regexp.MustCompile(`mkdir -p ([\w. -]+)`)
	shipped := map[string]bool{}
	for _, a := range r.Archives {
		for _, f := range a.Files {
			if entry, ok := f.(map[string]any); ok {
				src, _ := entry["src"].(string)
				shipped[strings.TrimSuffix(src, "/*")] = true
			}
		}
	}
	n := 0
	for _, hook := range r.Before.Hooks {
		script, _, _ := strings.Cut(hook, " ")
		text := read(t, script)
		if regexp.MustCompile(`\bdist\b`).MatchString(hook + text) {
			t.Errorf("a hook writes to dist: %s", hook)
		}
		for _, m := range written.FindAllStringSubmatch(text, -1) {
			for dir := range strings.FieldsSeq(m[1]) {
				n++
				if !ignoredTop(t, dir) {
					t.Errorf("a hook writes to %s, which Git does not ignore: %s", dir, hook)
				}
				if !shipped[dir] {
					t.Errorf("a hook writes %s, which no archive ships: %s", dir, hook)
				}
			}
		}
	}
	if n != 2 {
		t.Errorf("the hooks write %d directories, and there are completions and a manual", n)
	}
	if !strings.Contains(read(t, ".ci/test"), ".ci/pages") {
		t.Error("CI does not write what a release ships")
	}
}

// TestBuildsSayWhatTheyAre: the linker takes a variable that does not exist
// without a word.
func TestBuildsSayWhatTheyAre(t *testing.T) {
	t.Parallel()
	source := read(t, "cmd/vexa/version.go")
	set := regexp.MustCompile(`-X main\.(\w+)=`)
	for _, file := range []string{"goreleaser.yaml", ".ci/build"} {
		var names []string
		for _, m := range set.FindAllStringSubmatch(read(t, file), -1) {
			names = append(names, m[1])
			if !strings.Contains(source, "\n\t"+m[1]+" ") {
				t.Errorf("%s sets main.%s, which version.go does not declare", file, m[1])
			}
		}
		if want := []string{"releaseVersion", "releaseCommit", "releaseDate"}; !slices.Equal(names, want) {
			t.Errorf("%s sets %q, want %q", file, names, want)
		}
	}
}

// TestMakefile: the two commands of the README are targets, and each target
// that has a script has that script.
func TestMakefile(t *testing.T) {
	t.Parallel()
	makefile := read(t, "Makefile")
	for _, target := range []string{"demo", "test", "proof", "bench"} {
		if !strings.Contains(makefile, "\n"+target+": ## ") || !strings.Contains(makefile, "\t@.ci/as-user "+target+"\n") {
			t.Errorf("the Makefile has no target %s that runs .ci/as-user %s", target, target)
		}
		if matches, _ := filepath.Glob(filepath.Join(root(t), ".ci", target)); len(matches) != 1 {
			t.Errorf("there is no .ci/%s", target)
		}
	}
	readme := read(t, "README.md")
	for _, command := range []string{"make demo", "make test"} {
		if !strings.Contains(readme, command) {
			t.Errorf("README.md does not name %s", command)
		}
	}
}
