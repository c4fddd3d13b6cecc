package workspace

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/vexa-ai/vexa/pkg/workspace/object"
)

// TestNoQuarantineIsNotTheWorkingDirectory: what lies where a process happens to run
// passes for no object.
func TestNoQuarantineIsNotTheWorkingDirectory(t *testing.T) {
	dir := t.TempDir()
	id, err := object.WriteLoose(dir, object.KindBlob, []byte("planted"))
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	if _, err := os.Stat(filepath.Join(id.String()[:2], id.String()[2:])); err != nil {
		t.Fatal(err)
	}
	if data, err := readLoose("", id, object.KindBlob); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%q, %v", data, err)
	}
	if data, err := readLoose(dir, id, object.KindBlob); err != nil || string(data) != "planted" {
		t.Errorf("%q, %v", data, err)
	}
}
