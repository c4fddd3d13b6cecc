package doctor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

func checkIdentity(_ context.Context, p *probe) Finding {
	in, err := p.inst()
	switch {
	case errors.Is(err, errNoInstall):
		return Finding{}
	case err != nil:
		return fail(err.Error())
	case in.Key == "none":
		return ok("a key without passphrase: it protects buckets and backups, not a stolen disk; vexa key protect gives it one")
	case in.Key == "passphrase":
		return ok("a key sealed by a passphrase")
	case in.Key == "keyring":
		return ok("a key sealed by a passphrase that the desktop keyring keeps")
	case in.Key == "keys":
		return ok("a key that only other keys open; vexa key show lists them")
	default:
		return warn("there is no key yet", "vexa init")
	}
}

func checkRecovery(_ context.Context, p *probe) Finding {
	in, err := p.inst()
	switch {
	case err != nil || in.Key == "" || in.Key == "missing":
		return Finding{} // identity says it
	case in.Recovery:
		return ok("there is a recovery key; keep it off this machine")
	default:
		return warn("there is none: what is sealed is lost with the key, or with its passphrase", "vexa key recovery")
	}
}

// What the journals need: the least is a few turns, enough is weeks.
const (
	diskLeast  = 32 << 20
	diskEnough = 512 << 20
)

func checkDisk(_ context.Context, p *probe) Finding {
	in, err := p.inst()
	if err != nil || in.State == "" {
		return Finding{} // identity says it
	}
	d, err := p.sys.Disk(in.State)
	if err != nil {
		return fail("ask how much room there is: " + err.Error())
	}
	detail := fmt.Sprintf("%s, %d MB free", in.State, d.Free>>20)
	switch {
	case d.Free < diskLeast:
		return fail(detail, "free space there; what stands still goes on by itself")
	case d.Free < diskEnough:
		return warn(detail, "free space there; config/retention.json says how long frames are kept")
	default:
		return ok(detail)
	}
}

func checkDaemon(_ context.Context, p *probe) Finding {
	in, err := p.inst()
	switch {
	case err != nil:
		return Finding{} // identity says it
	case in.Daemon == "" && in.LastWords != "":
		return fail("not running; the last one ended with: "+in.LastWords, "put that right, then: vexa daemon start", "its log: vexa daemon logs").blocks()
	case in.Daemon == "":
		return ok("not running; it starts by itself")
	case in.Trouble != "":
		return fail("it runs and does not say what it runs: "+in.Trouble, "see: vexa daemon logs", "vexa daemon stop")
	case in.Daemon != p.o.Version:
		return warn("the daemon is version "+in.Daemon+", this is "+p.o.Version, "vexa daemon stop")
	case in.Locked:
		return ok("the daemon runs and is locked; vexa unlock opens it")
	case !in.Kernel:
		return warn("the daemon runs, the runtime kernel does not", "see: vexa daemon logs")
	default:
		return ok("daemon and runtime kernel run")
	}
}

func checkWorkspaces(_ context.Context, p *probe) Finding {
	in, err := p.inst()
	if err != nil || in.Unencrypted == 0 {
		return Finding{}
	}
	return warn(fmt.Sprintf("%d rest unencrypted, readable by this user alone", in.Unencrypted), "keep them on an encrypted disk")
}

// checkLeftovers looks for what no live dispatch owns. Where no daemon runs, or
// a locked one, its next start or unlock adopts or ends it.
func checkLeftovers(ctx context.Context, p *probe) Finding {
	in, err := p.inst()
	if err != nil || in.ID == "" || in.Trouble != "" {
		return Finding{}
	}
	left, err := leftContainers(ctx, p, in)
	copies, cerr := leftCopies(p, in)
	left = append(left, copies...)
	switch err = errors.Join(err, cerr); {
	case err != nil && len(left) == 0:
		return warn("cannot look for them: " + strings.ReplaceAll(err.Error(), "\n", "; "))
	case len(left) == 0:
		return ok("none")
	case in.Daemon == "":
		return warn(strings.Join(left, ", "), "vexa daemon start, which goes on with what lives, saves what was written and removes the rest")
	case in.Locked:
		return warn(strings.Join(left, ", "), "vexa unlock, which goes on with what lives, saves what was written and removes the rest")
	default:
		return warn(strings.Join(left, ", "), "vexa daemon stop, then vexa daemon start: it saves what they wrote and removes them")
	}
}

// leftContainers lists the containers of this installation that nobody owns.
func leftContainers(ctx context.Context, p *probe, in Install) (left []string, err error) {
	if !p.has("podman") {
		return nil, nil // the check of Podman says it
	}
	filter := "label=io.vexa.install=" + in.ID
	out, err := p.sys.Run(ctx, Command{Argv: p.as("podman", "ps", "--all", "--filter", filter, "--format", "{{.Names}}")})
	for name := range strings.FieldsSeq(string(out)) {
		if !owned(strings.TrimPrefix(name, "vexa-agent-"), in.Live) {
			left = append(left, "container "+name)
		}
	}
	return left, err
}

// leftCopies lists what lies readable in memory and belongs to no dispatch.
func leftCopies(p *probe, in Install) (left []string, err error) {
	units, err := p.sys.ReadDir(in.Units)
	for _, name := range units {
		if !owned(name, in.Live) {
			left = append(left, "working copy "+name)
		}
	}
	if missing(err) {
		err = nil
	}
	if _, perr := p.sys.Stat(in.Packs); perr == nil && (in.Daemon == "" || in.Locked) {
		left = append(left, "readable history in "+in.Packs)
	}
	return left, err
}

// owned reports whether a unit is live; the case of its id differs by place.
func owned(unit string, live []string) bool {
	return slices.ContainsFunc(live, func(id string) bool { return strings.EqualFold(id, unit) })
}
