package broker

import "testing"

// The quick way to fold a name is the same as the slow one.
func TestFolded(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"source": "SOURCE", "SouRCE": "SOURCE", "\u017fource": "SOURCE", "to\u212a": "TOK", "file_url": "FILE_URL", "é": "É", "": "", "@[`{": "@[`{",
	} {
		if got := folded(name); got != want {
			t.Errorf("%q is folded to %q, not %q", name, got, want)
		}
	}
}
