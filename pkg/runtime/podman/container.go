package podman

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/runtime"
)

// container is what is used of GET /containers/{id}/json.
type container struct {
	ID    string `json:"Id"`
	State struct {
		Status    string `json:"Status"`
		Running   bool   `json:"Running"`
		OOMKilled bool   `json:"OOMKilled"`
		Pid       int    `json:"Pid"`
		ExitCode  int    `json:"ExitCode"`
	} `json:"State"`
	Config struct {
		Labels map[string]string `json:"Labels"`
	} `json:"Config"`
}

// phase translates Podman's states.
func phase(status string) runtime.Phase {
	switch strings.ToLower(status) {
	case "created", "configured", "initialized":
		return runtime.PhaseCreated
	case "running", "paused", "stopping":
		return runtime.PhaseRunning
	default: // exited, stopped, removing, unknown
		return runtime.PhaseEnded
	}
}

func (d *Driver) inspect(ctx context.Context, id string) (container, error) {
	var c container
	err := d.conn.call(ctx, request{method: http.MethodGet, path: "/containers/%s/json", args: []string{id}}, &c)
	return c, err
}

// Create implements runtime.Driver.
func (d *Driver) Create(ctx context.Context, c runtime.Container) (string, error) {
	id, err := d.create(ctx, c)
	var refused *apiError
	if err == nil || !errors.As(err, &refused) {
		return id, err
	}
	// Which status a taken name or a missing image has differs by version, so both
	// are looked at.
	old, findErr := d.inspect(ctx, c.Name)
	switch {
	case fault.Is(findErr, fault.NotFound):
		if there, lookErr := d.exists(ctx, c.Image); lookErr == nil && !there {
			return "", fault.New(fault.NotFound, "there is no image "+c.Image+" here", "")
		}
		return "", err
	case findErr != nil:
		return "", err
	case old.Config.Labels[runtime.LabelInstall] != c.Labels[runtime.LabelInstall],
		old.Config.Labels[runtime.LabelUnit] != c.Labels[runtime.LabelUnit]:
		return "", fault.New(fault.Conflict, "the container name "+c.Name+" is taken by another", "podman rm "+c.Name)
	case phase(old.State.Status) == runtime.PhaseEnded:
		return "", fault.New(fault.Conflict, "the container "+c.Name+" has ended already", "")
	}
	return old.ID, nil
}

// create makes the request, one at a time: Podman reads the user's id ranges
// through a library that is not safe for concurrent use (libsubid in 4.3), and
// then says that there are none. Its storage has one lock anyhow.
func (d *Driver) create(ctx context.Context, c runtime.Container) (string, error) {
	body, err := jsonBody(d.boundary(c))
	if err != nil {
		return "", err
	}
	select {
	case d.creating <- struct{}{}:
		defer func() { <-d.creating }()
	case <-ctx.Done():
		return "", ctx.Err()
	}
	var made struct {
		ID string `json:"Id"`
	}
	err = d.conn.call(ctx, request{method: http.MethodPost, path: "/containers/create", body: body, media: "application/json"}, &made)
	return made.ID, err
}

// Start implements runtime.Driver.
func (d *Driver) Start(ctx context.Context, id string) error {
	c, err := d.inspect(ctx, id) // Podman would start an ended container again
	if err != nil {
		return err
	}
	if phase(c.State.Status) == runtime.PhaseEnded {
		return fault.New(fault.Conflict, "the container has ended already", "")
	}
	return d.conn.call(ctx, request{method: http.MethodPost, path: "/containers/%s/start", args: []string{id}}, nil)
}

// Stop implements runtime.Driver. Podman's own stop holds the container's lock
// for the whole grace; signals do not.
func (d *Driver) Stop(ctx context.Context, id string, grace time.Duration) error {
	if ended, err := d.kill(ctx, id, "SIGTERM"); ended || err != nil {
		return err
	}
	patience, cancel := context.WithTimeout(ctx, grace)
	defer cancel()
	_, err := d.Wait(patience, id)
	if !errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil {
		return gone(err)
	}
	if ended, err := d.kill(ctx, id, "SIGKILL"); ended || err != nil {
		return err
	}
	_, err = d.Wait(ctx, id)
	return gone(err)
}

// kill sends a signal. It reports whether the container had ended already.
func (d *Driver) kill(ctx context.Context, id, signal string) (ended bool, err error) {
	err = d.conn.call(ctx, request{
		method: http.MethodPost, path: "/containers/%s/kill", args: []string{id}, query: url.Values{"signal": {signal}},
	}, nil)
	if err == nil {
		return false, nil
	}
	if fault.Is(err, fault.NotFound) {
		return true, nil
	}
	c, findErr := d.inspect(ctx, id)
	switch {
	case fault.Is(findErr, fault.NotFound):
		return true, nil
	case findErr == nil && phase(c.State.Status) != runtime.PhaseRunning:
		return true, nil
	}
	return false, err
}

// gone takes the error of a container that no longer exists for a success.
func gone(err error) error {
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	return err
}

// Remove implements runtime.Driver.
func (d *Driver) Remove(ctx context.Context, id string) error {
	return gone(d.conn.call(ctx, request{
		method: http.MethodDelete, path: "/containers/%s", args: []string{id},
		query: url.Values{"force": {"true"}, "timeout": {"0"}, "v": {"true"}},
	}, nil))
}

// listed is what is used of an item of GET /containers/json.
type listed struct {
	ID        string            `json:"Id"`
	Names     []string          `json:"Names"`
	Labels    map[string]string `json:"Labels"`
	State     string            `json:"State"`
	StartedAt int64             `json:"StartedAt"`
	ExitedAt  int64             `json:"ExitedAt"`
	ExitCode  int               `json:"ExitCode"`
}

// List implements runtime.Driver.
func (d *Driver) List(ctx context.Context, install string) ([]runtime.Instance, error) {
	filters, err := json.Marshal(map[string][]string{"label": {runtime.LabelInstall + "=" + install}})
	if err != nil {
		return nil, err
	}
	var items []listed
	err = d.conn.call(ctx, request{
		method: http.MethodGet, path: "/containers/json", query: url.Values{"all": {"true"}, "filters": {string(filters)}},
	}, &items)
	if err != nil {
		return nil, err
	}
	list := make([]runtime.Instance, 0, len(items))
	for _, item := range items {
		if item.Labels[runtime.LabelInstall] != install {
			continue
		}
		inst := runtime.Instance{ID: item.ID, Labels: item.Labels, Phase: phase(item.State)}
		if len(item.Names) > 0 {
			inst.Name = item.Names[0]
		}
		if item.StartedAt > 0 {
			inst.StartedAt = time.Unix(item.StartedAt, 0)
		}
		if inst.Phase == runtime.PhaseEnded {
			inst.EndedAt, inst.Exit.Code = time.Unix(item.ExitedAt, 0), item.ExitCode
		}
		list = append(list, inst)
	}
	return list, nil
}

// Pause implements runtime.Pauser. Rootless containers can be frozen only where
// control groups are version 2.
func (d *Driver) Pause(ctx context.Context, id string) error { return d.freeze(ctx, id, "pause") }

// Resume implements runtime.Pauser.
func (d *Driver) Resume(ctx context.Context, id string) error { return d.freeze(ctx, id, "unpause") }

func (d *Driver) freeze(ctx context.Context, id, verb string) error {
	if d.host.runtime != "" {
		return errors.ErrUnsupported
	}
	return d.conn.call(ctx, request{method: http.MethodPost, path: "/containers/%s/" + verb, args: []string{id}}, nil)
}
