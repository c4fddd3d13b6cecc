package tree

import "strings"

// Twins returns those of the added paths that, or a directory of which, some
// file system would take for another of all the paths.
func Twins(added, all []string) []string {
	// Per folded prefix, the spelling seen first; "" once there is another.
	spelling := make(map[string]string)
	for _, path := range all {
		prefixes(path, func(prefix string) bool {
			key := foldPath(prefix)
			if first, ok := spelling[key]; ok && first != prefix {
				spelling[key] = ""
				return true
			}
			spelling[key] = prefix
			return true
		})
	}
	var out []string
	for _, path := range added {
		twin := false
		prefixes(path, func(prefix string) bool {
			twin = spelling[foldPath(prefix)] == ""
			return !twin
		})
		if twin {
			out = append(out, path)
		}
	}
	return out
}

// prefixes calls fn with each directory of the path and the path itself, until
// it returns false.
func prefixes(path string, fn func(string) bool) {
	for i := range len(path) {
		if path[i] == '/' && !fn(path[:i]) {
			return
		}
	}
	fn(path)
}

func foldPath(path string) string {
	parts := strings.Split(path, "/")
	for i := range parts {
		parts[i] = fold(parts[i])
	}
	return strings.Join(parts, "/")
}
