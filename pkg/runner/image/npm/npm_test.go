package npm_test

import (
	"bytes"
	"io"
	"testing"

	"github.com/vexa-ai/vexa/pkg/runner/image/imagetest"
	"github.com/vexa-ai/vexa/pkg/runner/image/npm"
)

func TestNames(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, version, tarball, metadata string }{
		{"tool", "1.2.3", "tool/-/tool-1.2.3.tgz", "tool/1.2.3"},
		{"@acme/tool", "1.0.0-x64", "@acme/tool/-/tool-1.0.0-x64.tgz", "@acme%2ftool/1.0.0-x64"},
	} {
		if got := npm.Tarball(c.name, c.version); got != c.tarball {
			t.Errorf("tarball of %s: %s", c.name, got)
		}
		if got := npm.Metadata(c.name, c.version); got != c.metadata {
			t.Errorf("metadata of %s: %s", c.name, got)
		}
	}
	for name, want := range map[string]string{"package/bin/x": "bin/x", "other/x": "x", "package": ""} {
		if got := npm.Strip(name); got != want {
			t.Errorf("%s becomes %q", name, got)
		}
	}
}

func TestData(t *testing.T) {
	t.Parallel()
	r, err := npm.Data(bytes.NewReader(imagetest.Tgz(t, imagetest.Entry{Name: "x", Data: "y"})))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, imagetest.Tar(t, imagetest.Entry{Name: "package/x", Data: "y"})) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if _, err := npm.Data(bytes.NewReader([]byte("nothing"))); err == nil {
		t.Error("what is no tarball is taken for one")
	}
}
