package inference

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/inference/rehearsal"
	"github.com/vexa-ai/vexa/pkg/internal/atomicfile"
	"github.com/vexa-ai/vexa/pkg/internal/nearest"
)

// Sealer encrypts keys at rest; *seal.Identity is one. While the installation
// is locked its methods return fault.Locked.
type Sealer interface {
	SealBytes(plain []byte) ([]byte, error)
	OpenBytes(sealed []byte) ([]byte, error)
}

// Options configure a Table.
type Options struct {
	Dir    string           // its directory, which exists; home.Config in production
	Sealer Sealer           // for the keys
	Now    func() time.Time // the clock
}

// Table is the providers of an installation, kept in Dir/providers.json, and
// their keys, each in a file of its own. One process at a time writes it; it
// is safe for concurrent use within that process. What it returns are copies.
type Table struct {
	opts Options

	mu        sync.RWMutex
	providers []row // in the order they were added

	keys openedKeys
}

// row is a provider as it is kept.
type row struct {
	Provider
	AddedAt time.Time `json:"addedAt"`
}

// file is providers.json.
type file struct {
	Version   int   `json:"version"`
	Providers []row `json:"providers"`
}

const fileVersion = 1

// maxKey is the longest key in bytes.
const maxKey = 16 << 10

// Open reads the table. A file that is missing is an empty table; one that does
// not hold to its form is fault.Invalid, never an empty table.
func Open(opts Options) (*Table, error) {
	t := &Table{opts: opts}
	data, err := os.ReadFile(t.path())
	if errors.Is(err, fs.ErrNotExist) {
		return t, nil
	}
	if err != nil {
		return nil, fault.Wrap(fault.Internal, "read the provider table", err)
	}
	var f file
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	err = dec.Decode(&f)
	if err == nil && dec.More() {
		err = errors.New("more data after the table")
	}
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, "the provider table "+t.path(), err)
	}
	if f.Version != fileVersion {
		return nil, fault.Newf(fault.Invalid, "the provider table %s has version %d, not %d", t.path(), f.Version, fileVersion)
	}
	seen := map[string]bool{}
	for _, r := range f.Providers {
		if err := r.Check(); err != nil {
			return nil, fault.Wrap(fault.Invalid, "the provider table "+t.path(), err)
		}
		if seen[r.Name] {
			return nil, fault.Newf(fault.Invalid, "the provider table %s names %s twice", t.path(), r.Name)
		}
		seen[r.Name] = true
	}
	t.providers = f.Providers
	return t, nil
}

func (t *Table) path() string { return filepath.Join(t.opts.Dir, "providers.json") }

// keyPath hides the name: a directory listing or a backup's index says nothing
// about who is used.
func (t *Table) keyPath(name string) string {
	sum := sha256.Sum256([]byte("vexa provider key\x00" + name))
	return filepath.Join(t.opts.Dir, "provider-keys", hex.EncodeToString(sum[:16])+".age")
}

// Add puts a provider into the table, with its key sealed; an empty key means
// none. HasKey is ignored. A rehearsal without models serves one by its own
// name; its cassette has to be there (fault.NotFound) and to be one. The provider
// becomes the default where it asks to be, where there is no other, and where it
// serves a model and the default is a rehearsal: what a person adds is what they
// want to use. The error is fault.Conflict where the name is taken.
func (t *Table) Add(ctx context.Context, p Provider, key []byte) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if p.Protocol == Rehearsal && len(p.Models) == 0 {
		p.Models = []string{p.Name}
	}
	if err := p.Check(); err != nil {
		return err
	}
	key = bytes.TrimSpace(key)
	if err := checkKey(p, key); err != nil {
		return err
	}
	if p.Protocol == Rehearsal {
		if err := CheckCassette(p.Cassette); err != nil {
			return err
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.index(p.Name) >= 0 {
		return fault.New(fault.Conflict, "there is a provider "+p.Name+" already", "remove it first: vexa model remove "+p.Name)
	}
	if len(key) > 0 {
		if err := t.writeKey(p.Name, key); err != nil {
			return err
		}
	}
	p = clone(p)
	p.HasKey = len(key) > 0
	next := slices.Clone(t.providers)
	current := slices.IndexFunc(next, func(r row) bool { return r.Default })
	p.Default = p.Default || current < 0 || next[current].Protocol == Rehearsal && p.Protocol != Rehearsal
	if p.Default && current >= 0 {
		next[current].Default = false
	}
	return t.save(append(next, row{p, t.opts.Now().UTC()}))
}

// CheckCassette reports whether a rehearsal can play a file: fault.NotFound
// where it cannot be read, fault.Invalid where it is no cassette.
func CheckCassette(path string) error {
	_, err := rehearsal.Load(path)
	if fault.Is(err, fault.Invalid) {
		return &fault.Error{Kind: fault.Invalid, Err: err, Hint: "the cassette that vexa init writes says what one is made of"}
	}
	return err
}

func checkKey(p Provider, key []byte) error {
	switch {
	case len(key) == 0:
		return nil
	case p.Protocol == Rehearsal:
		return fault.New(fault.Invalid, "a rehearsal has no key", "")
	case len(key) > maxKey:
		return fault.New(fault.Invalid, "the key is too long", "give the key alone, in one line")
	case bytes.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r >= 0x7f }):
		return fault.New(fault.Invalid, "the key has a space, a line break or a character that no key has", "give the key alone, in one line")
	case strings.HasPrefix(p.URL, "http:") && !p.Local():
		return fault.New(fault.Invalid, "the key would cross the network unencrypted", "use an https URL")
	default:
		return nil
	}
}

