package git

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/internal/textform"
)

// RemoteOptions says which remote, and as whom git speaks to it.
type RemoteOptions struct {
	// URL is https://, ssh:// or file://, or user@host:path. Who logs in may be
	// part of it, and is never shown.
	URL string
	// Env is the person's environment, as os.Environ has it: with it git finds
	// their credential helpers, their ssh agent and their proxies.
	Env []string
	// Prompt lets git and ssh ask on the terminal of this process.
	Prompt bool
	// Plain also takes http:// to this machine itself.
	Plain bool
}

// Remote is another repository, spoken to as the person. It is the one way by
// which this package lets git leave the machine: three commands, the URL where
// only a URL can be, no hook, no helper transport, no submodule. It is safe for
// concurrent use; what is fetched at the same time into one repository is the
// caller's to serialise.
type Remote struct {
	repo   *Repo
	at     address
	env    []string
	prompt bool
}

var (
	refForm = textform.Regexp(`^refs(?:/[A-Za-z0-9][A-Za-z0-9_-]*)+$`)
	idForm  = textform.Name{First: textform.Hex, Rest: textform.Hex, Min: 40, Max: 40}
)

// Remote checks where a remote is. A URL that will not do is fault.Invalid.
// Nothing is asked of the remote yet.
func (r *Repo) Remote(opt RemoteOptions) (*Remote, error) {
	at, err := parseAddress(opt.URL, opt.Plain)
	if err != nil {
		return nil, err
	}
	return &Remote{repo: r, at: at, env: remoteEnvironment(opt.Env, at.allowed(), opt.Prompt), prompt: opt.Prompt}, nil
}

// String returns the URL without who logs in.
func (m *Remote) String() string { return m.at.shown }

// Protocol is how the remote is reached: https, http, ssh or file.
func (m *Remote) Protocol() string { return m.at.protocol }

// List returns the ids that the given refs, full names, have at the remote. A
// ref that does not exist is left out.
func (m *Remote) List(ctx context.Context, refs ...string) (map[string]string, error) {
	if err := checkRefs(refs...); err != nil {
		return nil, err
	}
	args := append([]string{"ls-remote"}, m.localSide("upload-pack")...)
	res, err := m.run(ctx, append(append(args, "--refs", "--", m.at.raw), refs...))
	if err != nil {
		return nil, err
	}
	ids := make(map[string]string)
	for line := range strings.Lines(string(res.Stdout)) {
		id, name, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		if !ok || !idForm.MatchString(id) {
			return nil, m.trouble("ls-remote", Other, "it lists "+quote(line))
		}
		for _, ref := range refs { // a pattern also matches what ends like it
			if name == ref {
				ids[ref] = id
			}
		}
	}
	return ids, nil
}

// Fetch gets what ref, a full name, points at, with all that it reaches and
// that is not here, and points the ref into of this repository there. It
// reports whether the remote has such a ref; where it has none nothing changes.
// With shallow only the newest commit comes, and this repository then ends
// there; without, what comes ends where this repository does.
func (m *Remote) Fetch(ctx context.Context, ref, into string, shallow bool) (found bool, err error) {
	if err := checkRefs(ref, into); err != nil {
		return false, err
	}
	args := append([]string{"fetch"}, m.localSide("upload-pack")...)
	args = append(args, "--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules", "--no-auto-maintenance", "--no-show-forced-updates")
	if shallow {
		args = append(args, "--depth=1")
	}
	_, err = m.run(ctx, append(args, "--", m.at.raw, "+"+ref+":"+into))
	if failed, ok := errors.AsType[*RemoteError](err); ok && strings.Contains(failed.Stderr, "couldn't find remote ref "+ref) {
		return false, nil
	}
	return err == nil, err
}

// Push asks the remote to point ref, a full name, at the commit id: made where
// there is none, else moved forward. It is never forced; a ref that has other
// commits meanwhile is trouble of the kind [Moved].
func (m *Remote) Push(ctx context.Context, id, ref string) error {
	if !idForm.MatchString(id) {
		return fault.Newf(fault.Internal, "not an object id: %q", id)
	}
	return m.push(ctx, ref, id+":"+ref)
}

// Rewrite points ref at id, whatever that drops, if it still points at old.
func (m *Remote) Rewrite(ctx context.Context, id, old, ref string) error {
	if !idForm.MatchString(id) || !idForm.MatchString(old) {
		return fault.Newf(fault.Internal, "not object ids: %q, %q", id, old)
	}
	return m.push(ctx, ref, id+":"+ref, "--force-with-lease="+ref+":"+old)
}

// Delete removes ref from the remote if it still points at old.
func (m *Remote) Delete(ctx context.Context, old, ref string) error {
	if !idForm.MatchString(old) {
		return fault.Newf(fault.Internal, "not an object id: %q", old)
	}
	return m.push(ctx, ref, ":"+ref, "--force-with-lease="+ref+":"+old)
}

// push runs one push of one ref and reads what became of it.
func (m *Remote) push(ctx context.Context, ref, spec string, more ...string) error {
	if err := checkRefs(ref); err != nil {
		return err
	}
	args := append([]string{"push"}, m.localSide("receive-pack")...)
	args = append(args, "--porcelain", "--no-progress", "--no-verify", "--no-follow-tags", "--no-signed", "--recurse-submodules=no", "--thin")
	args = append(args, more...)
	res, err := m.run(ctx, append(args, "--", m.at.raw, spec))
	if err == nil {
		return nil
	}
	if failed, ok := errors.AsType[*RemoteError](err); ok {
		return m.rejected(string(res.Stdout), ref, failed)
	}
	return err
}

// rejected looks in what a push prints for people and programs for the line
// about the ref: "<flag>\t<from>:<to>\t[<summary>] (<reason>)".
func (m *Remote) rejected(out, ref string, failed *RemoteError) error {
	for line := range strings.Lines(out) {
		flag, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		spec, why, ok := strings.Cut(rest, "\t")
		if flag != "!" || !ok || !strings.HasSuffix(spec, ":"+ref) {
			continue
		}
		e := *failed
		e.Reason, e.ByRemote = printable(m.at.redact(why)), strings.HasPrefix(why, "[remote ")
		switch {
		case strings.HasPrefix(why, "[rejected]"), isRace(why):
			e.Trouble = Moved
		case strings.HasPrefix(why, "[remote failure]"):
			e.Trouble = Unreachable
		default:
			e.Trouble = Refused
		}
		return &e
	}
	return failed
}

// localSide returns the options that a remote on this machine is served with.
func (m *Remote) localSide(service string) []string {
	if m.at.protocol != "file" {
		return nil
	}
	return []string{"--" + service + "=" + m.repo.git.localSide(service)}
}

func checkRefs(refs ...string) error {
	for _, ref := range refs {
		if !refForm.MatchString(ref) || len(ref) > MaxRev {
			return fault.Newf(fault.Internal, "not the full name of a ref: %s", strconv.Quote(ref))
		}
	}
	return nil
}
