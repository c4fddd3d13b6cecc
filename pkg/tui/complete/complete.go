// Package complete helps a person who writes a message to the end of what they began:
// a command at its beginning, and behind @ files of workspaces and of this machine.
//
// A popup opens while such a word is written, shows what may be meant, the best first,
// and puts what is accepted into the text. It does no I/O: what there is to offer is
// given to it, and may be given anew at any time. Names of files are foreign; one that
// has characters which would not reach a screen is not offered, since nobody could say
// what they refer to by it.
package complete

import (
	"cmp"
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"

	"github.com/vexa-ai/vexa/pkg/tui/attach"
	"github.com/vexa-ai/vexa/pkg/tui/command"
	"github.com/vexa-ai/vexa/pkg/tui/fuzzy"
	"github.com/vexa-ai/vexa/pkg/tui/mention"
	"github.com/vexa-ai/vexa/pkg/tui/theme"
)

// Rows is how high a popup is at most.
const Rows = 8

// most is how many candidates there are at most.
const most = 50

// Files are the paths of a workspace, ready to be searched. They never change.
type Files struct {
	workspace string
	index     *fuzzy.Index
}

// NewFiles makes Files, which takes about a microsecond a path: of many, in a command.
func NewFiles(workspace string, paths []string) *Files {
	kept := make([]string, 0, len(paths))
	for _, p := range paths {
		if mention.Shown(p) {
			kept = append(kept, p)
		}
	}
	return &Files{workspace, fuzzy.New(kept)}
}

// Dir is what a directory of this machine holds, ready to be searched. It never changes.
type Dir struct {
	name         string // as it is written, with a slash at its end
	shown, whole *fuzzy.Index
}

// NewDir makes a Dir of names, of which those of directories end with a slash.
func NewDir(dir string, names []string) *Dir {
	names = slices.DeleteFunc(slices.Clone(names), func(n string) bool { return !mention.Shown(n) })
	whole := fuzzy.New(names)
	shown := fuzzy.New(slices.DeleteFunc(names, hidden))
	return &Dir{dir, shown, whole}
}

// hidden reports whether a name is offered only to who begins to write it.
func hidden(name string) bool { return strings.HasPrefix(name, ".") }

// Edit is a text after something was accepted.
type Edit struct {
	Text   string
	Cursor int  // in bytes
	Run    bool // a command that takes nothing was accepted by enter: it may be run at once
	On     bool // a directory was accepted: what it holds is to be offered next
}

// candidate is what may be meant.
type candidate struct {
	title     string // as it is matched and shown
	positions []int
	after     string // shown behind it
	detail    string
	score     int
	insert    string // in place of the word
	run       bool   // nothing is to be typed behind it
	on        bool   // it is a directory
	entry     int    // which command it is
	alias     bool   // by another name
}

// word is what is being written.
type word struct {
	from, to int
	slash    bool
	dir      string // of this machine; empty: it is none there
	rest     string // what is written behind the directory
}

// Popup offers candidates. It is used by one goroutine.
type Popup struct {
	theme    theme.Theme
	commands []candidate // with their names alone
	names    *fuzzy.Index
	files    []*Files
	dir      *Dir // nil: not known yet

	text      string
	cursor    int
	word      word
	open      bool
	dismissed bool // the word at hand is to be left alone
	offered   []candidate
	at, top   int // the row that a key would act upon, the first that is shown
	shown     int // how many View returned
}

// New returns a popup that has nothing to offer.
func New(th theme.Theme) *Popup {
	return &Popup{theme: th, names: fuzzy.New(nil), word: word{from: -1}}
}

// Restyle draws in another theme from now on.
func (p *Popup) Restyle(th theme.Theme) { p.theme = th }

// SetCommands gives the commands that are offered.
func (p *Popup) SetCommands(r *command.Registry) {
	p.commands = nil
	var names []string
	for entry, e := range r.Entries() {
		detail := e.Help
		if !e.BuiltIn() { // whose it is stands where it is not cut off
			detail = e.Workspace + ": " + detail
		}
		for i, name := range append([]string{e.Call}, e.Aliases...) {
			// A workspace's prompt is not sent before a second key.
			c := candidate{after: e.Arguments, detail: detail, insert: "/" + name, run: e.Arguments == "" && e.BuiltIn(), entry: entry, alias: i > 0}
			names, p.commands = append(names, name), append(p.commands, c)
		}
	}
	p.names = fuzzy.New(names)
	p.again()
}

// SetFiles gives the files that are offered, of each workspace that is granted.
func (p *Popup) SetFiles(files ...*Files) {
	p.files = files
	p.again()
}

// Lacks returns the directory of this machine, as it was written, of which it is to be
// offered and not known what it holds.
func (p *Popup) Lacks() (dir string, ok bool) {
	if p.word.from < 0 || p.dismissed || p.word.dir == "" || p.dir != nil && p.dir.name == p.word.dir {
		return "", false
	}
	return p.word.dir, true
}

// SetDir gives what a directory holds that Lacks returned. It is forgotten where the popup
// closes, since it may change.
func (p *Popup) SetDir(d *Dir) {
	if dir, ok := p.Lacks(); ok && d.name == dir {
		p.dir = d
		p.again()
	}
}

// again offers from what there is now. What the person chose stays chosen.
func (p *Popup) again() {
	kept := ""
	if p.at > 0 {
		kept = p.offered[p.at].insert
	}
	p.offer()
	p.at = max(slices.IndexFunc(p.offered, func(c candidate) bool { return c.insert == kept }), 0)
}

