package chatcmd

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vexa-ai/vexa/pkg/cli/factory"
	"github.com/vexa-ai/vexa/pkg/home"
	"github.com/vexa-ai/vexa/pkg/tui/chat"
)

// The command line has the last word on colours, then the environment, then the file.
func TestTheme(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		file, flag, env string
		color           factory.Color
		want            chat.Theme
		err             string
	}{
		"nothing":         {want: chat.Auto},
		"file":            {file: `{"version": 1, "theme": "light"}`, want: chat.Light},
		"flag":            {file: `{"version": 1, "theme": "light"}`, flag: "dark", want: chat.Dark},
		"no colour":       {flag: "dark", env: "1", want: chat.None},
		"always":          {flag: "dark", env: "1", color: factory.ColorAlways, want: chat.Dark},
		"never":           {file: `{"version": 1, "theme": "light"}`, color: factory.ColorNever, want: chat.None},
		"another":         {file: `{"version": 1, "theme": "pink"}`, err: "theme is not one of auto, light, dark, none"},
		"another version": {file: `{"version": 2}`, err: "version is not 1"},
		"a member":        {file: `{"version": 1, "colour": "red"}`, err: `there is no member "colour"`},
	} {
		dir := t.TempDir()
		if c.file != "" {
			if err := os.WriteFile(filepath.Join(dir, settingFile), []byte(c.file), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		f := &factory.Factory{
			Env:  func(n string) string { return map[string]string{"NO_COLOR": c.env}[n] },
			Home: func() (home.Home, error) { return home.Home{Config: dir}, nil },
		}
		f.Flags.Color = c.color
		got, err := (&ChatOptions{Factory: f, Theme: c.flag}).theme()
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if got != c.want || err != nil {
			t.Errorf("%s: %s, %v", name, got, err)
		}
	}
}
