package keys

import (
	"errors"
	"path/filepath"

	"github.com/vexa-ai/vexa/pkg/internal/configfile"
	"github.com/vexa-ai/vexa/pkg/seal"
)

// LoadPlugins reads plugins.json in the directory of the configuration, which
// names the programs of age plugins by absolute path:
//
//	{"version": 1, "plugins": {"yubikey": "/usr/bin/age-plugin-yubikey"}}
//
// Without the file there are none. What is wrong in it is fault.Invalid.
func LoadPlugins(dir string) (plugins seal.Plugins, err error) {
	err = configfile.Read(filepath.Join(dir, "plugins.json"), func(data []byte) error {
		var f struct {
			Version int               `json:"version"`
			Plugins map[string]string `json:"plugins"`
		}
		if err := configfile.Decode(data, &f); err != nil {
			return err
		}
		if f.Version != 1 {
			return errors.New("its version is not 1")
		}
		var err error
		plugins, err = seal.NewPlugins(f.Plugins)
		return err
	})
	return plugins, err
}
