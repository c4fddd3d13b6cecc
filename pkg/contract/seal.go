package contract

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/vexa-ai/vexa/pkg/contract/ijson"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/internal/atomicfile"
)

// SealFile is the name of the seal in a directory of contracts: an object from
// each contract to its digest.
const SealFile = "seal.json"

// The directories of a contract that hold examples.
const (
	goldenDir      = "golden"
	predecessorDir = "predecessor" // examples of the public predecessor, as they are there
	invalidDir     = "invalid"
)

// Base knows the seal that a change is compared with: the one at the merge base
// with the main branch. Adapters are outside of this package, which runs no
// program; see package gitbase.
type Base interface {
	// Seal returns that seal, and false where there is none: outside of a Git
	// checkout, and where nothing was sealed yet.
	Seal(ctx context.Context) (map[string]string, bool, error)
}

// Digest returns the digest of a contract: the hex SHA-256 over its schema, its
// goldens and its predecessor's examples. For each file, in the order of their
// names, it covers the name below the contract's directory, a zero byte, the
// length in decimal digits, another zero byte, and the bytes.
func (s *Set) Digest(name string) (string, error) {
	if _, ok := s.each[name]; !ok {
		return "", s.unknown(name)
	}
	files, err := s.sealed(name)
	if err != nil {
		return "", err
	}
	h := sha256.New()
	for _, file := range files {
		data, err := fs.ReadFile(s.fsys, path.Join(name, file))
		if err != nil {
			return "", err
		}
		h.Write([]byte(file + "\x00" + strconv.Itoa(len(data)) + "\x00"))
		h.Write(data)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// sealed returns the files a contract's digest covers, below its directory.
func (s *Set) sealed(name string) ([]string, error) {
	files := []string{path.Base(schemaPath(name))}
	for _, dir := range []string{goldenDir, predecessorDir} {
		names, err := s.examples(name, dir)
		if err != nil {
			return nil, err
		}
		for _, f := range names {
			files = append(files, path.Join(dir, f))
		}
	}
	slices.Sort(files)
	return files, nil
}

// examples returns the names of the files in one directory of a contract.
func (s *Set) examples(name, dir string) ([]string, error) {
	entries, err := fs.ReadDir(s.fsys, path.Join(name, dir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if !e.Type().IsRegular() {
			return nil, fmt.Errorf("%s is not a plain file", path.Join(name, dir, e.Name()))
		}
		names = append(names, e.Name())
	}
	return names, nil
}

// Sealed returns the seal of the set as it is written: digests by contract.
func (s *Set) Sealed() (map[string]string, error) {
	data, err := fs.ReadFile(s.fsys, SealFile)
	if errors.Is(err, fs.ErrNotExist) {
		return map[string]string{}, nil
	}
	if err != nil {
		return nil, err
	}
	return ParseSeal(data)
}

// ParseSeal reads the bytes of a SealFile. The error is fault.Invalid.
func ParseSeal(data []byte) (map[string]string, error) {
	seal := map[string]string{}
	if _, err := ijson.Parse(data); err != nil {
		return nil, fault.Newf(fault.Invalid, "%s %w", SealFile, err)
	}
	if err := json.Unmarshal(data, &seal); err != nil {
		return nil, fault.Newf(fault.Invalid, "%s is no object of digests: %w", SealFile, err)
	}
	return seal, nil
}

// Seal seals the contracts in dir, a directory such as schemas/ of a source
// tree, that are not sealed yet and pass the gate "schema", and returns their
// names. Where a sealed contract has changed, or is gone, nothing is written
// and the error is fault.Conflict: a change means a next version beside it.
func Seal(ctx context.Context, dir string) ([]string, error) {
	return seal(ctx, dir, false)
}

// seal does it; with force it also accepts changes, which only the tests of
// contracts that nobody has yet can ask for.
func seal(ctx context.Context, dir string, force bool) ([]string, error) {
	set, err := Open(os.DirFS(dir))
	if err != nil {
		return nil, fault.Wrap(fault.NotFound, "open the contracts in "+dir, err)
	}
	old, err := set.Sealed()
	if err != nil {
		return nil, err
	}
	sealed, now, err := set.reseal(ctx, old, force)
	if err != nil || len(sealed) == 0 {
		return nil, err
	}
	data, err := json.MarshalIndent(now, "", "  ")
	if err != nil {
		return nil, err
	}
	if err := atomicfile.WriteFile(filepath.Join(dir, SealFile), append(data, '\n'), 0o644); err != nil {
		return nil, fmt.Errorf("write the seal: %w", err)
	}
	return sealed, nil
}

// reseal returns what is to be sealed and the seal with it.
func (s *Set) reseal(ctx context.Context, old map[string]string, force bool) (sealed []string, now map[string]string, err error) {
	now = maps.Clone(old)
	for _, name := range s.names {
		digest, err := s.Digest(name)
		if err != nil {
			return nil, nil, err
		}
		if was, ok := old[name]; ok && was == digest {
			continue
		} else if ok && !force {
			return nil, nil, changed(name)
		}
		if r := s.checkSchema(ctx, name); !r.OK {
			return nil, nil, fault.New(fault.Invalid, name+" cannot be sealed: "+r.Detail, "")
		}
		now[name] = digest
		sealed = append(sealed, name)
	}
	for name := range old {
		if _, ok := s.each[name]; ok {
			continue
		}
		if !force {
			return nil, nil, fault.New(fault.Conflict, name+" is sealed and gone", "a sealed contract stays: bring it back")
		}
		delete(now, name)
	}
	return sealed, now, nil
}

// changed says that a sealed contract is not what it was.
func changed(name string) error {
	return fault.New(fault.Conflict, name+" is sealed and has changed", "undo the change, and add "+nextVersion(name)+" beside it")
}

// nextVersion returns the name with its version counted on.
func nextVersion(name string) string {
	stem, version, _ := strings.Cut(name, ".v")
	n, err := strconv.Atoi(version)
	if err != nil {
		return stem + ".v2"
	}
	return stem + ".v" + strconv.Itoa(n+1)
}
