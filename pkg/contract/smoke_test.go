package contract

import (
	"os"
	"testing"
)

func TestSmoke(t *testing.T) {
	for _, l := range Check(t.Context(), CheckOptions{FS: os.DirFS("../../schemas")}).Findings() {
		t.Error(l)
	}
}
