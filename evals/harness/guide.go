package harness

import (
	"bufio"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// A guide is a page of documentation whose commands are run as they are printed.
//
// In a block that is fenced without a language, or as console, a line that begins
// with a prompt is a command: "$ " is whoever reads, "jane$ " is Jane, who has a home
// of her own. The lines below it, up to the next command, are what it prints on a
// terminal, and are compared but for empty ones; "…" is any text, a line of it any lines, and
// a word that ends in it, such as 01JDX4…, stands for what is there from then on, in
// later commands too. What is typed is shown as a person would see it: ⏎ for an empty
// answer, ···· for a secret, and y, n or a number behind a question.
//
// A command that cannot be run by a test ends in "# untested: why". One that has the whole
// screen says "# the whole screen" and is left by Ctrl-D once its screen is there.
//
// A block that is fenced as sh is a script: its reader saves and runs it, or its first
// line says that it is untested, and why.
type guide struct {
	title   string
	steps   []step
	scripts []script
}

// script is a block of a guide that is a program of a shell.
type script struct {
	line     int
	begin    string // its first line
	untested string // why it is not run; empty: it is
}

// step is one command of a guide.
type step struct {
	line     int
	who      string // whose prompt it is; empty: the reader's
	command  string
	want     []string // lines that it prints; nil: the guide shows none
	untested string   // why it is not run; empty: it is
	screen   bool     // it has the whole screen until it is left
}

// The patterns of what is in a guide.
func promptLine() *regexp.Regexp { return regexp.MustCompile(`^([a-z]*)\$ +(\S.*)$`) }
func untested() *regexp.Regexp   { return regexp.MustCompile(`\s# untested: (.+)$`) }
func onScreen() *regexp.Regexp   { return regexp.MustCompile(`\s# the whole screen\b`) }
func typed() *regexp.Regexp      { return regexp.MustCompile(`^(.*[:\])?]) (⏎|·+|y|n|[0-9])$`) }
func named() *regexp.Regexp      { return regexp.MustCompile(`\b([0-9A-Za-z]*[0-9][0-9A-Za-z]*)…`) }

// readGuide reads a page. A command of vexa without a prompt is an error: nobody
// would notice that it was never run.
func readGuide(text string) (guide, error) {
	var g guide
	lang, fenced, open := "", false, false // open: lines belong to the last command
	lines := bufio.NewScanner(strings.NewReader(text))
	for n := 1; lines.Scan(); n++ {
		line := lines.Text()
		if fence, ok := strings.CutPrefix(line, "```"); ok {
			fenced, lang, open = !fenced, fence, false
			continue
		}
		if title, ok := strings.CutPrefix(line, "# "); ok && !fenced && g.title == "" {
			g.title = title
		}
		if fenced && lang == "sh" && !open {
			g.scripts = append(g.scripts, readScript(n, line))
			open = true
			continue
		}
		if !fenced || lang != "" && lang != "console" {
			continue
		}
		var err error
		if open, err = g.take(n, line, open); err != nil {
			return g, err
		}
	}
	return g, lines.Err()
}

// take reads line n of a block of commands; open: it belongs to the last command, where it
// is none itself. It returns whether that is so for the next line.
func (g *guide) take(n int, line string, open bool) (bool, error) {
	m := promptLine().FindStringSubmatch(line)
	switch {
	case m != nil:
		s := step{line: n, who: m[1], command: m[2], screen: onScreen().MatchString(m[2])}
		if why := untested().FindStringSubmatch(s.command); why != nil {
			s.untested = why[1]
		}
		g.steps = append(g.steps, s)
		return true, nil
	case strings.HasPrefix(line, "vexa ") && !open:
		return false, fmt.Errorf("line %d: %q has no prompt, and is not run", n, line)
	case open:
		last := &g.steps[len(g.steps)-1]
		if begun, more := strings.CutSuffix(last.command, `\`); more {
			last.command = begun + strings.TrimSpace(line)
			return true, nil
		}
		last.want = append(last.want, line)
	}
	return open, nil
}

func readScript(line int, begin string) script {
	s := script{line: line, begin: begin}
	if why := untested().FindStringSubmatch(begin); why != nil {
		s.untested = why[1]
	}
	return s
}

// run counts the commands and scripts that are run.
func (g *guide) run() int {
	n := 0
	for _, s := range g.steps {
		if s.untested == "" {
			n++
		}
	}
	for _, s := range g.scripts {
		if s.untested == "" {
			n++
		}
	}
	return n
}

// untested counts those that are not.
func (g *guide) untested() int { return len(g.steps) + len(g.scripts) - g.run() }

// why has the reasons of what is not run, each once, up to their first full stop.
func (g *guide) why() []string {
	var all []string
	for _, s := range g.steps {
		all = append(all, s.untested)
	}
	for _, s := range g.scripts {
		all = append(all, s.untested)
	}
	var out []string
	for _, w := range all {
		if w, _, _ = strings.Cut(w, ". "); w != "" && !slices.Contains(out, w) {
			out = append(out, w)
		}
	}
	return out
}

// answer is what is typed where a question is printed.
type answer struct{ question, text string }

// answers are what is typed while the command runs.
func (s step) answers() []answer {
	var out []answer
	for _, line := range s.want {
		m := typed().FindStringSubmatch(line)
		switch {
		case m == nil:
		case m[2] == "⏎":
			out = append(out, answer{m[1], ""})
		case strings.HasPrefix(m[2], "·"):
			out = append(out, answer{m[1], "correct horse"})
		default:
			out = append(out, answer{m[1], m[2]})
		}
	}
	return out
}

// shows reports whether the guide shows what the command prints.
func (s step) shows() bool { return strings.TrimSpace(strings.Join(s.want, "")) != "" }

// fails reports whether the guide shows that the command fails.
func (s step) fails() bool {
	for _, line := range s.want {
		if strings.HasPrefix(line, "vexa: error: ") || strings.HasPrefix(line, `{"error":`) {
			return true
		}
	}
	return false
}

// names are the words of a guide that stand for what was printed, such as an id.
type names map[string]string

// in puts what the names stand for into a text.
func (n names) in(text string) string {
	for name, value := range n {
		text = regexp.MustCompile(`\b`+name+`\b…?`).ReplaceAllLiteralString(text, value)
	}
	return text
}

// compare holds what was printed to what is shown, and learns the names.
func (n names) compare(want, got []string) error {
	var pattern strings.Builder
	var learned []string
	pattern.WriteString("(?s)^")
	for _, line := range want {
		if line = flat(line); line == "" {
			continue
		}
		if line == "…" {
			pattern.WriteString(`(?:[^\n]*\n)*?`)
			continue
		}
		if m := typed().FindStringSubmatch(line); m != nil {
			line = m[1] + "…" // what is typed is echoed, or not
		}
		of, more := n.pattern(line)
		pattern.WriteString(of + `\n`)
		learned = append(learned, more...)
	}
	pattern.WriteString("$")
	var text strings.Builder
	for _, line := range got {
		if line = flat(line); line != "" {
			text.WriteString(line + "\n")
		}
	}
	m := regexp.MustCompile(pattern.String()).FindStringSubmatch(text.String())
	if m == nil {
		return fmt.Errorf("it printed\n%s\nand the guide shows\n%s", text.String(), strings.Join(want, "\n"))
	}
	for i, name := range learned {
		n[name] = m[i+1]
	}
	return nil
}

// pattern is what a line may be, and the names that are learned by its groups.
func (n names) pattern(line string) (pattern string, learned []string) {
	at := 0
	for _, m := range named().FindAllStringSubmatchIndex(line, -1) {
		name := line[m[2]:m[3]]
		if len(name) < 6 {
			continue
		}
		pattern += wild(line[at:m[0]])
		if value, ok := n[name]; ok {
			pattern += regexp.QuoteMeta(value)
		} else {
			pattern += `([0-9A-Za-z-]+)`
			learned = append(learned, name)
		}
		at = m[1]
	}
	return pattern + wild(line[at:]), learned
}

// wild is a pattern of a text in which … is any text of one line.
func wild(text string) string {
	return strings.ReplaceAll(regexp.QuoteMeta(text), "…", `[^\n]*?`)
}

// flat is a line with one blank between words: columns are as wide as what is in them.
func flat(line string) string { return strings.Join(strings.Fields(line), " ") }
