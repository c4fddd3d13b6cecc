package chatcmd

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"

	"github.com/vexa-ai/vexa/pkg/cli/factory"
	"github.com/vexa-ai/vexa/pkg/internal/configfile"
	"github.com/vexa-ai/vexa/pkg/tui/chat"
)

// settingFile is where a person says, below the configuration, what the chat looks like.
const settingFile = "chat.json"

// setting is that file: {"version": 1, "theme": "light"}.
type setting struct {
	Version int    `json:"version"`
	Theme   string `json:"theme,omitempty"`
}

// readSetting reads the file of a directory; one that is missing says nothing.
func readSetting(dir string) (setting, error) {
	var s setting
	err := configfile.Read(filepath.Join(dir, settingFile), func(data []byte) error {
		if err := configfile.Decode(data, &s); err != nil {
			return err
		}
		switch {
		case s.Version != 1:
			return errors.New("version is not 1")
		case s.Theme != "" && !slices.Contains(chat.Themes(), s.Theme):
			return errors.New("theme is not one of " + strings.Join(chat.Themes(), ", "))
		}
		return nil
	})
	return s, err
}

// theme is what the command line, the environment and the configuration say of colours.
func (o *ChatOptions) theme() (chat.Theme, error) {
	f := o.Factory
	if f.Flags.Color == factory.ColorNever || f.Flags.Color != factory.ColorAlways && f.Env("NO_COLOR") != "" {
		return chat.None, nil
	}
	if o.Theme != "" {
		return chat.Theme(o.Theme), nil
	}
	h, err := f.OpenHome()
	if err != nil {
		return chat.Auto, err
	}
	s, err := readSetting(h.Config)
	if s.Theme == "" {
		s.Theme = string(chat.Auto)
	}
	return chat.Theme(s.Theme), err
}
