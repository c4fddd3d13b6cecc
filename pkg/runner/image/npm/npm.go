// Package npm reads what the npm registry serves: tarballs, the integrity that
// names their bytes, and the metadata of a package's version.
package npm

import (
	"io"
	"net/url"
	"strings"

	"github.com/klauspost/compress/gzip"
)

// Data returns the tar of a package's files, decompressed. Its entries lie below
// one directory, mostly package/.
func Data(r io.Reader) (io.Reader, error) { return gzip.NewReader(r) }

// Strip returns a name of a package's tar without its first directory, "" for
// that directory itself.
func Strip(name string) string {
	_, rest, _ := strings.Cut(name, "/")
	return rest
}

// Tarball is the path of a version's tarball at any registry, as npm makes it.
func Tarball(name, version string) string {
	base := name[strings.LastIndex(name, "/")+1:]
	return name + "/-/" + base + "-" + version + ".tgz"
}

// Metadata is the path of the metadata of one version. The slash of a scope is
// escaped, as every registry takes it.
func Metadata(name, version string) string {
	return strings.Replace(name, "/", "%2f", 1) + "/" + url.PathEscape(version)
}

// Version is what is used of the metadata of one version.
type Version struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	Dist    struct {
		Tarball   string `json:"tarball"`
		Integrity string `json:"integrity"` // subresource integrity: sha512- and base64
	} `json:"dist"`
}
