package factory_test

import (
	"testing"

	"github.com/vexa-ai/vexa/pkg/cli/factory"
	"github.com/vexa-ai/vexa/pkg/fault"
)

// Whether there is colour is decided for each stream: the flag, NO_COLOR,
// CLICOLOR_FORCE and what the stream is, in this order.
func TestColor(t *testing.T) {
	t.Parallel()
	type env map[string]string
	for name, c := range map[string]struct {
		flag     factory.Color
		env      env
		out, err bool // are terminals
		want     string
	}{
		"terminals":                      {"", env{"TERM": "xterm"}, true, true, "out err"},
		"stdout is piped":                {"", nil, false, true, "err"},
		"stderr is piped":                {factory.ColorAuto, nil, true, false, "out"},
		"pipes":                          {"", nil, false, false, ""},
		"NO_COLOR":                       {"", env{"NO_COLOR": "1"}, true, true, ""},
		"NO_COLOR is empty":              {"", env{"NO_COLOR": ""}, true, true, "out err"},
		"dumb":                           {"", env{"TERM": "dumb"}, true, true, ""},
		"forced":                         {"", env{"CLICOLOR_FORCE": "1"}, false, true, "out err"},
		"forced by nothing":              {"", env{"CLICOLOR_FORCE": "0"}, false, true, "err"},
		"forced, dumb":                   {"", env{"CLICOLOR_FORCE": "1", "TERM": "dumb"}, false, false, "out err"},
		"forced, and NO_COLOR":           {"", env{"CLICOLOR_FORCE": "1", "NO_COLOR": "1"}, true, true, ""},
		"always":                         {factory.ColorAlways, env{"TERM": "dumb"}, false, false, "out err"},
		"always, although NO_COLOR":      {factory.ColorAlways, env{"NO_COLOR": "1"}, false, true, "out err"},
		"never":                          {factory.ColorNever, nil, true, true, ""},
		"never, although CLICOLOR_FORCE": {factory.ColorNever, env{"CLICOLOR_FORCE": "1"}, true, true, ""},
	} {
		f := &factory.Factory{
			OutTTY: func() bool { return c.out }, ErrTTY: func() bool { return c.err },
			Env: func(name string) string { return c.env[name] }, Flags: factory.Flags{Color: c.flag},
		}
		got := ""
		if f.OutStyle().On() {
			got = "out"
		}
		if f.ErrStyle().On() {
			if got != "" {
				got += " "
			}
			got += "err"
		}
		if got != c.want {
			t.Errorf("%s: colour for %q, want %q", name, got, c.want)
		}
	}
}

func TestColorFlag(t *testing.T) {
	t.Parallel()
	var c factory.Color
	for _, name := range factory.Colors() {
		if err := c.Set(name); err != nil || c.String() != name {
			t.Errorf("%s: %q, %v", name, c.String(), err)
		}
	}
	if err := c.Set("sometimes"); !fault.Is(err, fault.Usage) || fault.HintOf(err) == "" {
		t.Errorf("sometimes: %v", err)
	}
}
