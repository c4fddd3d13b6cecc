package inference_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/inference"
)

// counting is a sealer that counts what it opens.
type counting struct {
	inference.Sealer
	opened atomic.Int64
}

func (c *counting) OpenBytes(sealed []byte) ([]byte, error) {
	c.opened.Add(1)
	return c.Sealer.OpenBytes(sealed)
}

// A key that was opened is opened again when its file is another one, and not before; who
// was given one cannot change it for others.
func TestKeyIsOpenedOnce(t *testing.T) {
	t.Parallel()
	sealer := &counting{Sealer: identity(t)}
	dir := t.TempDir()
	table := open(t, dir, sealer)
	add(t, table, anthropic(), canary)
	has := func(want string) {
		t.Helper()
		key, err := table.Key("anthropic")
		if err != nil || string(key) != want {
			t.Fatalf("key %q, %v", key, err)
		}
		clear(key)
	}
	for range 3 {
		has(canary)
	}
	if n := sealer.opened.Load(); n != 1 {
		t.Fatalf("opened %d times", n)
	}
	// Another process of the same installation puts another key there.
	beside := open(t, dir, sealer)
	if err := beside.Remove(t.Context(), "anthropic"); err != nil {
		t.Fatal(err)
	}
	if _, err := table.Key("anthropic"); err == nil {
		t.Fatal("a key whose file is gone is given out")
	}
	add(t, beside, anthropic(), "another-"+canary)
	has("another-" + canary)
	if err := table.Remove(t.Context(), "anthropic"); err != nil {
		t.Fatal(err)
	}
	if _, err := table.Key("anthropic"); !fault.Is(err, fault.NotFound) {
		t.Fatalf("key of a provider that was removed: %v", err)
	}
}

// Many at once get the key of the provider that they ask for, and never another's.
func TestKeysAtOnce(t *testing.T) {
	t.Parallel()
	table := open(t, t.TempDir(), identity(t))
	const providers = 4
	for i := range providers {
		p := anthropic()
		p.Name = fmt.Sprint("p", i)
		add(t, table, p, fmt.Sprint(canary, i))
	}
	var all sync.WaitGroup
	for i := range 4 * providers {
		all.Go(func() {
			for range 50 {
				key, err := table.Key(fmt.Sprint("p", i%providers))
				if err != nil || string(key) != fmt.Sprint(canary, i%providers) {
					t.Errorf("key of %d: %q, %v", i%providers, key, err)
					return
				}
				clear(key)
			}
		})
	}
	all.Wait()
}
