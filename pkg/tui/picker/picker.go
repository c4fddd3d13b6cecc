// Package picker is a list in which a person finds something by a few of its
// letters: sessions, files of a workspace, commands, models.
//
// It does no I/O and starts nothing: items are added as they come, keys go in by
// Update, lines come out by View, and Done says how it ended. Titles and details
// may be foreign: what must not reach a screen is stripped from them.
package picker

import (
	"strings"

	tea "charm.land/bubbletea/v2"

	"github.com/vexa-ai/vexa/pkg/cli/plain"
	"github.com/vexa-ai/vexa/pkg/tui/flow"
	"github.com/vexa-ai/vexa/pkg/tui/theme"
)

// Item is one of what can be chosen.
type Item struct {
	Title  string // what is searched
	Detail string // a second column, such as a time or a size
}

// Options say what is chosen from. The zero value is a list without a name.
type Options struct {
	Title string // what the list is, such as "Sessions"
	Empty string // what is said where there is nothing to choose from: why, and what to do
	Enter string // what enter does, in a word; empty: "choose"
	Tab   string // what tab does, such as "rename"; empty: nothing
	Paths bool   // titles are paths: of one that is too long the end is shown

	// Preview returns what is shown beside or below the list of an item, which is
	// named by its number, in lines of at most width columns; nil: nothing. It is
	// asked at every View, so that it must not wait for anything.
	Preview func(item, width int) []flow.Line
}

// Action is how a list was left.
type Action uint8

// The actions.
const (
	Dismissed Action = iota // nothing was chosen
	Chosen                  // enter, or a second click
	Second                  // tab: what Options.Tab names
)

// Choice is what a person did.
type Choice struct {
	Action Action
	Item   int // in the order in which items were added, from 0; -1 where it was dismissed
}

// maxPattern bounds what is typed, in bytes.
const maxPattern = 256

// wheel is how far a notch of the mouse's wheel goes, in rows.
const wheel = 3

// Picker is such a list. It is used by one goroutine.
type Picker struct {
	theme   theme.Theme
	o       Options
	list    list
	loading bool
	pattern string

	at    int  // the row that a key would act upon
	top   int  // the first row that is shown
	moved bool // the person chose the row, so that it stays theirs when items come
	done  bool
	with  Choice

	frame frame // what View drew last
}

// New returns a list without items.
func New(th theme.Theme, o Options) *Picker {
	if o.Enter == "" {
		o.Enter = "choose"
	}
	return &Picker{theme: th, o: o, list: list{all: true}}
}

// Restyle draws in another theme from now on.
func (p *Picker) Restyle(th theme.Theme) { p.theme = th }

// Loading says whether more items are to come.
func (p *Picker) Loading(on bool) { p.loading = on }

// Add appends items. The row that the person chose stays chosen.
func (p *Picker) Add(b Batch) {
	kept := p.Item()
	p.list.add(b)
	if p.pattern == "" {
		return // they come at the end
	}
	p.list.find(p.pattern)
	p.at, p.top = 0, 0
	if p.moved {
		p.at = max(p.list.row(kept), 0)
	}
}

// Pattern is what was typed.
func (p *Picker) Pattern() string { return p.pattern }

// Search sets what was typed. Of more than 256 bytes the first are taken.
func (p *Picker) Search(pattern string) {
	pattern = flow.Head(plain.Line(pattern), maxPattern)
	p.pattern, p.at, p.top, p.moved = pattern, 0, 0, false
	p.list.find(p.pattern)
}

// Done returns how the list was left, and whether it was.
func (p *Picker) Done() (Choice, bool) { return p.with, p.done }

// Again goes on with a list that was left, such as after a second action.
func (p *Picker) Again() { p.done, p.with = false, Choice{} }

// Item is the number of what a key would act upon; -1: nothing.
func (p *Picker) Item() int {
	if p.at >= p.list.rows() {
		return -1
	}
	return p.list.at(p.at).item
}

// Update takes a message and reports whether it was one for the list. Mouse
// messages count from the upper left corner of what View returned.
func (p *Picker) Update(msg tea.Msg) bool {
	if p.done {
		return false
	}
	switch msg := msg.(type) {
	case tea.KeyPressMsg:
		return p.key(msg)
	case tea.PasteMsg:
		p.Search(p.pattern + msg.Content)
	case tea.MouseClickMsg:
		return msg.Button == tea.MouseLeft && p.click(msg.X, msg.Y)
	case tea.MouseWheelMsg:
		switch msg.Button {
		case tea.MouseWheelUp:
			p.move(-wheel)
		case tea.MouseWheelDown:
			p.move(wheel)
		default:
			return false
		}
	default:
		return false
	}
	return true
}

func (p *Picker) key(msg tea.KeyPressMsg) bool {
	switch msg.Keystroke() {
	case "up", "ctrl+p":
		p.move(-1)
	case "down", "ctrl+n":
		p.move(1)
	case "pgup":
		p.move(-max(p.frame.rows-1, 1))
	case "pgdown":
		p.move(max(p.frame.rows-1, 1))
	case "home":
		p.move(-p.list.rows())
	case "end":
		p.move(p.list.rows())
	case "enter", "kpenter":
		p.leave(Chosen)
	case "tab":
		if p.o.Tab != "" {
			p.leave(Second)
		}
	case "esc":
		p.done, p.with = true, Choice{Dismissed, -1}
	default:
		return p.edit(msg)
	}
	return true
}

// edit changes what is searched for.
func (p *Picker) edit(msg tea.KeyPressMsg) bool {
	switch msg.Keystroke() {
	case "backspace":
		p.Search(flow.Trim(p.pattern))
	case "ctrl+u":
		p.Search("")
	case "ctrl+w", "alt+backspace":
		rest := strings.TrimRight(p.pattern, " ")
		p.Search(rest[:strings.LastIndexByte(rest, ' ')+1])
	default:
		if msg.Text == "" {
			return false
		}
		p.Search(p.pattern + msg.Text)
	}
	return true
}

// leave ends with an action upon what is chosen, where anything is.
func (p *Picker) leave(a Action) {
	if item := p.Item(); item >= 0 {
		p.done, p.with = true, Choice{a, item}
	}
}

func (p *Picker) move(rows int) {
	p.at = max(min(p.at+rows, p.list.rows()-1), 0)
	p.moved = true
}

// click chooses a row, and what is chosen already.
func (p *Picker) click(x, y int) bool {
	row := y - p.frame.first + p.top
	switch {
	case x < 0 || x >= p.frame.list || y < p.frame.first || y >= p.frame.first+p.frame.rows || row >= p.list.rows():
		return false
	case row == p.at && p.moved:
		p.leave(Chosen)
	default:
		p.at, p.moved = row, true
	}
	return true
}
