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

// AskSecret asks for a secret on the terminal.
func (f *Factory) AskSecret(question string) ([]byte, error) {
	t, err := f.Terminal()
	if err != nil {
		return nil, err
	}
	defer t.Close()
	return t.Secret(question)
}

// Ask asks for one line on the terminal.
func (f *Factory) Ask(question string) (string, error) {
	t, err := f.Terminal()
	if err != nil {
		return "", err
	}
	defer t.Close()
	return t.Ask(question)
}