// Edited says what the text is after somebody edited it, and where the cursor stands, in
// bytes. The popup opens, changes or closes.
func (p *Popup) Edited(text string, cursor int) {
	p.text, p.cursor = text, min(max(cursor, 0), len(text))
	before := p.word
	w, ok := p.find()
	if !ok || w.from != before.from || w.slash != before.slash {
		p.dismissed = false
	}
	p.word = w
	if !ok {
		p.word = word{from: -1}
	}
	p.offer()
}

// Close closes the popup: the cursor moved, or the message was sent.
func (p *Popup) Close() {
	p.text, p.word, p.dismissed, p.dir = "", word{from: -1}, false, nil
	p.offer()
}

// Open reports whether there is a popup.
func (p *Popup) Open() bool { return p.open }

// find returns the word in which the cursor stands, where it is one to complete.
func (p *Popup) find() (word, bool) {
	if strings.HasPrefix(p.text, "/") && p.cursor > 0 {
		end := strings.IndexAny(p.text, " \t\n")
		if end < 0 {
			end = len(p.text)
		}
		if p.cursor <= end {
			return word{to: end, slash: true}, !strings.Contains(p.text[1:end], "/")
		}
	}
	m, ok := mention.At(p.text, p.cursor)
	w := word{from: m.From, to: m.To}
	if attach.Local(m.Name) {
		at := strings.LastIndexByte(m.Name, '/') + 1
		w.dir, w.rest = m.Name[:at], m.Name[at:]
	}
	return w, ok
}

// offer looks for what may be meant.
func (p *Popup) offer() {
	p.offered, p.at, p.top = nil, 0, 0
	if p.word.from >= 0 && !p.dismissed && p.text != "" {
		switch {
		case p.word.slash:
			p.offered = p.findCommands(strings.ToLower(p.text[1:p.cursor]))
		case p.word.dir != "":
			p.offered = p.findHere()
		default:
			p.offered = p.findFiles()
		}
	}
	p.open, p.shown = len(p.offered) > 0, 0
}

func (p *Popup) findCommands(pattern string) (out []candidate) {
	seen := map[int]bool{}
	for _, m := range p.names.Find(pattern, p.names.Len()) {
		c := p.commands[m.Index]
		if seen[c.entry] || c.alias && pattern == "" {
			continue
		}
		seen[c.entry] = true
		c.title = "/" + p.names.Text(m.Index)
		for _, at := range m.Positions {
			c.positions = append(c.positions, at+1)
		}
		out = append(out, c)
	}
	return out[:min(most, len(out))]
}

func (p *Popup) findFiles() (out []candidate) {
	m, _ := mention.At(p.text, p.cursor)
	pattern, only := m.Name, ""
	if workspace, rest, ok := strings.Cut(pattern, ":"); ok {
		if slices.ContainsFunc(p.files, func(f *Files) bool { return f.workspace == workspace }) {
			only, pattern = workspace, rest
		}
	}
	several := len(p.files) > 1
	for _, f := range p.files {
		if only != "" && f.workspace != only {
			continue
		}
		for _, m := range f.index.Find(pattern, most) {
			path := f.index.Text(m.Index)
			c := candidate{title: path, positions: m.Positions, score: m.Score, insert: mention.Write(path)}
			if several {
				c.insert, c.detail = mention.Write(f.workspace+":"+path), f.workspace
			}
			out = append(out, c)
		}
	}
	slices.SortStableFunc(out, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(b.score, a.score), cmp.Compare(len(a.title), len(b.title)))
	})
	return out[:min(most, len(out))]
}

// findHere looks in a directory of this machine.
func (p *Popup) findHere() (out []candidate) {
	if p.dir == nil || p.dir.name != p.word.dir {
		return nil
	}
	index := p.dir.shown
	if hidden(p.word.rest) {
		index = p.dir.whole
	}
	for _, m := range index.Find(p.word.rest, most) {
		name := index.Text(m.Index)
		out = append(out, candidate{title: name, positions: m.Positions, insert: mention.Write(p.word.dir + name), on: strings.HasSuffix(name, "/")})
	}
	return out
}

// Key takes a key where it is one for an open popup, and returns what the text then is
// where something was accepted.
func (p *Popup) Key(msg tea.KeyPressMsg) (edit *Edit, taken bool) {
	if !p.open {
		return nil, false
	}
	switch key := msg.Keystroke(); key {
	case "up", "ctrl+p":
		p.at = (p.at + len(p.offered) - 1) % len(p.offered)
	case "down", "ctrl+n":
		p.at = (p.at + 1) % len(p.offered)
	case "esc":
		p.dismissed = true
		p.offer()
	case "enter", "kpenter", "tab":
		c := p.offered[p.at]
		if key != "tab" && p.text[p.word.from:p.word.to] == c.insert { // it is there: enter sends
			p.Close()
			return nil, false
		}
		return p.accept(c, key != "tab"), true
	default:
		return nil, false
	}
	return nil, true
}

// Click accepts what stands in a row of what View returned last; nil where nothing does.
func (p *Popup) Click(row int) *Edit {
	if !p.open || row < 0 || row >= p.shown {
		return nil
	}
	return p.accept(p.offered[p.top+row], true)
}

// accept puts a candidate in place of the word.
func (p *Popup) accept(c candidate, enter bool) *Edit {
	head, tail := p.text[:p.word.from]+c.insert, p.text[p.word.to:]
	e := &Edit{Run: c.run && enter && strings.TrimSpace(tail) == "", On: c.on}
	if c.on {
		e.Text, e.Cursor = head+tail, len(head)
		p.Close()
		return e
	}
	if !strings.HasPrefix(tail, " ") && !strings.HasPrefix(tail, "\n") {
		tail = " " + tail
	}
	e.Text, e.Cursor = head+tail, len(head)
	if tail[0] == ' ' {
		e.Cursor++
	}
	p.Close()
	return e
}
