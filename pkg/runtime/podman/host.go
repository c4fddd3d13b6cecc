package podman

import (
	"context"
	"net/http"
	"slices"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/runtime"
)

// info is what is used of GET /info.
type info struct {
	Host struct {
		CgroupVersion     string   `json:"cgroupVersion"`
		CgroupControllers []string `json:"cgroupControllers"`
		CgroupManager     string   `json:"cgroupManager"`
		Kernel            string   `json:"kernel"`
		OCIRuntime        struct {
			Name string `json:"name"`
		} `json:"ociRuntime"`
		Security struct {
			Rootless bool `json:"rootless"`
			Seccomp  bool `json:"seccompEnabled"`
			SELinux  bool `json:"selinuxEnabled"`
		} `json:"security"`
	} `json:"host"`
	Store struct {
		Driver string `json:"graphDriverName"`
	} `json:"store"`
	Version struct {
		Version string `json:"Version"`
	} `json:"version"`
}

// host is what the driver knows of the machine. It does not change while the
// driver lives.
type host struct {
	runtime  string // the OCI runtime to ask for; "": Podman's own choice
	versions map[string]string
	enforced []string // machine-dependent limits that hold
	missing  []string // and those that do not
	why      string
	selinux  bool
}

// backend is the driver's name in runtime.v1.
const backend = "podman"

func (d *Driver) learn(ctx context.Context, allowRootful bool) error {
	var i info
	if err := d.conn.call(ctx, request{method: http.MethodGet, path: "/info"}, &i); err != nil {
		return err
	}
	h, err := study(i, allowRootful)
	if err != nil {
		return err
	}
	d.host = h
	return nil
}

// study draws the conclusions from what Podman says of the machine.
func study(i info, allowRootful bool) (host, error) {
	if !i.Host.Security.Rootless && !allowRootful {
		return host{}, fault.New(fault.Denied, "this Podman runs as root: its containers are not confined to a user",
			"use a rootless Podman (run vexa as an ordinary user; vexa doctor --fix makes one)")
	}
	if !i.Host.Security.Seccomp {
		return host{}, fault.New(fault.Denied, "this Podman or kernel has no seccomp: containers could not be confined", "run vexa doctor")
	}
	h := host{
		versions: map[string]string{"podman": i.Version.Version, "kernel": i.Host.Kernel, "storage": i.Store.Driver},
		selinux:  i.Host.Security.SELinux,
	}
	if i.Host.CgroupVersion != "v2" {
		// crun refuses hybrid control groups; runc runs without them.
		h.runtime = "runc"
		h.why = "control groups are not version 2"
	}
	h.versions["runtime"] = h.runtime
	if h.runtime == "" {
		h.versions["runtime"] = i.Host.OCIRuntime.Name
	}
	for _, limit := range []string{runtime.LimitCPU, runtime.LimitMemory, runtime.LimitPids} {
		if h.runtime == "" && slices.Contains(i.Host.CgroupControllers, limit) {
			h.enforced = append(h.enforced, limit)
		} else {
			h.missing = append(h.missing, limit)
		}
	}
	if len(h.missing) > 0 && h.why == "" {
		h.why = "the control groups of this user lack them"
	}
	return h, nil
}

// Info implements runtime.Driver.
func (d *Driver) Info(ctx context.Context) (runtime.Info, error) {
	if err := d.conn.call(ctx, request{method: http.MethodGet, path: "/_ping"}, nil); err != nil {
		return runtime.Info{}, err
	}
	return runtime.Info{
		Backend: backend, Versions: d.host.versions, Enforced: d.host.enforced, Unenforced: d.host.missing, Why: d.host.why,
	}, nil
}
