package workspace

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/vexa-ai/vexa/pkg/contract"
	"github.com/vexa-ai/vexa/pkg/contract/workspacev1"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/internal/atomicfile"
	"github.com/vexa-ai/vexa/pkg/internal/nearest"
)

// record is what the person of this installation calls a workspace. It rests
// encrypted to them: a name says much.
type record struct {
	ID        string    `json:"id"`
	Name      string    `json:"name"`
	CreatedAt time.Time `json:"createdAt"`
	Bucket    string    `json:"bucket,omitempty"`    // its id; older records lack it
	WriteOnly bool      `json:"writeOnly,omitempty"` // this installation delivers to it, and reads nothing
}

const (
	recordFile   = "record.age"
	oldRecord    = "record.json" // readable, of the time before buckets
	contractFile = "workspace.json"
	makingPrefix = ".making-" // of a workspace that is being made

	schemeAge  = "age"
	schemeNone = "none"
)

// cachedRecord is a record that was read, and what its file was like then.
type cachedRecord struct {
	record record
	size   int64
	time   time.Time
}

// records reads the registry.
func (s *Store) records() ([]record, error) {
	entries, err := os.ReadDir(s.opt.Root)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, "read the workspaces", err)
	}
	var out []record
	for _, e := range entries {
		if !e.IsDir() || !idForm.MatchString(e.Name()) {
			continue
		}
		rec, err := s.record(e.Name())
		if errors.Is(err, fs.ErrNotExist) {
			continue // not a workspace, or just removed
		}
		if err != nil {
			return nil, err
		}
		out = append(out, rec)
	}
	slices.SortFunc(out, func(a, b record) int { return cmp.Compare(a.Name, b.Name) })
	return out, nil
}

// record reads the record of a workspace, the encrypted one or else the old one.
func (s *Store) record(id string) (record, error) {
	path := filepath.Join(s.dir(id), recordFile)
	st, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		path = filepath.Join(s.dir(id), oldRecord)
		data, err := os.ReadFile(path)
		if err != nil {
			return record{}, err
		}
		return parseRecord(path, id, data)
	}
	if err != nil {
		return record{}, err
	}
	s.mu.Lock()
	known, ok := s.cache[id]
	s.mu.Unlock()
	if ok && known.size == st.Size() && known.time.Equal(st.ModTime()) {
		return known.record, nil
	}
	sealed, err := os.ReadFile(path)
	if err != nil {
		return record{}, err
	}
	data, err := s.opt.Sealer.OpenBytes(sealed)
	if err != nil {
		return record{}, &fault.Error{Kind: fault.KindOf(err), Msg: "open " + path, Err: err, Hint: "restore it from a backup"}
	}
	rec, err := parseRecord(path, id, data)
	if err == nil {
		s.mu.Lock()
		s.cache[id] = cachedRecord{record: rec, size: st.Size(), time: st.ModTime()}
		s.mu.Unlock()
	}
	return rec, err
}

func parseRecord(path, id string, data []byte) (record, error) {
	var rec record
	if err := json.Unmarshal(data, &rec); err != nil || rec.ID != id || !nameForm.MatchString(rec.Name) {
		return rec, fault.New(fault.Invalid, path+" is damaged", "restore it from a backup")
	}
	return rec, nil
}

// writeRecord stores a record in a directory.
func (s *Store) writeRecord(dir string, rec record) error {
	data, err := json.Marshal(rec)
	if err != nil {
		return err
	}
	sealed, err := s.opt.Sealer.SealBytes(data)
	if err != nil {
		return err
	}
	return atomicfile.WriteFile(filepath.Join(dir, recordFile), sealed, 0o600)
}

// contractName is the contract of what says where a workspace rests.
const contractName = "workspace.v1"

// Prepare gets ready, in the background, what it takes to find a workspace. A
// process that lives for one fetch or push saves the wait.
func Prepare() { contract.Prepare(contractName) }

// scpScheme makes a URI, which the contract wants, of USER@HOST:PATH, which git
// takes for the address of a repository.
const scpScheme = "scp:"

// contract reads where a workspace rests.
func (s *Store) contract(rec record) (workspacev1.Workspace, error) {
	data, err := os.ReadFile(filepath.Join(s.dir(rec.ID), contractFile))
	if err != nil {
		return workspacev1.Workspace{}, fault.Wrap(fault.Internal, "read the workspace "+rec.Name, err)
	}
	ws, err := contract.Decode[workspacev1.Workspace](contractName, data)
	ws.Bucket = strings.TrimPrefix(ws.Bucket, scpScheme)
	return ws, err
}

// writeContract stores where a workspace rests in a directory.
func writeContract(dir string, ws workspacev1.Workspace) error {
	if !strings.Contains(ws.Bucket, "://") {
		ws.Bucket = scpScheme + ws.Bucket
	}
	data, err := json.MarshalIndent(ws, "", "  ")
	if err != nil {
		return err
	}
	if err := contract.Validate(contractName, data); err != nil {
		return err
	}
	return atomicfile.WriteFile(filepath.Join(dir, contractFile), append(data, '\n'), 0o600)
}

// find returns the record of the workspace with the name or id.
func (s *Store) find(ctx context.Context, nameOrID string) (record, error) {
	if err := ctx.Err(); err != nil {
		return record{}, err
	}
	missing := func(names []string) error {
		return fault.New(fault.NotFound, "there is no workspace "+strconv.Quote(nameOrID),
			nearest.Hint(nameOrID, names, "vexa workspace list shows them; vexa workspace create makes one"))
	}
	if !nameForm.MatchString(nameOrID) {
		return record{}, missing(nil)
	}
	if idForm.MatchString(nameOrID) {
		rec, err := s.record(nameOrID)
		if !errors.Is(err, fs.ErrNotExist) {
			return rec, err
		}
	}
	records, err := s.records()
	if err != nil {
		return record{}, err
	}
	names := make([]string, 0, len(records))
	for _, rec := range records {
		if rec.Name == nameOrID {
			return rec, nil
		}
		names = append(names, rec.Name)
	}
	return record{}, missing(names)
}

// readable refuses a workspace that this installation writes and does not read.
func (rec record) readable() error {
	if !rec.WriteOnly {
		return nil
	}
	return fault.New(fault.Denied, "this installation writes workspace "+rec.Name+" and does not read it", "deliver to it from any repository: git push vexa::"+rec.Name+" HEAD:BRANCH")
}

// Find returns the id and the name of the workspace with the name or id, which this
// installation has to be one that reads. It reads nothing but the registry.
func (s *Store) Find(ctx context.Context, nameOrID string) (id, name string, err error) {
	rec, err := s.find(ctx, nameOrID)
	if err == nil {
		err = rec.readable()
	}
	return rec.ID, rec.Name, err
}

// Bucket returns the URL of the bucket of the workspace with the name or id. It
// reads nothing but the registry.
func (s *Store) Bucket(ctx context.Context, nameOrID string) (string, error) {
	rec, err := s.find(ctx, nameOrID)
	if err != nil {
		return "", err
	}
	ws, err := s.contract(rec)
	return ws.Bucket, err
}