func (t *Table) writeKey(name string, key []byte) error {
	sealed, err := t.opts.Sealer.SealBytes(key)
	if err != nil {
		return fmt.Errorf("seal the key of %s: %w", name, err)
	}
	path := t.keyPath(name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fault.Wrap(fault.Internal, "create the directory of keys", err)
	}
	return fault.Wrap(fault.Internal, "write the key of "+name, atomicfile.WriteFile(path, sealed, 0o600))
}

// save makes next the table, on disk first.
func (t *Table) save(next []row) error {
	data, err := json.MarshalIndent(file{fileVersion, next}, "", "  ")
	if err != nil {
		return fault.Wrap(fault.Internal, "encode the provider table", err)
	}
	if err := atomicfile.WriteFile(t.path(), append(data, '\n'), 0o600); err != nil {
		return fault.Wrap(fault.Internal, "write the provider table", err)
	}
	t.providers = next
	return nil
}

// Remove takes a provider and its key out of the table. Where it was the
// default, the first one left is.
func (t *Table) Remove(ctx context.Context, name string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	i := t.index(name)
	if i < 0 {
		return t.unknown(name)
	}
	wasDefault := t.providers[i].Default
	next := slices.Delete(slices.Clone(t.providers), i, i+1)
	if wasDefault && len(next) > 0 {
		next[0].Default = true
	}
	if err := t.save(next); err != nil {
		return err
	}
	t.keys.forget(name)
	if err := os.Remove(t.keyPath(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fault.Wrap(fault.Internal, "remove the key of "+name, err)
	}
	return nil
}

// SetDefault makes the provider's first model the default model.
func (t *Table) SetDefault(ctx context.Context, name string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.index(name) < 0 {
		return t.unknown(name)
	}
	next := slices.Clone(t.providers)
	for i := range next {
		next[i].Default = next[i].Name == name
	}
	return t.save(next)
}

// SetPrices sets what models of a provider cost, and with nil that it is not known. It
// changes all of them or none; the next request of each dispatch is counted by it.
// Whose price or model is not right is fault.Invalid.
func (t *Table) SetPrices(ctx context.Context, name string, prices map[string]*Price) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	i := t.index(name)
	if i < 0 {
		return t.unknown(name)
	}
	p := clone(t.providers[i].Provider)
	if p.Protocol == Rehearsal {
		return fault.New(fault.Invalid, "provider "+name+" is a rehearsal, which costs nothing", "name a provider of models: vexa model list")
	}
	if p.Prices == nil {
		p.Prices = map[string]Price{}
	}
	for model, price := range prices {
		switch {
		case !slices.Contains(p.Models, model):
			return fault.New(fault.Invalid, fmt.Sprintf("provider %s has no model %q", name, model), "it has "+strings.Join(p.Models, ", "))
		case price == nil:
			delete(p.Prices, model)
		default:
			p.Prices[model] = *price
		}
	}
	if err := p.Check(); err != nil {
		return err
	}
	next := slices.Clone(t.providers)
	next[i].Provider = p
	return t.save(next)
}

// List returns the providers in the order they were added.
func (t *Table) List() []Provider {
	t.mu.RLock()
	defer t.mu.RUnlock()
	out := make([]Provider, 0, len(t.providers))
	for _, r := range t.providers {
		out = append(out, clone(r.Provider))
	}
	return out
}

// Get returns the provider of that name; the error is fault.NotFound.
func (t *Table) Get(name string) (Provider, error) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	i := t.index(name)
	if i < 0 {
		return Provider{}, t.unknown(name)
	}
	return clone(t.providers[i].Provider), nil
}

// Key returns the provider's key in the clear, nil where it has none. The error
// is fault.Locked while the installation is locked. The caller keeps it no
// longer than one request needs.
//
// The file is read each time, and opened when it is another than the last time: that
// takes longer than all else that is done with a request. What opened it is in the
// memory of this process for as long as the table is, so that the key may be, too.
func (t *Table) Key(name string) ([]byte, error) {
	p, err := t.Get(name)
	if err != nil {
		return nil, err
	}
	if !p.HasKey {
		return nil, nil
	}
	sealed, err := os.ReadFile(t.keyPath(name))
	if err != nil {
		return nil, fault.New(fault.Internal, "the key of "+name+" cannot be read", "remove the provider and add it again")
	}
	if key, ok := t.keys.of(name, sealed); ok {
		return key, nil
	}
	key, err := t.opts.Sealer.OpenBytes(sealed)
	if err != nil {
		return nil, fmt.Errorf("open the key of %s: %w", name, err)
	}
	t.keys.keep(name, sealed, key)
	return key, nil
}

func (t *Table) index(name string) int {
	return slices.IndexFunc(t.providers, func(r row) bool { return r.Name == name })
}

func (t *Table) unknown(name string) error {
	names := make([]string, 0, len(t.providers))
	for _, r := range t.providers {
		names = append(names, r.Name)
	}
	return fault.New(fault.NotFound, fmt.Sprintf("there is no provider %q", name), nearest.Hint(name, names, "list them with: vexa model list"))
}

func clone(p Provider) Provider {
	p.Models, p.Also = slices.Clone(p.Models), slices.Clone(p.Also)
	if p.Prices != nil {
		p.Prices = maps.Clone(p.Prices)
	}
	return p
}
