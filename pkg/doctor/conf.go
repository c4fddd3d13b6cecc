package doctor

import (
	"fmt"
	"strings"
)

// setting is one key of a TOML file, with a value of plain text.
type setting struct {
	section, key, value string
	why                 string
}

// line renders the setting as TOML.
func (s setting) line() string { return fmt.Sprintf("%s = %q", s.key, s.value) }

// setKeys returns conf with the settings made, and the lines that changed.
// Everything else, comments included, stays as it is. conf is one of Podman's
// configuration files: a section has its own line, and so has a key.
func setKeys(conf string, settings []setting) (out string, changes []string) {
	lines := strings.Split(strings.TrimRight(conf, "\n"), "\n")
	if conf == "" {
		lines = nil
	}
	for _, s := range settings {
		var changed []string
		lines, changed = setKey(lines, s)
		changes = append(changes, changed...)
	}
	if len(changes) == 0 {
		return conf, nil
	}
	return strings.Join(lines, "\n") + "\n", changes
}

func setKey(lines []string, s setting) (out, changes []string) {
	at := findSection(lines, s.section)
	if at < 0 {
		header := "[" + s.section + "]"
		if len(lines) > 0 {
			lines = append(lines, "")
		}
		return append(lines, header, s.line()), []string{"+" + header, "+" + s.line()}
	}
	for i := at + 1; i < len(lines) && !isHeader(lines[i]); i++ {
		if keyOf(lines[i]) != s.key {
			continue
		}
		if valueOf(lines[i]) == s.value {
			return lines, nil
		}
		old := lines[i]
		lines[i] = s.line()
		return lines, []string{"-" + old, "+" + s.line()}
	}
	rest := append([]string{s.line()}, lines[at+1:]...)
	return append(lines[:at+1:at+1], rest...), []string{"+" + s.line()}
}

// hasKey reports whether conf sets a key.
func hasKey(conf, section, key string) bool {
	lines := strings.Split(conf, "\n")
	at := findSection(lines, section)
	if at < 0 {
		return false
	}
	for _, l := range lines[at+1:] {
		if isHeader(l) {
			return false
		}
		if keyOf(l) == key {
			return true
		}
	}
	return false
}

func findSection(lines []string, name string) int {
	for i, l := range lines {
		if isHeader(l) && sectionOf(l) == name {
			return i
		}
	}
	return -1
}

func isHeader(line string) bool { return strings.HasPrefix(strings.TrimSpace(line), "[") }

func sectionOf(line string) string {
	name, _, _ := strings.Cut(strings.TrimLeft(strings.TrimSpace(line), "["), "]")
	return strings.TrimSpace(name)
}

func keyOf(line string) string {
	key, _, found := strings.Cut(line, "=")
	if !found || strings.HasPrefix(strings.TrimSpace(key), "#") {
		return ""
	}
	return strings.Trim(strings.TrimSpace(key), `"'`)
}

func valueOf(line string) string {
	_, value, _ := strings.Cut(line, "=")
	value = strings.TrimSpace(value)
	if value == "" || value[0] != '"' && value[0] != '\'' {
		value, _, _ = strings.Cut(value, "#")
		return strings.TrimSpace(value)
	}
	text, _, _ := strings.Cut(value[1:], value[:1])
	return text
}
