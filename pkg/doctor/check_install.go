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
	case in.Key == "plain":
		return ok("a key without passphrase: it protects buckets and backups, not a stolen disk")
	case in.Key == "sealed":
		return ok("a key sealed by a passphrase")
	default:
		return warn("there is no key yet", "vexa init")
	}
}

func checkDaemon(_ context.Context, p *probe) Finding {
	in, err := p.inst()
	switch {
	case err != nil:
		return Finding{} // identity says it
	case in.Daemon == "":
		return ok("not running; it starts by itself")
	case in.Daemon != p.o.Version:
		return warn("the daemon is version "+in.Daemon+", this is "+p.o.Version, "vexa daemon stop")
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

// checkLeftovers looks for what no live dispatch owns. Where no daemon runs its
// next start adopts or ends it.
func checkLeftovers(ctx context.Context, p *probe) Finding {
	in, err := p.inst()
	if err != nil || in.ID == "" || !p.has("podman") {
		return Finding{}
	}
	var left []string
	filter := "label=io.vexa.install=" + in.ID
	out, err := p.sys.Run(ctx, Command{Argv: p.as("podman", "ps", "--all", "--filter", filter, "--format", "{{.Names}}")})
	if err == nil {
		for name := range strings.FieldsSeq(string(out)) {
			if !owned(strings.TrimPrefix(name, "vexa-agent-"), in.Live) {
				left = append(left, "container "+name)
			}
		}
	}
	dirs, err := p.sys.ReadDir(in.Units)
	if err == nil {
		for _, name := range dirs {
			if !owned(name, in.Live) {
				left = append(left, "working copy "+name)
			}
		}
	}
	switch {
	case len(left) == 0:
		return ok("none")
	case in.Daemon == "":
		return warn(strings.Join(left, ", "), "vexa daemon start, which saves what they wrote and removes them")
	default:
		return warn(strings.Join(left, ", "), "vexa daemon stop, then vexa daemon start: it saves what they wrote and removes them")
	}
}

// owned reports whether a unit is live; the case of its id differs by place.
func owned(unit string, live []string) bool {
	return slices.ContainsFunc(live, func(id string) bool { return strings.EqualFold(id, unit) })
}
