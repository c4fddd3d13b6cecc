// Package gitremote is git-remote-vexa: what git starts for addresses that begin
// with vexa::, so that clone, fetch, push and pull of an encrypted bucket are
// git's own (gitremote-helpers(7)).
//
// It speaks the helper's line protocol on standard input and output and does the
// work with package bucket. It needs no daemon.
package gitremote

import (
	"bufio"
	"context"
	"errors"
	"io"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/workspace/bucket"
	"github.com/vexa-ai/vexa/pkg/workspace/git"
	"github.com/vexa-ai/vexa/pkg/workspace/inbox"
)

// Options configures Run.
type Options struct {
	In     io.Reader
	Out    io.Writer
	Err    io.Writer // progress; errors are returned
	Remote string    // its name, or the address where it has none
	GitDir string    // of the person's repository, absolute; empty where git has none, for ls-remote
	Git    *git.Git
	Bucket *bucket.Bucket
	// Paranoid says whether every object is to be indexed and checked again. It is
	// asked where something is fetched. Nil: no.
	Paranoid func(context.Context) (bool, error)
	// Tidy is called after a push that left so many packs that they are worth
	// joining. It must not wait for that. Nil: nobody does.
	Tidy func()
}

// manyPacks is how many packs are worth joining.
const manyPacks = 32

// Run serves one git until it ends. Errors are classified; what git is told of
// single refs is not among them.
func Run(ctx context.Context, opt Options) error {
	h := &helper{opt: opt, in: bufio.NewReader(opt.In), out: bufio.NewWriter(opt.Out), leases: map[string]string{}}
	defer h.close()
	if box := inbox.Of(opt.Bucket); box.Joined() {
		h.inbox = box
	}
	for {
		line, err := h.line()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if line == "" {
			return nil
		}
		if err := h.command(ctx, line); err != nil {
			return err
		}
		if err := h.out.Flush(); err != nil {
			return err
		}
	}
}

// helper is one conversation with git.
type helper struct {
	opt   Options
	in    *bufio.Reader
	out   *bufio.Writer
	repo  *bucket.Repo
	ahead chan opened // of a repository that is being looked at; nil: none is

	listed *bucket.State // what git was told
	inbox  *inbox.Box    // where this installation delivers and reads nothing; nil: it reads

	// What git asked for.
	format   bool // that lists name the object format
	atomic   bool
	dryRun   bool
	force    bool
	cloning  bool
	check    bool // whether everything is connected
	progress bool
	quiet    bool
	refused  string            // an option that cannot be had
	leases   map[string]string // by ref: what it must be
}

// maxLine is the longest line that git sends: a ref's name and a few words.
const maxLine = 64 << 10

func (h *helper) line() (string, error) {
	line, err := h.in.ReadString('\n')
	if err != nil {
		if errors.Is(err, io.EOF) && line != "" {
			err = io.ErrUnexpectedEOF
		}
		return "", err
	}
	if len(line) > maxLine {
		return "", fault.New(fault.Invalid, "git sent a line that is too long", "")
	}
	return strings.TrimSuffix(line, "\n"), nil
}

// errProtocol: git and this helper do not mean the same protocol.
var errProtocol = errors.New("git said what this helper does not know")

// command answers one command, with the lines that belong to it.
func (h *helper) command(ctx context.Context, line string) error {
	word, rest, _ := strings.Cut(line, " ")
	switch word {
	case "capabilities":
		h.say("option")
		h.say("fetch")
		h.say("push")
		h.say("check-connectivity")
		h.say("object-format")
		h.say("")
		return nil
	case "option":
		h.say(h.option(rest))
		return nil
	case "list":
		if rest == "for-push" {
			h.openAhead(ctx)
		}
		if h.inbox != nil {
			return h.listDelivered(ctx, rest == "for-push")
		}
		return h.list(ctx)
	case "fetch":
		if h.inbox != nil {
			return h.blind()
		}
		wants, err := h.batch("fetch ", rest)
		if err != nil {
			return err
		}
		return h.fetch(ctx, wants)
	case "push":
		specs, err := h.batch("push ", rest)
		if err != nil {
			return err
		}
		if h.inbox != nil {
			return h.deliver(ctx, specs)
		}
		return h.push(ctx, specs)
	default:
		return fault.Wrap(fault.Invalid, strconv.Quote(word), errProtocol)
	}
}

// say sends git one line. Errors come when it is flushed.
func (h *helper) say(line string) { _, _ = h.out.WriteString(line + "\n") }

