package bucket

import (
	"fmt"
	"strconv"
	"strings"
)

// The names of a bucket's blobs.
const (
	formatName    = "FORMAT"
	formatWord    = "vexa-bucket"
	formatVersion = "1"
	hintName      = "hint"
	manifests     = "m/"
	keyrings      = "k/"
	objects       = "o/"
)

// The prefixes of blobs that belong to the inbox, see package inbox.
const (
	Notices    = "n/"
	Deliveries = "d/"
)

// The most that is read of some blobs, in bytes.
const (
	maxSmall    = 4 << 10
	maxKeyring  = 16 << 20
	maxManifest = 64 << 20
	maxSnapshot = 512 << 20
)

func manifestName(generation int64) string { return fmt.Sprintf("%s%016d", manifests, generation) }

// generationOf returns the generation that a blob is the manifest of, or 0.
func generationOf(name string) int64 {
	digits, ok := strings.CutPrefix(name, manifests)
	if !ok || len(digits) != 16 {
		return 0
	}
	g, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || g < 1 {
		return 0
	}
	return g
}

func keyringName(epoch, version int) string {
	return fmt.Sprintf("%s%06d.%06d.age", keyrings, epoch, version)
}

func objectName(sum string) string { return objects + sum[:2] + "/" + sum }

// objectOf returns the hash that names an object, or "".
func objectOf(name string) string {
	rest, ok := strings.CutPrefix(name, objects)
	if !ok || len(rest) != 67 || rest[2] != '/' || rest[:2] != rest[3:5] || !isHex(rest[3:], 64) {
		return ""
	}
	return rest[3:]
}

// isHex reports whether s is n lower-case hexadecimal digits.
func isHex(s string, n int) bool {
	return len(s) == n && strings.Trim(s, "0123456789abcdef") == ""
}

func decimal(g int64) string { return strconv.FormatInt(g, 10) }
