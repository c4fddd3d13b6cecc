package inference

import (
	"bytes"
	"sync"
)

// openedKeys remembers what sealed keys opened to, by the name of the provider. It is
// safe for concurrent use, and shares no memory with who asks.
type openedKeys struct {
	mu   sync.Mutex
	last map[string]openedKey
}

type openedKey struct{ sealed, key []byte }

// of returns the key of a provider where it was last opened from the same bytes.
func (o *openedKeys) of(name string, sealed []byte) (key []byte, ok bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	k, ok := o.last[name]
	if !ok || !bytes.Equal(k.sealed, sealed) {
		return nil, false
	}
	return bytes.Clone(k.key), true
}

func (o *openedKeys) keep(name string, sealed, key []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.last == nil {
		o.last = map[string]openedKey{}
	}
	o.last[name] = openedKey{bytes.Clone(sealed), bytes.Clone(key)}
}

// forget drops the key of a provider that is no more.
func (o *openedKeys) forget(name string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.last, name)
}
