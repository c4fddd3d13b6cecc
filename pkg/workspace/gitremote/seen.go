package gitremote

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/internal/atomicfile"
	"github.com/vexa-ai/vexa/pkg/workspace/bucket"
)

// A repository notes which generation of a bucket it has everything of, in
// vexa/<bucket id>.json of its git directory. Without the note everything is
// fetched again, which costs time alone.

type seen struct {
	Generation int64 `json:"generation"`
}

func seenFile(r *bucket.Repo, id string) string {
	return filepath.Join(filepath.Dir(r.Objects), "vexa", id+".json")
}

func readSeen(r *bucket.Repo, id string) (int64, error) {
	data, err := os.ReadFile(seenFile(r, id))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fault.Wrap(fault.Internal, "read what was fetched before", err)
	}
	var s seen
	if err := json.Unmarshal(data, &s); err != nil {
		return 0, nil //nolint:nilerr // a note that is damaged says nothing, and everything is fetched again
	}
	return max(s.Generation, 0), nil
}

// writeSeen moves the note forward.
func writeSeen(r *bucket.Repo, id string, generation int64) error {
	now, err := readSeen(r, id)
	if err != nil || now >= generation {
		return err
	}
	path := seenFile(r, id)
	data, err := json.Marshal(seen{Generation: generation})
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fault.Wrap(fault.Internal, "note what was fetched", err)
	}
	return fault.Wrap(fault.Internal, "note what was fetched", atomicfile.Replace(path, append(data, '\n'), 0o600))
}

func removeKeep(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fault.Wrap(fault.Internal, "let a pack go", err)
	}
	return nil
}

func dropKeeps(got bucket.Fetched) {
	for _, keep := range got.Keeps {
		_ = removeKeep(keep)
	}
}
