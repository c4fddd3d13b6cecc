package transcript

import (
	"encoding/json"
	"errors"
	"path/filepath"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/internal/atomicfile"
	"github.com/vexa-ai/vexa/pkg/internal/configfile"
)

// File is the name of the file in the configuration's directory.
const File = "recording.json"

// fileMode keeps others from what is nobody else's business.
const fileMode = 0o600

// setting is recording.json:
//
//	{"version": 1, "inference": true}
type setting struct {
	Version   int  `json:"version"`
	Inference bool `json:"inference"`
}

// ConfigFile is the setting in a file of the configuration's directory: off where
// there is none. A file that does not hold to its form is fault.Invalid, neither
// on nor off.
type ConfigFile struct {
	Dir string
}

// On reads the setting.
func (c ConfigFile) On() (bool, error) {
	var s setting
	err := configfile.Read(filepath.Join(c.Dir, File), func(data []byte) error {
		if err := configfile.Decode(data, &s); err != nil {
			return err
		}
		if s.Version != 1 {
			return errors.New("its version is not 1")
		}
		return nil
	})
	return s.Inference && err == nil, err
}

// Set writes the setting. It counts from the next request on.
func (c ConfigFile) Set(on bool) error {
	data, err := json.Marshal(setting{Version: 1, Inference: on})
	if err != nil {
		return fault.Wrap(fault.Internal, "encode "+File, err)
	}
	return fault.Wrap(fault.Internal, "write "+File, atomicfile.WriteFile(filepath.Join(c.Dir, File), append(data, '\n'), fileMode))
}
