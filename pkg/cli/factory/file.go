package factory

import (
	"io"
	"os"

	"github.com/vexa-ai/vexa/pkg/fault"
)

// maxFile bounds what is read of a file that a person names, in bytes.
const maxFile = 64 << 10

// ReadFile reads a small file, or stdin for "-".
func (f *Factory) ReadFile(path string) ([]byte, error) {
	r := f.In
	if path != "-" {
		file, err := os.Open(path)
		if err != nil {
			return nil, fault.Newf(fault.Usage, "%w", err)
		}
		defer file.Close()
		if st, err := file.Stat(); err != nil || st.IsDir() {
			return nil, fault.New(fault.Usage, path+" is no file", "name a file, or - for standard input")
		}
		r = file
	}
	data, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	if err != nil {
		return nil, fault.Newf(fault.Internal, "read %s: %w", path, err)
	}
	if len(data) > maxFile {
		return nil, fault.New(fault.Usage, path+" is too large", "it has at most 64 KB")
	}
	return data, nil
}
