package bucket

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/vexa-ai/vexa/pkg/contract/manifestv1"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/internal/atomicfile"
	"github.com/vexa-ai/vexa/pkg/internal/filelock"
)

// local is what this installation knows of a bucket, in a directory of its own:
// the pin, encrypted copies of what was read last, and which packs were
// verified. All but the pin can be had again.
type local struct{ dir string }

// pin is the newest generation that this installation saw. Nothing older is
// accepted afterwards.
type pin struct {
	Generation int64             `json:"generation"`
	SHA256     string            `json:"sha256"`           // of its manifest
	Anchor     manifestv1.Anchor `json:"anchor"`           // the manifest with the membership then
	Keyring    string            `json:"keyring,omitzero"` // its name
	// Unverified: a person accepted it, and nothing of it was looked at yet.
	Unverified bool `json:"unverified,omitzero"`
	// Unproven names notes of what was moved that takes approvals, and which nobody
	// looked at yet: that needs the objects of a fetch.
	Unproven []string `json:"unproven,omitempty"`
}

const (
	pinFile     = "pin.json"
	keyringFile = "keyring"
	lockFile    = "lock"
	pushFile    = "push.lock"
	cacheDir    = "cache"
	anchorsDir  = "anchors"
	pendingDir  = "pending"
)

func (l local) path(name string) string { return filepath.Join(l.dir, name) }

// readPin returns the pin; the zero pin where nothing was seen yet.
func (l local) readPin() (pin, error) {
	var p pin
	data, err := os.ReadFile(l.path(pinFile))
	if errors.Is(err, fs.ErrNotExist) {
		return p, nil
	}
	if err != nil {
		return p, err
	}
	if err := json.Unmarshal(data, &p); err != nil || p.Generation < 1 || !isHex(p.SHA256, 64) {
		return p, fault.New(fault.Invalid, l.path(pinFile)+" is damaged: it says which generation was seen last",
			"restore it from a backup; without it an older state of the bucket would be accepted once: remove it only if you know why it is damaged")
	}
	return p, nil
}

// advance moves the pin forward, never back.
func (l local) advance(ctx context.Context, next pin) error {
	unlock, err := l.lock(ctx, lockFile)
	if err != nil {
		return err
	}
	defer unlock()
	now, err := l.readPin()
	if err != nil || now.Generation > next.Generation || now.Generation == next.Generation && !now.Unverified {
		return err
	}
	next.Unproven = append(slices.Clone(now.Unproven), next.Unproven...)
	return l.writePin(next)
}

// writePin replaces the pin.
func (l local) writePin(p pin) error {
	data, err := json.Marshal(p)
	if err != nil {
		return err
	}
	return atomicfile.WriteFile(l.path(pinFile), append(data, '\n'), 0o600)
}

// lock takes a lock file.
func (l local) lock(ctx context.Context, name string) (unlock func(), err error) {
	held, err := filelock.Wait(ctx, l.path(name))
	if err != nil && ctx.Err() == nil {
		err = fault.Wrap(fault.Internal, "lock the state of a bucket", err)
	}
	if err != nil {
		return nil, err
	}
	return held.Release, nil
}

// queue takes a lock file that is a courtesy, and whose holder may stand still:
// it waits no longer than limit and then goes on without.
func (l local) queue(ctx context.Context, name string, limit time.Duration) (leave func(), err error) {
	short, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	leave, err = l.lock(short, name)
	if err != nil && short.Err() != nil && ctx.Err() == nil {
		return func() {}, nil
	}
	return leave, err
}

// keyring returns the copy of the keyring that was used last.
func (l local) keyring() (name string, stored []byte, err error) {
	data, err := os.ReadFile(l.path(keyringFile))
	if err != nil {
		return "", nil, err
	}
	if len(data) < len(keyringName(1, 1)) {
		return "", nil, fs.ErrNotExist
	}
	return string(data[:len(keyringName(1, 1))]), data[len(keyringName(1, 1)):], nil
}

func (l local) keepKeyring(name string, stored []byte) error {
	if len(name) != len(keyringName(1, 1)) {
		return nil
	}
	return atomicfile.Replace(l.path(keyringFile), append([]byte(name), stored...), 0o600)
}

// cached returns the copy of a blob with the hash, or nil. One that is damaged is
// dropped.
func (l local) cached(hash string) []byte {
	for _, dir := range []string{cacheDir, anchorsDir} {
		path := filepath.Join(l.dir, dir, hash)
		data, err := os.ReadFile(path)
		if err == nil && sum(data) == hash {
			return data
		}
		if err == nil {
			_ = os.Remove(path)
		}
	}
	return nil
}

// keepPending stores a note that a pin is going to name.
func (l local) keepPending(hash string, data []byte) error {
	path := filepath.Join(l.dir, pendingDir, hash)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return atomicfile.WriteFile(path, data, 0o600)
}

// pending returns such a note, or nil.
func (l local) pending(hash string) []byte {
	data, err := os.ReadFile(filepath.Join(l.dir, pendingDir, hash))
	if err != nil || sum(data) != hash {
		return nil
	}
	return data
}

// proven forgets what a pin noted, unless more was noted since.
func (l local) proven(ctx context.Context, was pin) error {
	unlock, err := l.lock(ctx, lockFile)
	if err != nil {
		return err
	}
	defer unlock()
	now, err := l.readPin()
	if err != nil {
		return err
	}
	now.Unproven = slices.DeleteFunc(now.Unproven, func(name string) bool { return slices.Contains(was.Unproven, name) })
	if err := l.writePin(now); err != nil {
		return err
	}
	for _, name := range was.Unproven {
		_ = os.Remove(filepath.Join(l.dir, pendingDir, name))
	}
	return nil
}

// keepAnchor stores a copy of a manifest with a membership for good: without one
// of them nothing can be verified, and there are few. It reports whether there
// was none.
func (l local) keepAnchor(hash string, data []byte) bool {
	path := filepath.Join(l.dir, anchorsDir, hash)
	if st, err := os.Stat(path); err == nil && st.Size() == int64(len(data)) {
		return false
	}
	return os.MkdirAll(filepath.Dir(path), 0o700) == nil && atomicfile.Replace(path, data, 0o600) == nil
}

// keep stores a copy of a blob, and drops those of others that are not among
// the named ones. What goes wrong costs a read next time.
func (l local) keep(hash string, data []byte) {
	path := filepath.Join(l.dir, cacheDir, hash)
	if st, err := os.Stat(path); err == nil && st.Size() == int64(len(data)) {
		return // if it is damaged, cached drops it
	}
	if os.MkdirAll(filepath.Dir(path), 0o700) == nil {
		_ = atomicfile.Replace(path, data, 0o600)
	}
}

// forget drops the copies that are not of one of the hashes.
func (l local) forget(keep map[string]bool) {
	entries, err := os.ReadDir(filepath.Join(l.dir, cacheDir))
	if err != nil {
		return
	}
	for _, e := range entries {
		if !keep[e.Name()] {
			_ = os.Remove(filepath.Join(l.dir, cacheDir, e.Name()))
		}
	}
}
