package command_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/cli/plain"
	"github.com/vexa-ai/vexa/pkg/client"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/tui/command"
)

var (
	_ command.Source = (*client.Client)(nil)
	_ command.Source = memory{}
)

// memory is workspaces: files by their paths. reads counts what was read.
type memory struct {
	files map[string]map[string]string
	links []string
	reads map[string]int
	lies  bool // about sizes
}

func (m memory) Files(_ context.Context, workspace, _ string) ([]api.FileEntry, error) {
	files, ok := m.files[workspace]
	if !ok {
		return nil, fault.New(fault.NotFound, "there is no workspace "+workspace, "")
	}
	var list []api.FileEntry
	for path, text := range files {
		e := api.FileEntry{Path: path, Mode: "100644", Size: int64(len(text)), SHA: fmt.Sprintf("%x", text)}
		if slices.Contains(m.links, path) {
			e.Mode = "120000"
		}
		if m.lies {
			e.Size = 1
		}
		list = append(list, e)
	}
	slices.SortFunc(list, func(a, b api.FileEntry) int { return strings.Compare(a.Path, b.Path) })
	return list, nil
}

func (m memory) File(_ context.Context, workspace, _, path string) (io.ReadCloser, error) {
	if m.reads != nil {
		m.reads[path]++
	}
	text, ok := m.files[workspace][path]
	if !ok {
		return nil, fault.New(fault.NotFound, "there is no file "+path, "")
	}
	return io.NopCloser(strings.NewReader(text)), nil
}

