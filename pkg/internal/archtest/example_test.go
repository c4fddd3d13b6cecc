package archtest

import (
	"bytes"
	"encoding/csv"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// TestExampleWorkspaces: the workspaces that documents quote and the demo uses
// are whole: their links lead somewhere, their front matter parses, their
// tables are square, and they hold nothing that a checkout would refuse.
func TestExampleWorkspaces(t *testing.T) {
	t.Parallel()
	top := filepath.Join(root(t), "workspaces-example")
	entries, err := os.ReadDir(top)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !e.IsDir() {
			t.Errorf("workspaces-example/%s is not a workspace", e.Name())
			continue
		}
		t.Run(e.Name(), func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(top, e.Name())
			if _, err := os.Stat(filepath.Join(dir, "README.md")); err != nil {
				t.Error("it does not say what it is: no README.md")
			}
			if plans, _ := filepath.Glob(filepath.Join(dir, "plan", "*.md")); len(plans) == 0 {
				t.Error("it has no plan to run")
			}
			if err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
				if err != nil || d.IsDir() {
					return err
				}
				checkExampleFile(t, dir, path, d)
				return nil
			}); err != nil {
				t.Fatal(err)
			}
		})
	}
}

var mdLink = regexp.MustCompile(`\]\(([^)#:\s]+)(?:#[^)]*)?\)`)

func checkExampleFile(t *testing.T, dir, path string, d fs.DirEntry) {
	t.Helper()
	rel, _ := filepath.Rel(dir, path)
	if !d.Type().IsRegular() || strings.HasPrefix(rel, ".") {
		t.Errorf("%s is not an ordinary file", rel)
		return
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !utf8.Valid(data) || bytes.Contains(data, []byte("\r")) || !bytes.HasSuffix(data, []byte("\n")) {
		t.Errorf("%s is not plain UTF-8 lines", rel)
	}
	switch filepath.Ext(rel) {
	case ".csv":
		if _, err := csv.NewReader(bytes.NewReader(data)).ReadAll(); err != nil {
			t.Errorf("%s: %v", rel, err)
		}
	case ".md":
		if rest, ok := strings.CutPrefix(string(data), "---\n"); ok {
			head, _, ended := strings.Cut(rest, "\n---\n")
			var fields map[string]any
			if err := yaml.Unmarshal([]byte(head), &fields); err != nil || !ended || len(fields) == 0 {
				t.Errorf("%s: front matter: %v", rel, err)
			}
		}
		for _, m := range mdLink.FindAllStringSubmatch(string(data), -1) {
			target := filepath.Join(filepath.Dir(path), m[1])
			if _, err := os.Stat(target); err != nil || !strings.HasPrefix(target, dir) {
				t.Errorf("%s links to %s, which the workspace does not hold", rel, m[1])
			}
		}
	}
}
