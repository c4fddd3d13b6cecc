package image

import (
	"bufio"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/internal/configfile"
)

// SourcesFile is the name of the file in the configuration directory that names
// sources.
const SourcesFile = "sources.json"

// The environment variables that name sources.
const (
	EnvDebian = "VEXA_DEBIAN_MIRROR" // addresses, separated by spaces
	EnvNPM    = "VEXA_NPM_REGISTRY"
)

// Sources are where inputs may be had.
type Sources struct {
	Debian []string `json:"debian,omitempty"` // addresses of archives, as they stand in apt's sources
	NPM    string   `json:"npm,omitempty"`    // address of a registry
}

// Find completes flags, the sources that a command names, by the first of these
// that says something: the environment, SourcesFile in config, and how apt and
// npm of this machine are configured, whose root directory is root. Nothing is
// built in: a machine that names no source has none.
func Find(flags Sources, env func(string) string, config, root string) (Sources, error) {
	s := Sources{Debian: slices.Clone(flags.Debian), NPM: flags.NPM}
	var file struct {
		Version int `json:"version"`
		Sources
	}
	err := configfile.Read(filepath.Join(config, SourcesFile), func(data []byte) error {
		if err := configfile.Decode(data, &file); err != nil {
			return err
		}
		if file.Version != 1 {
			return fmt.Errorf("version %d is not 1", file.Version)
		}
		return nil
	})
	if err != nil {
		return Sources{}, err
	}
	for _, list := range [][]string{strings.Fields(env(EnvDebian)), file.Debian} {
		if len(s.Debian) == 0 {
			s.Debian = list
		}
	}
	if len(s.Debian) == 0 {
		s.Debian = apt(os.DirFS(root))
	}
	for _, one := range []string{env(EnvNPM), file.NPM, env("npm_config_registry"), env("NPM_CONFIG_REGISTRY")} {
		if s.NPM == "" {
			s.NPM = one
		}
	}
	if s.NPM == "" {
		s.NPM = npmrc(filepath.Join(env("HOME"), ".npmrc"), filepath.Join(root, "usr/etc/npmrc"), filepath.Join(root, "usr/local/etc/npmrc"), filepath.Join(root, "etc/npmrc"))
	}
	for _, one := range append(slices.Clone(s.Debian), s.NPM) {
		if u, err := url.Parse(one); one != "" && (err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "") {
			return Sources{}, fault.New(fault.Usage, fmt.Sprintf("%q is no address of a mirror or registry", one), "it begins with http:// or https://")
		}
	}
	return s, nil
}

// apt reads the addresses in apt's sources, of both forms (sources.list(5)).
func apt(root fs.FS) []string {
	files := []string{"etc/apt/sources.list"}
	for _, pattern := range []string{"etc/apt/sources.list.d/*.list", "etc/apt/sources.list.d/*.sources"} {
		more, _ := fs.Glob(root, pattern) // the patterns are well-formed
		files = append(files, more...)
	}
	var out []string
	for _, file := range files {
		data, err := fs.ReadFile(root, file)
		if err != nil {
			continue // a file that only root may read names no mirror for others
		}
		for _, address := range addresses(string(data)) {
			if archiveOf(address) != "" && !slices.Contains(out, address) {
				out = append(out, address)
			}
		}
	}
	return out
}

// addresses finds the http addresses of deb lines and of URIs fields.
func addresses(text string) (out []string) {
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) < 2 || fields[0] != "deb" && !strings.EqualFold(fields[0], "URIs:") {
			continue
		}
		for _, f := range fields[1:] {
			if strings.HasPrefix(f, "http://") || strings.HasPrefix(f, "https://") {
				out = append(out, strings.TrimSuffix(f, "/"))
			}
		}
	}
	return out
}

// archiveOf is which of Debian's archives an address serves; "": none.
func archiveOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	for element := range strings.SplitSeq(u.Path, "/") {
		if element == "debian" || element == "debian-security" {
			return element
		}
	}
	return ""
}

// npmrc reads the registry of the first of npm's configuration files that names one.
func npmrc(files ...string) string {
	for _, file := range files {
		f, err := os.Open(file)
		if err != nil {
			continue
		}
		for lines := bufio.NewScanner(f); lines.Scan(); {
			key, value, ok := strings.Cut(lines.Text(), "=")
			if ok && strings.TrimSpace(key) == "registry" {
				f.Close()
				return strings.Trim(strings.TrimSpace(value), `"'`)
			}
		}
		f.Close()
	}
	return ""
}

// DebianAt is where a file of an archive may be had. An address that names
// neither archive is taken for every one.
func (s Sources) DebianAt(archive, file string) (out []string) {
	for _, base := range s.Debian {
		base = strings.TrimSuffix(base, "/")
		switch of := archiveOf(base); of {
		case archive, "":
		default:
			continue
		}
		out = append(out, base+"/"+file)
	}
	return out
}

// NPMAt is where a file of the registry may be had.
func (s Sources) NPMAt(file string) []string {
	if s.NPM == "" {
		return nil
	}
	return []string{strings.TrimSuffix(s.NPM, "/") + "/" + file}
}
