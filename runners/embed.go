// Package runners holds the manifests that ship with Vexa, one directory for
// each: runner.json, a README and goldens of its stream, and where its image is
// not built in image.json, the lock of it. It is data; packages runner and
// runner/image read it.
package runners

import (
	"embed"
	"io/fs"
	"path"
	"strings"
)

// FS holds NAME/runner.json of every shipped runner, and NAME/image.json.
//
//go:embed */runner.json */image.json
var FS embed.FS

//go:embed */golden/*.out
var goldens embed.FS

// Golden returns what was recorded of a shipped runner's output, by the name of the
// recording; nothing for any other runner.
func Golden(name string) (map[string][]byte, error) {
	out := map[string][]byte{}
	if !fs.ValidPath(name) || strings.Contains(name, "/") {
		return out, nil
	}
	files, err := fs.Glob(goldens, path.Join(name, "golden", "*.out"))
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		data, err := goldens.ReadFile(file)
		if err != nil {
			return nil, err
		}
		out[strings.TrimSuffix(path.Base(file), ".out")] = data
	}
	return out, nil
}