func read(t *testing.T, src command.Source, workspace string, before command.Found) command.Found {
	t.Helper()
	found, err := command.Read(t.Context(), src, workspace, before)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func at(name string) string { return command.Dir + "/" + name }

func builtIn(t *testing.T) *command.Registry {
	t.Helper()
	r, err := command.New(
		command.Command{Name: "help", Help: "Show keys and commands"},
		command.Command{Name: "rename", Arguments: "[title]", Help: "Rename the session"},
		command.Command{Name: "quit", Aliases: []string{"exit", "q"}, Help: "Leave"},
	)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestParse(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]command.Call{
		"/help":                     {"help", ""},
		"/Help":                     {"help", ""},
		"/rename  a title ":         {"rename", "a title"},
		"/review\nline one\nline 2": {"review", "line one\nline 2"},
		"/notes:fix 3":              {"notes:fix", "3"},
		"/my.notes-2:fix":           {"my.notes-2:fix", ""},
	} {
		if got, ok := command.Parse(text); !ok || got != want {
			t.Errorf("%q is %+v, %t", text, got, ok)
		}
	}
	for _, text := range []string{"", "/", "help", " /help", "/etc/hosts is a file", "//help", "/-x", "/a:b:c", "/:fix", "/@a:fix", "/http://x", "/é", "/a:", "/" + strings.Repeat("a", 41)} {
		if got, ok := command.Parse(text); ok {
			t.Errorf("%q is the command %+v", text, got)
		}
	}
}

func TestWords(t *testing.T) {
	t.Parallel()
	for rest, want := range map[string][]string{
		"":                   nil,
		"one two\tthree":     {"one", "two", "three"},
		`"one two" 'a "b"' `: {"one two", `a "b"`},
		`a\ b "c \" d" '\'`:  {"a b", `c " d`, `\`},
		`"" x`:               {"", "x"},
		"don't it's":         {"don't", "it's"},
		`end\`:               {`end\`},
		"é漢字 🦦":              {"é漢字", "🦦"},
	} {
		got, err := command.Call{Name: "x", Rest: rest}.Words()
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: %q, %v", rest, got, err)
		}
	}
	if _, err := (command.Call{Name: "x", Rest: `a "b`}).Words(); !fault.Is(err, fault.Usage) {
		t.Errorf("an open quote is %v", err)
	}
}

func TestExpand(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ template, rest, want string }{
		{"Review $1 for $2.", `"a b.go" bugs`, "Review a b.go for bugs."},
		{"Say: $ARGUMENTS!", `"a  b" c`, `Say: "a  b" c!`},
		{"$1/$2/$3", "x", "x//"},
		{"$1 and $1", "$2 y", "$2 and $2"}, // what was typed is not expanded
		{"Nothing to fill", "", "Nothing to fill"},
		{"Nothing to fill\n", "but said", "Nothing to fill\n\nbut said"},
		{`It costs \$1 or $10 or $0 or $x$`, "a", "It costs $1 or $10 or $0 or $x$\n\na"},
		{"$ARGUMENTS", `an open "quote`, `an open "quote`},
	} {
		got, err := command.Command{Template: c.template}.Expand(command.Call{Name: "x", Rest: c.rest})
		if err != nil || got != c.want {
			t.Errorf("%q with %q: %q, %v", c.template, c.rest, got, err)
		}
	}
	if _, err := (command.Command{Template: "$1"}).Expand(command.Call{Name: "x", Rest: `"a`}); !fault.Is(err, fault.Usage) {
		t.Errorf("an open quote is %v", err)
	}
}

func TestRead(t *testing.T) {
	t.Parallel()
	src := memory{files: map[string]map[string]string{"notes": {
		at("review.md"):       "---\ndescription: Review a file\nargument-hint: [file] [what for]\nmodel: x\n---\n\nReview $1.\n",
		at("quoted.md"):       "---\r\ndescription: \"Say: it\"\r\nargument-hint: 'a b'\r\n---\r\nSay it.\r\n",
		at("bare.md"):         "# Tidy up\nTidy up the notes.",
		at("rule.md"):         "---\nnot a front matter",
		at("empty.md"):        "---\ndescription: x\n---\n \n",
		at("Bad Name.md"):     "x",
		at("link.md"):         "/etc/passwd",
		at("binary.md"):       "a\x00b",
		at("latin.md"):        "caf\xe9",
		at("large.md"):        strings.Repeat("x", command.MaxBytes+1),
		at("hostile.md"):      "---\ndescription: \x1b]52;c;x\x07clip\u202eboard " + strings.Repeat("long ", 100) + "\nargument-hint: \x1b[2J\u200b" + strings.Repeat("h", 100) + "\n---\nSee\U000e0041\U000e0042\u200b this\x1b[8m hidden\n",
		at("notes.txt"):       "no command",
		at("sub/deep.md"):     "no command",
		".vexa/other/x.md":    "no command",
		"a/.vexa/commands.md": "no command",
	}}, links: []string{at("link.md")}}
	found := read(t, src, "notes", command.Found{})
	got := map[string][3]string{}
	for _, c := range found.Commands {
		got[c.Name] = [3]string{c.Arguments, c.Help, c.Template}
		for _, s := range got[c.Name] {
			if plain.Text(s) != s {
				t.Errorf("%s has %q", c.Name, s)
			}
		}
		if len(c.Help) > 120 || len(c.Arguments) > 60 {
			t.Errorf("%s is long: %q, %q", c.Name, c.Help, c.Arguments)
		}
	}
	hostile := got["hostile"]
	if !strings.HasPrefix(hostile[1], "clipboard long") || !strings.HasPrefix(hostile[0], "hhh") || hostile[2] != "See this hidden" {
		t.Errorf("%q", hostile)
	}
	delete(got, "hostile")
	want := map[string][3]string{
		"review": {"[file] [what for]", "Review a file", "Review $1."},
		"quoted": {"a b", "Say: it", "Say it."},
		"bare":   {"", "Tidy up", "# Tidy up\nTidy up the notes."},
		"rule":   {"", "---", "---\nnot a front matter"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	problems := map[string]string{}
	for _, p := range found.Problems {
		problems[strings.TrimPrefix(p.Path, command.Dir+"/")] = p.Why
	}
	if diff := cmp.Diff(map[string]string{
		"empty.md": "it has no prompt", "Bad Name.md": "a command is called by small letters, digits, - and _, at most 40 of them", "link.md": "it is a link",
		"binary.md": "it is no text", "latin.md": "it is no text", "large.md": "it has more than 64 KiB",
	}, problems); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if _, err := command.Read(t.Context(), src, "gone", command.Found{}); !fault.Is(err, fault.NotFound) {
		t.Errorf("a workspace that is not there: %v", err)
	}
}

// However much a workspace brings, and whatever it says of its sizes, what is kept is
// bounded.
func TestBounds(t *testing.T) {
	t.Parallel()
	files := map[string]string{}
	for i := range command.MaxCommands + 50 {
		files[at(fmt.Sprintf("c%d.md", i))] = "x"
	}
	for i := range 100 {
		files[at(fmt.Sprintf("BAD%d.md", i))] = "x"
	}
	files[at("a.md")] = strings.Repeat("x", 10*command.MaxBytes)
	found := read(t, memory{files: map[string]map[string]string{"w": files}, lies: true}, "w", command.Found{})
	if len(found.Commands) != command.MaxCommands || len(found.Problems) > 30 {
		t.Errorf("%d commands, %d problems", len(found.Commands), len(found.Problems))
	}
	if last := found.Problems[len(found.Problems)-1].String(); last != ".vexa/commands of w: 131 more files are no commands" {
		t.Errorf("%q", last)
	}
}

// What did not change is not read again; what did is.
func TestChanges(t *testing.T) {
	t.Parallel()
	files := map[string]string{at("one.md"): "1", at("two.md"): "2"}
	src := memory{files: map[string]map[string]string{"w": files}, reads: map[string]int{}}
	r := builtIn(t).With(read(t, src, "w", command.Found{}))
	files[at("two.md")] = "22"
	files[at("three.md")] = "3"
	delete(files, at("one.md"))
	r = r.With(read(t, src, "w", r.Found("w")))
	if c, err := r.Resolve("two"); err != nil || c.Template != "22" {
		t.Errorf("%+v, %v", c, err)
	}
	if _, err := r.Resolve("one"); !fault.Is(err, fault.NotFound) {
		t.Errorf("what went is there: %v", err)
	}
	read(t, src, "w", r.Found("w"))
	if diff := cmp.Diff(map[string]int{at("one.md"): 1, at("two.md"): 2, at("three.md"): 1}, src.reads); diff != "" {
		t.Error(diff)
	}
	other := memory{files: map[string]map[string]string{"v": files}, reads: map[string]int{}}
	if read(t, other, "v", r.Found("w")); len(other.reads) != 2 {
		t.Errorf("another workspace is taken for one that is known: %v", other.reads)
	}
}

func TestRegistry(t *testing.T) {
	t.Parallel()
	src := memory{files: map[string]map[string]string{
		"notes":    {at("review.md"): "of notes", at("help.md"): "not the help", at("q.md"): "an alias", at("only.md"): "only here"},
		"handbook": {at("review.md"): "of the handbook"},
	}}
	r := builtIn(t).With(read(t, src, "notes", command.Found{}), read(t, src, "handbook", command.Found{}))
	for name, want := range map[string]string{
		"help": "", "exit": "", "q": "", "only": "only here", "notes:only": "only here", "notes:review": "of notes", "handbook:review": "of the handbook", "notes:help": "not the help",
	} {
		if c, err := r.Resolve(name); err != nil || c.Template != want || c.BuiltIn() != (want == "") {
			t.Errorf("/%s is %+v, %v", name, c, err)
		}
	}
	for name, want := range map[string]string{
		"review": "/review is a command of 2 workspaces; write /notes:review or /handbook:review",
		"hepl":   "there is no command /hepl; did you mean /help? see all: /help; a message that begins with a space is no command",
		"xyzzy":  "there is no command /xyzzy; see all: /help; a message that begins with a space is no command",
	} {
		_, err := r.Resolve(name)
		var f *fault.Error
		if !errors.As(err, &f) || f.Msg+"; "+f.Hint != want {
			t.Errorf("/%s: %q; %q", name, f.Msg, f.Hint)
		}
	}
	var calls []string
	for _, e := range r.Entries() {
		calls = append(calls, e.Call)
	}
	if got := strings.Join(calls, " "); got != "help rename quit handbook:review notes:help notes:q notes:review only" {
		t.Errorf("the list is %s", got)
	}
	var problems []string
	for _, p := range r.Problems() {
		problems = append(problems, p.String())
	}
	if diff := cmp.Diff([]string{
		".vexa/commands/help.md of notes: /help is built in; this one is /notes:help",
		".vexa/commands/q.md of notes: /q is built in; this one is /notes:q",
	}, problems); diff != "" {
		t.Error(diff)
	}
	if r = r.With(); len(r.Entries()) != 3 || len(r.Problems()) != 0 {
		t.Errorf("what went stays: %v", r.Entries())
	}
}

func TestBuiltInCommandsAreChecked(t *testing.T) {
	t.Parallel()
	for name, list := range map[string][]command.Command{
		"none":         nil,
		"a bad name":   {{Name: "A"}},
		"twice":        {{Name: "a"}, {Name: "a"}},
		"a taken name": {{Name: "a"}, {Name: "b", Aliases: []string{"a"}}},
		"a workspace":  {{Name: "a", Workspace: "w"}},
	} {
		if _, err := command.New(list...); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// FuzzRead: whatever a file holds, what comes of it is bounded and can be shown, and what
// is sent has nothing that nobody sees.
func FuzzRead(f *testing.F) {
	for _, s := range []string{"", "---\ndescription: x\n---\nDo $1", "---\n---\n", "---\r\na: b\r\n---\r\nx", "\x1b[2Jx\u202e", "$ARGUMENTS \\$1 $$9$", "---\ndescription: \"\n---\nx"} {
		f.Add(s, `"a b" c`)
	}
	f.Fuzz(func(t *testing.T, text, rest string) {
		src := memory{files: map[string]map[string]string{"w": {at("x.md"): text}}}
		found, err := command.Read(t.Context(), src, "w", command.Found{})
		if err != nil || len(found.Commands)+len(found.Problems) != 1 {
			t.Fatalf("%+v, %v", found, err)
		}
		for _, c := range found.Commands {
			for _, s := range []string{c.Help, c.Arguments} {
				if plain.Line(s) != s || len([]rune(s)) > 120 {
					t.Fatalf("%q", s)
				}
			}
			if plain.Text(c.Template) != c.Template || c.Template == "" {
				t.Fatalf("%q", c.Template)
			}
			if _, err := c.Expand(command.Call{Name: "x", Rest: rest}); err != nil && !fault.Is(err, fault.Usage) {
				t.Fatal(err)
			}
		}
	})
}

// FuzzParse: a command that was read is one of the form that names have, and its words
// have the letters of what was typed.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"/help", "/a:b c", "/x 'a b' \"c\" d\\ e", "/etc/hosts", "/x '", "/é"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		call, ok := command.Parse(text)
		if !ok {
			return
		}
		if strings.ContainsAny(call.Name, " \t\n/\\\"'$") || call.Name == "" || strings.TrimSpace(call.Rest) != call.Rest {
			t.Fatalf("%q is %+v", text, call)
		}
		words, err := call.Words()
		if err != nil && !fault.Is(err, fault.Usage) {
			t.Fatal(err)
		}
		if total := len(strings.Join(words, "")); total > len(call.Rest) {
			t.Fatalf("%q has the words %q", call.Rest, words)
		}
	})
}
