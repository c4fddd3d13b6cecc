package podman

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"

	"github.com/vexa-ai/vexa/pkg/fault"
)

// Processes implements runtime.Finder. The processes of a container are those
// of its process id namespace, whichever their parent is: nothing in a container
// can leave that, nor make another.
func (d *Driver) Processes(ctx context.Context, ids []string) (map[string][]int, error) {
	d.finding.Lock()
	defer d.finding.Unlock()
	spaces := make(map[string]string, len(ids)) // of namespaces to ids
	known := make(map[string]pidSpace, len(ids))
	var errs []error
	for _, id := range ids {
		space, ok := d.spaces[id]
		if !ok {
			var err error
			if space, err = d.pidSpace(ctx, id); err != nil {
				errs = append(errs, err)
				continue
			}
		}
		if space.held != nil {
			known[id], spaces[space.name] = space, id
		}
	}
	for id, space := range d.spaces {
		if _, ok := known[id]; !ok { // it has ended
			errs = append(errs, space.held.Close())
		}
	}
	d.spaces = known
	found := make(map[string][]int, len(ids))
	if len(spaces) == 0 {
		return found, errors.Join(errs...)
	}
	pids, err := processes()
	for _, pid := range pids {
		link, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/pid", pid))
		if err != nil {
			continue // it has ended, or is another's
		}
		if id, ok := spaces[link]; ok {
			found[id] = append(found[id], pid)
		}
	}
	return found, errors.Join(append(errs, err)...)
}

// pidSpace is a process id namespace. Its name is "pid:[N]" with the number of
// an inode, which the kernel gives to another as soon as nobody has this one:
// held keeps it. Without held there is none.
type pidSpace struct {
	name string
	held *os.File
}

// pidSpace opens the process id namespace of a container.
func (d *Driver) pidSpace(ctx context.Context, id string) (pidSpace, error) {
	c, err := d.inspect(ctx, id)
	if err != nil || c.State.Pid <= 0 {
		return pidSpace{}, gone(err)
	}
	dir := "/proc/" + strconv.Itoa(c.State.Pid)
	held, err := os.Open(dir + "/ns/pid")
	if err != nil {
		if again, lookErr := d.inspect(ctx, id); fault.Is(lookErr, fault.NotFound) || lookErr == nil && !again.State.Running {
			return pidSpace{}, nil
		}
		return pidSpace{}, err
	}
	name, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", held.Fd()))
	var status []byte
	if err == nil {
		status, err = os.ReadFile(dir + "/status")
	}
	if err == nil && !firstOfItsSpace(status) {
		err = fmt.Errorf("process %d is not the first of container %s", c.State.Pid, id)
	}
	if err != nil {
		return pidSpace{}, errors.Join(err, held.Close())
	}
	return pidSpace{name, held}, nil
}

// firstOfItsSpace reads from /proc/PID/status whether the process is number one
// of a process id namespace beneath ours. Any other has taken the number of a
// container's that ended, or is one of another machine.
func firstOfItsSpace(status []byte) bool {
	for line := range bytes.Lines(status) {
		if rest, ok := bytes.CutPrefix(line, []byte("NSpid:")); ok {
			ids := bytes.Fields(rest)
			return len(ids) > 1 && string(ids[len(ids)-1]) == "1"
		}
	}
	return false
}

// processes lists all of this machine.
func processes() ([]int, error) {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	pids := make([]int, 0, len(names))
	for _, name := range names {
		if pid, err := strconv.Atoi(name); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids, err
}