// batch reads the other lines of a batch, which a blank line ends.
func (h *helper) batch(prefix, first string) ([]string, error) {
	out := []string{first}
	for {
		line, err := h.line()
		if err != nil {
			return nil, err
		}
		if line == "" {
			return out, nil
		}
		rest, ok := strings.CutPrefix(line, prefix)
		if !ok {
			return nil, fault.Wrap(fault.Invalid, strconv.Quote(line), errProtocol)
		}
		out = append(out, rest)
	}
}

// option takes one option and returns the answer.
func (h *helper) option(text string) string {
	name, value, _ := strings.Cut(text, " ")
	if unquoted, err := strconv.Unquote(value); err == nil && strings.HasPrefix(value, `"`) {
		value = unquoted
	}
	on := value == "true"
	switch name {
	case "verbosity":
		n, err := strconv.Atoi(value)
		h.quiet = err == nil && n < 1
	case "progress":
		h.progress = on
	case "object-format":
		h.format = value != "false"
	case "atomic":
		h.atomic = on
	case "dry-run":
		h.dryRun = on
	case "force":
		h.force = on
	case "cloning":
		h.cloning = on
	case "check-connectivity":
		h.check = on
	case "cas":
		ref, id, ok := strings.Cut(value, ":")
		if !ok {
			return "error not a ref and an id"
		}
		if strings.Trim(id, "0") == "" {
			id = ""
		}
		h.leases[ref] = id
	case "followtags", "update-shallow", "no-dependents", "from-promisor":
		// Every object is fetched in any case.
	case "force-if-includes":
		// Git looks at its own reflogs before it asks for the push.
	case "depth", "deepen-since", "deepen-not", "deepen-relative", "filter":
		h.refused = name
		return "error not supported"
	default:
		return "unsupported"
	}
	return "ok"
}

// refusal is the error for what git asked for and cannot have.
func (h *helper) refusal() error {
	flag := map[string]string{"deepen-since": "--shallow-since", "deepen-not": "--shallow-exclude", "deepen-relative": "--deepen"}[h.refused]
	if flag == "" {
		flag = "--" + h.refused
	}
	hint := "leave " + flag + " out; after the first time only what is new is fetched"
	if h.refused == "filter" && !h.cloning {
		// Git notes a filter before it asks for it, and asks for it again ever after.
		hint += "; and have git forget it: git config --unset remote." + h.opt.Remote + ".partialclonefilter, and the same with remote." + h.opt.Remote + ".promisor"
	}
	return fault.New(fault.Invalid, flag+" is not supported: an encrypted bucket is fetched whole, since its storage cannot look inside to pick", hint)
}

// opened is what came of looking at the person's repository.
type opened struct {
	repo *bucket.Repo
	err  error
}

// openAhead looks at the person's repository while the bucket is looked at: a
// push will need it.
func (h *helper) openAhead(ctx context.Context) {
	if h.repo != nil || h.ahead != nil || !filepath.IsAbs(h.opt.GitDir) {
		return
	}
	h.ahead = make(chan opened, 1)
	repo := h.opt.Git.Repo(h.opt.GitDir)
	warm := make(chan struct{})
	go func() {
		// The process that reads objects is kept. What is wrong is said to who asks next.
		_ = repo.Look(ctx, []string{"HEAD"}, func(git.Object) error { return nil })
		close(warm)
	}()
	go func() {
		r, err := bucket.OpenRepo(ctx, repo)
		<-warm
		if err != nil {
			repo.Close()
		}
		h.ahead <- opened{r, err}
	}()
}

// open looks at the person's repository.
func (h *helper) open(ctx context.Context) error {
	if h.repo != nil {
		return nil
	}
	if !filepath.IsAbs(h.opt.GitDir) {
		return fault.New(fault.Invalid, "git named no repository to work on", "run git inside a repository")
	}
	var o opened
	if h.ahead != nil {
		o, h.ahead = <-h.ahead, nil
	} else {
		o.repo, o.err = bucket.OpenRepo(ctx, h.opt.Git.Repo(h.opt.GitDir))
	}
	if o.err != nil {
		return o.err
	}
	if h.progress && !h.quiet {
		o.repo.Progress = h.opt.Err
	}
	h.repo = o.repo
	return nil
}

// close ends what is kept for reading the person's repository.
func (h *helper) close() {
	if h.ahead != nil {
		h.repo = (<-h.ahead).repo
	}
	if h.repo != nil {
		h.repo.Close()
	}
}
