package archtest

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// elsewhere are the names that no list of CI's has, and why.
func elsewhere() map[string]string {
	return map[string]string{
		"cgroup2":   "a machine of CI may delegate no control groups",
		"e2fsck":    "of the test with a disk in a file, which only root mounts",
		"loop":      "likewise",
		"mkfs.ext4": "likewise",
	}
}

// TestProofSkipsNothing: whatever a test may be skipped for is in .ci/required, which
// `make proof` and .ci/run turn into failures, or the proof itself names it. What is
// skipped unseen is proven by nothing.
func TestProofSkipsNothing(t *testing.T) {
	t.Parallel()
	for _, script := range []string{".ci/run", ".ci/proof"} {
		if !strings.Contains(read(t, script), "VEXA_TEST_REQUIRE=${VEXA_TEST_REQUIRE-$(paste -sd, .ci/required)") {
			t.Errorf("%s does not require what .ci/required has", script)
		}
	}
	required := strings.Fields(read(t, ".ci/required"))
	if m := regexp.MustCompile(`\.ci/required\)([a-z,]*)`).FindStringSubmatch(read(t, ".ci/proof")); m != nil {
		required = append(required, strings.Split(m[1], ",")...)
	}
	asked := map[string]string{"lint": ".ci/lint"} // by name, a place that asks
	inGo := []*regexp.Regexp{
		regexp.MustCompile(`\b(?:require\.Tool|require\.Missing|needsTool)\(\w+(?:\.\w+)*, "([^"]+)"`),
		regexp.MustCompile(`\bmissing\(t, "([a-z0-9-]+)", `), // cmd/vexa's own
		regexp.MustCompile(`Contains\(strings\.Split\(os\.Getenv\([\w.]+\), ","\), "([^"]+)"\)`),
		regexp.MustCompile(`\{File: .*\bTools: +\[\]string\{"([^"]+)"\}`), // of a guide
		regexp.MustCompile(`\brequire\.(Unprivileged)\(`),
	}
	inScripts := regexp.MustCompile(`(?m)^tool (\S+)$`)
	silent := regexp.MustCompile(`(?m)^(?:\[[^\]]*\] )*skip\b.*$`)
	for _, path := range files(t, ".go", ".txtar") {
		switch {
		case strings.HasSuffix(path, ".go"):
			for _, p := range inGo {
				for _, m := range p.FindAllStringSubmatch(read(t, path), -1) {
					asked[strings.ToLower(m[1])] = path
				}
			}
		case strings.HasSuffix(path, ".txtar"):
			for _, m := range inScripts.FindAllStringSubmatch(read(t, path), -1) {
				asked[m[1]] = path
			}
			for _, line := range silent.FindAllString(read(t, path), -1) {
				if !strings.HasPrefix(line, "[!full] skip") { // the proof has the full scale
					t.Errorf("%s: %q skips whatever is required: tool NAME says what is needed", path, line)
				}
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(asked)) {
		if _, ok := elsewhere()[name]; !ok && !slices.Contains(required, name) {
			t.Errorf("%s asks for %s, which .ci/required does not have", asked[name], name)
		}
	}
	for _, name := range required {
		if _, ok := asked[name]; !ok && name != "" && name != "man" {
			t.Errorf(".ci/required has %s, for which nothing asks", name)
		}
	}
}
