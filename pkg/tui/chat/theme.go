package chat

import (
	"github.com/vexa-ai/vexa/pkg/tui/theme"
)

// Theme says which colours there are.
type Theme string

// The themes. Auto is the one that the terminal's background asks for.
const (
	Auto  Theme = "auto"
	Light Theme = "light"
	Dark  Theme = "dark"
	None  Theme = "none"
)

// Themes lists them.
func Themes() []string { return []string{string(Auto), string(Light), string(Dark), string(None)} }

// first is the theme before the terminal has said what its background is.
func (t Theme) first() theme.Theme {
	switch t {
	case Light:
		return theme.Light()
	case None:
		return theme.None()
	default:
		return theme.Dark()
	}
}

// colours says which theme is on.
func (m *Model) colours() string {
	if m.chosen == Auto {
		return string(Auto) + ", now " + m.theme.Name()
	}
	return string(m.chosen)
}

// background takes the terminal's word on its background.
func (m *Model) background(dark bool) {
	if m.chosen != Auto {
		return
	}
	th := theme.Light()
	if dark {
		th = theme.Dark()
	}
	m.restyle(th)
}

func (m *Model) restyle(th theme.Theme) {
	if th.Name() == m.theme.Name() {
		return
	}
	m.theme = th
	m.popup.Restyle(th)
	if m.over != nil {
		if o, ok := m.over.Overlay.(interface{ Restyle(th theme.Theme) }); ok {
			o.Restyle(th)
		}
	}
	for _, t := range m.threads {
		t.reading.Restyle(th)
	}
}
