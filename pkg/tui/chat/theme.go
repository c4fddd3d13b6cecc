package chat

import (
	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

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

// measured takes the terminal's word on how it counts columns: what knows of grapheme
// clusters is had draw them so as soon as it says that, and what is drawn has to agree.
func (m *Model) measured(msg tea.ModeReportMsg) {
	if msg.Mode == ansi.ModeUnicodeCore && msg.Value != ansi.ModeNotRecognized && msg.Value != ansi.ModePermanentlyReset {
		m.draw(m.theme.WithClusters(true))
	}
}

func (m *Model) restyle(th theme.Theme) {
	if th.Name() != m.theme.Name() {
		m.draw(th.WithClusters(m.theme.Clusters()))
	}
}

// draw draws everything in a theme from now on.
func (m *Model) draw(th theme.Theme) {
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
