package theme

import (
	"charm.land/lipgloss/v2"
)

// palette is a theme's colours. Body text keeps the terminal's own.
type palette struct {
	muted, accent, heading, quote, code, link, url            string
	keyword, types, function, str, number, comment            string
	added, removed, changed, success, warning, failed, border string
	addedLine, removedLine, addedWord, removedWord            string // backgrounds
	status, statusBack, selection, selectionBack, matched     string
}

// Dark returns the theme for a dark background.
func Dark() Theme {
	return newTheme("dark", styles(palette{
		muted: "#9aa0a6", accent: "#8ab4f8", heading: "#c58af9", quote: "#b0b8c0", code: "#f2b880", link: "#8ab4f8", url: "#9aa0a6",
		keyword: "#c58af9", types: "#78d9ec", function: "#8ab4f8", str: "#a8d08d", number: "#f2b880", comment: "#9aa0a6",
		added: "#81c995", removed: "#f28b82", changed: "#fdd663", success: "#81c995", warning: "#fdd663", failed: "#f28b82", border: "#858b91",
		addedLine: "#12301c", removedLine: "#3b1719", addedWord: "#1f5c34", removedWord: "#7a2a2e",
		status: "#e8eaed", statusBack: "#303338", selection: "#ffffff", selectionBack: "#274b7a", matched: "#fdd663",
	}))
}

// Light returns the theme for a light background.
func Light() Theme {
	return newTheme("light", styles(palette{
		muted: "#5f6368", accent: "#1558b0", heading: "#7b1fa2", quote: "#4a5056", code: "#96430a", link: "#1558b0", url: "#5f6368",
		keyword: "#7b1fa2", types: "#00626e", function: "#1558b0", str: "#2a6a16", number: "#96430a", comment: "#5f6368",
		added: "#18672f", removed: "#b3261e", changed: "#7a5200", success: "#18672f", warning: "#7a5200", failed: "#b3261e", border: "#70757a",
		addedLine: "#e3f6e8", removedLine: "#fdeae9", addedWord: "#b5e6c1", removedWord: "#f8c6c3",
		status: "#202124", statusBack: "#e2e5e9", selection: "#000000", selectionBack: "#c6dafc", matched: "#7a5200",
	}))
}

// styles gives each role what the palette has for it.
func styles(p palette) map[Role]lipgloss.Style {
	fore := func(hex string) lipgloss.Style { return lipgloss.NewStyle().Foreground(lipgloss.Color(hex)) }
	back := func(hex string) lipgloss.Style { return lipgloss.NewStyle().Background(lipgloss.Color(hex)) }
	return map[Role]lipgloss.Style{
		Muted:       fore(p.muted),
		Accent:      fore(p.accent),
		Heading:     fore(p.heading).Bold(true),
		Quote:       fore(p.quote),
		TableHead:   lipgloss.NewStyle().Bold(true),
		Strong:      lipgloss.NewStyle().Bold(true),
		Emphasis:    lipgloss.NewStyle().Italic(true),
		Strike:      lipgloss.NewStyle().Strikethrough(true),
		Code:        fore(p.code),
		Link:        fore(p.link).Underline(true),
		URL:         fore(p.url),
		Keyword:     fore(p.keyword),
		Type:        fore(p.types),
		Function:    fore(p.function),
		String:      fore(p.str),
		Number:      fore(p.number),
		Comment:     fore(p.comment).Italic(true),
		Added:       fore(p.added),
		Removed:     fore(p.removed),
		Changed:     fore(p.changed),
		AddedLine:   back(p.addedLine),
		RemovedLine: back(p.removedLine),
		AddedWord:   back(p.addedWord).Bold(true),
		RemovedWord: back(p.removedWord).Bold(true),
		Success:     fore(p.success),
		Warning:     fore(p.warning),
		Error:       fore(p.failed).Bold(true),
		Prompt:      fore(p.accent).Bold(true),
		Match:       fore(p.matched).Bold(true).Underline(true),
		Border:      fore(p.border),
		StatusLine:  fore(p.status).Background(lipgloss.Color(p.statusBack)),
		Selection:   fore(p.selection).Background(lipgloss.Color(p.selectionBack)),
	}
}
