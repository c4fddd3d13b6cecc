package pages_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/vexa-ai/vexa/pkg/web/pages"
)

// most is what all that a browser loads may have compressed, in bytes.
const most = 200 << 10

func TestSmall(t *testing.T) {
	t.Parallel()
	a, err := pages.All()
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("all files have %d bytes compressed", a.Packed())
	if n := a.Packed(); n > most || n == 0 {
		t.Errorf("all files have %d bytes compressed, %d are the budget", n, most)
	}
}

func sources(t *testing.T, pattern string) map[string]string {
	t.Helper()
	paths, err := filepath.Glob(pattern)
	if err != nil || len(paths) == 0 {
		t.Fatalf("no %s: %v", pattern, err)
	}
	out := map[string]string{}
	for _, p := range paths {
		data, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		out[p] = string(data)
	}
	return out
}

// Nothing parses markup or runs text, and nothing comes from elsewhere.
func TestNoMarkupFromText(t *testing.T) {
	t.Parallel()
	bad := regexp.MustCompile(`innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|createContextualFragment|srcdoc|\beval\(|new Function|setTimeout\("|javascript:|createPolicy|localStorage|document\.cookie|postMessage|\.src\s*=`)
	for name, text := range sources(t, "*.js") {
		for i, line := range strings.Split(text, "\n") {
			if found := bad.FindString(line); found != "" {
				t.Errorf("%s:%d has %s", name, i+1, found)
			}
		}
	}
	inline := regexp.MustCompile(`(?i)<script(?:>|[^>]*[^>]>[^<])|\son\w+=|style=|<style|https?://`)
	for name, text := range sources(t, "*.html") {
		if found := inline.FindString(text); found != "" {
			t.Errorf("%s has %q", name, found)
		}
	}
	for name, text := range sources(t, "*.css") {
		if strings.Contains(text, "url(") || strings.Contains(text, "@import") {
			t.Errorf("%s loads something", name)
		}
	}
}

// What the page and its modules name is there, and what is there is named.
func TestModulesResolve(t *testing.T) {
	t.Parallel()
	modules := sources(t, "*.js")
	named := map[string]bool{"main.js": true}
	imports := regexp.MustCompile(`(?:from|import\()\s*"\./([\w.]+)"`)
	for name, text := range modules {
		for _, m := range imports.FindAllStringSubmatch(text, -1) {
			if _, ok := modules[m[1]]; !ok {
				t.Errorf("%s imports %s, which is not there", name, m[1])
			}
			named[m[1]] = true
		}
	}
	for name := range modules {
		if !named[name] {
			t.Errorf("nothing imports %s", name)
		}
	}
	index := sources(t, pages.Index)[pages.Index]
	for _, m := range regexp.MustCompile(`/assets/([\w.]+)`).FindAllStringSubmatch(index, -1) {
		if _, err := os.Stat(m[1]); err != nil {
			t.Errorf("the page loads %s: %v", m[1], err)
		}
	}
}

func TestServe(t *testing.T) {
	t.Parallel()
	a, err := pages.All()
	if err != nil {
		t.Fatal(err)
	}
	ask := func(name string, header ...string) (*httptest.ResponseRecorder, bool) {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		for i := 0; i < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		w := httptest.NewRecorder()
		return w, a.Serve(w, r, name)
	}
	for name, kind := range map[string]string{"main.js": "text/javascript; charset=utf-8", "style.css": "text/css; charset=utf-8", pages.Index: "text/html; charset=utf-8", "icon.svg": "image/svg+xml"} {
		w, ok := ask(name, "Accept-Encoding", "gzip, br")
		if !ok || w.Header().Get("Content-Type") != kind || w.Header().Get("Content-Encoding") != "gzip" {
			t.Errorf("%s: %t, %v", name, ok, w.Header())
		}
		plain, _ := ask(name)
		if plain.Header().Get("Content-Encoding") != "" || plain.Body.Len() <= w.Body.Len() {
			t.Errorf("%s: %d bytes plain, %d packed", name, plain.Body.Len(), w.Body.Len())
		}
		if again, _ := ask(name, "If-None-Match", w.Header().Get("Etag")); again.Code != http.StatusNotModified || again.Body.Len() > 0 {
			t.Errorf("%s: asked again it is %d", name, again.Code)
		}
	}
	for _, name := range []string{"", ".", "..", "pages.go", "../web.go", "main.js/", "/main.js", "MAIN.JS"} {
		if _, ok := ask(name); ok {
			t.Errorf("%q is served", name)
		}
	}
}
