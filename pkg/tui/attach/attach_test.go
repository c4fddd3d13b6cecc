package attach_test

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/vexa-ai/vexa/pkg/cli/plain"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/tui/attach"
	"github.com/vexa-ai/vexa/pkg/tui/command"
	"github.com/vexa-ai/vexa/pkg/tui/mention"
)

// canary is what must not come into a message.
const canary = "CANARY-7c1f"

func write(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestFind(t *testing.T) {
	t.Parallel()
	for in, want := range map[string][]string{
		"see @/etc/hosts, @~/x and @notes/a.md": {"/etc/hosts", "~/x"},
		"@/a @/a @/b":                           {"/a", "/b"},
		`@~/my\ notes.txt.`:                     {"~/my notes.txt"},
		`\@/etc/hosts a@/b @~user/x @~ @handbook:/x /etc/hosts`: nil,
	} {
		if got := attach.Find(in); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestLoad(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	write(t, filepath.Join(home, "notes.txt"), "of the home\n")
	write(t, filepath.Join(home, "sub dir/a.go"), "package a\n")
	write(t, filepath.Join(home, "empty"), "")
	write(t, filepath.Join(home, "full"), strings.Repeat("x", attach.MaxBytes))
	files, err := attach.Load([]string{"~/notes.txt", filepath.Join(home, "sub dir/a.go"), "~/empty", "~/full", "~/sub dir/../notes.txt"}, home)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range files {
		names = append(names, f.Name)
	}
	if !slices.Equal(names, []string{"notes.txt", "a.go", "empty", "full", "notes.txt"}) || files[0].Text != "of the home\n" || files[1].Text != "package a\n" || files[2].Text != "" || len(files[3].Text) != attach.MaxBytes {
		t.Errorf("%q", names)
	}
	// The home itself may be behind a link.
	link := filepath.Join(t.TempDir(), "home")
	if err := os.Symlink(home, link); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"~/notes.txt", link + "/notes.txt"} {
		if files, err := attach.Load([]string{name}, link); err != nil || files[0].Text != "of the home\n" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What is no file of text, or too much of it, is refused, and the message says what to do.
func TestRefused(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	in := func(name string) string { return filepath.Join(home, name) }
	secret := write(t, in("secret/key"), canary)
	write(t, in("large"), strings.Repeat("x", attach.MaxBytes+1))
	write(t, in("binary"), "a\x00"+canary)
	write(t, in("latin"), "caf\xe9 "+canary)
	for link, to := range map[string]string{"link": secret, "dirlink": filepath.Dir(secret), "loop": "loop", "dangling": "nowhere"} {
		if err := os.Symlink(to, in(link)); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Mkfifo(in("fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	socket, err := net.Listen("unix", in("sock"))
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	for name, want := range map[string]struct {
		kind      fault.Kind
		msg, hint string
	}{
		"~/link":             {fault.Denied, "leads through a link", "@" + secret},
		"~/dirlink/key":      {fault.Denied, "leads through a link", "@" + secret},
		"~/loop":             {fault.Denied, "leads through a link", "name the file"},
		"~/dangling":         {fault.Denied, "leads through a link", "name the file"},
		"~/fifo":             {fault.Denied, "is no regular file", "a copy"},
		"~/sock":             {fault.Denied, "is no regular file", "a copy"},
		"/dev/null":          {fault.Denied, "is no regular file", "a copy"},
		"/dev/zero":          {fault.Denied, "is no regular file", "a copy"},
		"/proc/self/environ": {fault.Denied, "", ""},
		"/proc/self/fd/0":    {fault.Denied, "", ""},
		"/proc/version":      {fault.Denied, "is no regular file", "a copy"},
		"~/secret":           {fault.Invalid, "is a directory", "vexa workspace create NAME --from"},
		"/":                  {fault.Invalid, "is a directory", "vexa workspace create NAME --from"},
		"~/large":            {fault.Invalid, "has more than 256 KiB", "vexa workspace create NAME --from"},
		"~/binary":           {fault.Invalid, "is no text", "git clone vexa::NAME"},
		"~/latin":            {fault.Invalid, "is no text", "git clone vexa::NAME"},
		"~/nothing":          {fault.NotFound, "there is no file ~/nothing", `write \@`},
		"~/large/x":          {fault.NotFound, "there is no file", `write \@`},
		"~/\x1b[2J\nx":       {fault.NotFound, "there is no file ~/ x", `write \@`},
		"relative":           {fault.NotFound, "there is no file", ""},
	} {
		files, err := attach.Load([]string{name}, home)
		var f *fault.Error
		if !errors.As(err, &f) || f.Kind != want.kind || !strings.Contains(f.Error(), want.msg) || !strings.Contains(f.Hint, want.hint) {
			t.Errorf("%q: %v (%+v)", name, err, f)
			continue
		}
		if files != nil || strings.Contains(f.Error()+f.Hint, canary) || plain.Line(f.Error()+f.Hint) != f.Error()+f.Hint {
			t.Errorf("%q: %q, %q", name, f.Error(), f.Hint)
		}
	}
	if _, err := attach.Load(slices.Repeat([]string{"~/secret/key"}, attach.MaxFiles+1), home); !fault.Is(err, fault.Invalid) {
		t.Errorf("too many files: %v", err)
	}
	write(t, in("full"), strings.Repeat("x", attach.MaxBytes))
	if _, err := attach.Load(slices.Repeat([]string{"~/full"}, attach.MaxTotal/attach.MaxBytes+1), home); !fault.Is(err, fault.Invalid) {
		t.Errorf("too much together: %v", err)
	}
	if _, err := attach.Load([]string{"~/full"}, ""); !fault.Is(err, fault.NotFound) {
		t.Errorf("nobody's home: %v", err)
	}
}

// What a directory is said to hold is what a message can go on with.
func TestList(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	write(t, filepath.Join(home, "notes/a.md"), "a")
	write(t, filepath.Join(home, "notes/.b"), "b")
	write(t, filepath.Join(home, "notes/deep er/c"), "c")
	for link, to := range map[string]string{"notes/link": "a.md", "notes/up": "..", "way": "notes"} {
		if err := os.Symlink(to, filepath.Join(home, link)); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Mkfifo(filepath.Join(home, "notes/fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"~/notes/", filepath.Join(home, "notes") + "/"} {
		names, err := attach.List(dir, home)
		if err != nil || !slices.Equal(names, []string{".b", "a.md", "deep er/"}) {
			t.Errorf("%s: %q, %v", dir, names, err)
		}
		for _, name := range []string{".b", "a.md", "deep er/c"} {
			if _, err := attach.Load([]string{dir + name}, home); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	if names, err := attach.List("~/", home); err != nil || !slices.Equal(names, []string{"notes/"}) {
		t.Errorf("%q, %v", names, err)
	}
	link := filepath.Join(t.TempDir(), "home") // a home may be behind a link
	if err := os.Symlink(home, link); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"~/", link + "/", link + "/notes/"} {
		if names, err := attach.List(dir, link); err != nil || len(names) == 0 {
			t.Errorf("%s: %q, %v", dir, names, err)
		}
	}
	if names, err := attach.List("/", home); err != nil || len(names) == 0 {
		t.Errorf("%q, %v", names, err)
	}
	for _, dir := range []string{"~/way/", "~/notes/up/notes/", "~/none/", "~/notes/a.md/", "relative/", "~/notes/fifo/"} {
		if names, err := attach.List(dir, home); err == nil {
			t.Errorf("%s: %q", dir, names)
		}
	}
}

func TestCompose(t *testing.T) {
	t.Parallel()
	if got := attach.Compose("hello\n", nil); got != "hello" {
		t.Errorf("%q", got)
	}
	got := attach.Compose("What is this?\n", []attach.File{{Name: "a.go", Text: "package a\n"}, {Name: "b`\n`c", Text: "x\n````\nend"}})
	const want = "What is this?\n\n`a.go`, a file that I attach (10 bytes):\n\n```go\npackage a\n```\n\n`b' 'c`, a file that I attach (10 bytes):\n\n`````\nx\n````\nend\n`````"
	if got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// FuzzCompose: whatever a file holds and is called, it is one block of code, whole, and
// nothing of it stands outside.
func FuzzCompose(f *testing.F) {
	for _, s := range []string{"", "x", "```\nescaped", "~~~\n```", "````` `", "\r```\r", "<!--", "a\n\n    b\n", "````go\n```` x\n"} {
		f.Add("message", "a.md", s)
	}
	f.Add("", "`` ` \n# x", "y")
	f.Fuzz(func(t *testing.T, message, name, content string) {
		block := attach.Compose("", []attach.File{{Name: name, Text: content}})
		head, rest, _ := strings.Cut(strings.TrimPrefix(block, "\n\n"), "\n\n")
		if strings.Count(head, "`") != 2 || strings.ContainsAny(head, "\n\x1b") {
			t.Fatalf("%q is above the block", head)
		}
		fence := rest[:len(rest)-len(strings.TrimLeft(rest, "`"))]
		opening, rest, _ := strings.Cut(rest, "\n")
		if len(fence) < 3 || strings.ContainsAny(opening[len(fence):], "` ") {
			t.Fatalf("%q opens the block", opening)
		}
		// A reader ends a line at a carriage return, too, and takes a closing fence that
		// is indented or longer.
		var body strings.Builder
		closed := false
		for _, line := range strings.SplitAfter(strings.ReplaceAll(rest, "\r", "\n"), "\n") {
			if closed {
				t.Fatalf("%q is behind the block", line)
			}
			bare := strings.Trim(line, " \t\n")
			if closed = strings.Trim(bare, "`") == "" && len(bare) >= len(fence); !closed {
				body.WriteString(line)
			}
		}
		want := content
		if !strings.HasSuffix(want, "\n") {
			want += "\n"
		}
		if !closed || body.String() != strings.ReplaceAll(want, "\r", "\n") {
			t.Fatalf("%q became %q", want, body.String())
		}
		if whole := attach.Compose(message, []attach.File{{Name: name, Text: content}}); !strings.HasSuffix(whole, block) {
			t.Fatalf("%q changes with the message: %q", block, whole)
		}
	})
}

func TestPasted(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	spaced := write(t, filepath.Join(home, "my notes.txt"), "x")
	if err := os.Symlink(spaced, filepath.Join(home, "link")); err != nil {
		t.Fatal(err)
	}
	mentioned := mention.Write(spaced) + " "
	for in, want := range map[string]string{
		spaced:                                mentioned,
		spaced + "\n":                         mentioned,
		"'" + spaced + "'":                    mentioned,
		strings.ReplaceAll(spaced, " ", `\ `): mentioned,
		"file://" + strings.ReplaceAll(spaced, " ", "%20"): mentioned,
		"~/my notes.txt":             mention.Write("~/my notes.txt") + " ",
		"file://elsewhere/etc/hosts": "file://elsewhere/etc/hosts",
		home:                         home,
		home + "/link":               home + "/link",
		home + "/nothing":            home + "/nothing",
		"/help":                      "/help",
		"look: " + spaced:            "look: " + spaced,
		"a @/etc/passwd b\n@~/.ssh/id c@/d @notes/a.md @": "a \\@/etc/passwd b\n\\@~/.ssh/id c@/d @notes/a.md @",
		`@\/etc/passwd @\~/x @~\/y @\~\/z`:                `\@\/etc/passwd \@\~/x \@~\/y \@\~\/z`,
		"":                                                "",
	} {
		if got := attach.Pasted(in, home); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

// FuzzDisarm: text that the person did not write attaches nothing, whatever stands before
// and behind it, and is otherwise what it was.
func FuzzDisarm(f *testing.F) {
	f.Add("see ", "a @/etc/passwd b", " x")
	f.Add("x", `@q\ @/etc/passwd`, "")
	f.Add(`@foo\`, ` @~/x`, "")
	f.Add("", `@\/etc/passwd`, "")
	f.Add("a ", "@~", "/x")
	f.Fuzz(func(t *testing.T, before, foreign, after string) {
		safe := attach.Disarm(foreign)
		if strings.ReplaceAll(safe, `\`, "") != strings.ReplaceAll(foreign, `\`, "") {
			t.Fatalf("%q became %q", foreign, safe)
		}
		if found := attach.Find(safe); len(found) > 0 {
			t.Fatalf("%q attaches %q", safe, found)
		}
		if strings.HasPrefix(after, "/") || strings.HasPrefix(after, "~") || strings.HasPrefix(after, `\`) {
			return // what is written behind an @ is the person's
		}
		for _, m := range mention.All(before + safe + after) {
			if m.From >= len(before) && m.From < len(before)+len(safe) && (strings.HasPrefix(m.Name, "/") || strings.HasPrefix(m.Name, "~/")) {
				t.Fatalf("%q attaches %q behind %q", safe, m.Name, before)
			}
		}
	})
}

// A prompt of a workspace names what it likes: it attaches nothing.
func TestCommandsAttachNothing(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	write(t, filepath.Join(home, "secret"), canary)
	write(t, filepath.Join(home, "mine"), "of the person")
	foreign := command.Command{Name: "x", Workspace: "w", Template: "Say @~/secret and $ARGUMENTS"}
	typed := "/x look at @~/mine"
	call, _ := command.Parse(typed)
	expanded, err := foreign.Expand(call)
	if err != nil {
		t.Fatal(err)
	}
	files, err := attach.Load(attach.Find(typed), home)
	if err != nil {
		t.Fatal(err)
	}
	got := attach.Compose(expanded, files)
	if strings.Contains(got, canary) || !strings.Contains(got, "of the person") || !strings.Contains(got, "@~/secret") {
		t.Errorf("%q", got)
	}
}
