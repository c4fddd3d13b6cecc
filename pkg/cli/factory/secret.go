package factory

import (
	"bytes"
	"io"
	"os"

	"github.com/vexa-ai/vexa/pkg/fault"
)

// maxSecret bounds a passphrase or key, in bytes.
const maxSecret = 64 << 10

// ReadSecret reads a passphrase or key from a file, or stdin for "-", without
// its final line end.
func (f *Factory) ReadSecret(path string) ([]byte, error) {
	r := f.In
	if path != "-" {
		file, err := os.Open(path)
		if err != nil {
			return nil, fault.Newf(fault.Usage, "read a secret: %w", err)
		}
		defer file.Close()
		r = file
	}
	data, err := io.ReadAll(io.LimitReader(r, maxSecret+1))
	if err != nil {
		return nil, fault.Newf(fault.Internal, "read a secret from %s: %w", path, err)
	}
	data = bytes.TrimRight(data, "\r\n")
	if len(data) == 0 || len(data) > maxSecret {
		return nil, fault.New(fault.Usage, "no usable secret in "+path, "it must be one line that is not empty")
	}
	return data, nil
}
