package factory_test

import (
	"testing"

	"github.com/vexa-ai/vexa/pkg/cli/factory"
)

func TestAbsoluteAddress(t *testing.T) {
	t.Chdir("/")
	for at, want := range map[string]string{
		"": "", "usb/01jdx4": "/usb/01jdx4", "./a:b/c": "/a:b/c", "/srv/../x": "/x",
		"git@host:o/r.git": "git@host:o/r.git", "https://host/r.git": "https://host/r.git", "s3://b/p": "s3://b/p", "file:///r.git": "file:///r.git",
	} {
		if got, err := factory.AbsoluteAddress(at); err != nil || got != want {
			t.Errorf("%q: %q, %v", at, got, err)
		}
	}
	if got, err := factory.AbsolutePath("a:b"); err != nil || got != "/a:b" {
		t.Errorf("%q, %v", got, err)
	}
}
