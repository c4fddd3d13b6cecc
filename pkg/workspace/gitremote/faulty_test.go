package gitremote_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/seal"
	"github.com/vexa-ai/vexa/pkg/signature"
	"github.com/vexa-ai/vexa/pkg/workspace/blob"
	"github.com/vexa-ai/vexa/pkg/workspace/blob/blobtest"
	"github.com/vexa-ai/vexa/pkg/workspace/blob/dir"
	"github.com/vexa-ai/vexa/pkg/workspace/bucket"
	"github.com/vexa-ai/vexa/pkg/workspace/git"
	"github.com/vexa-ai/vexa/pkg/workspace/gitremote"
)

// What the faulty helper is told by its environment.
const (
	envKey     = "VEXA_TEST_KEY"      // the member's identity
	envState   = "VEXA_TEST_STATE"    // bucket.Options.State
	envSkew    = "VEXA_TEST_SKEW"     // how far its clock is off
	envNoLinks = "VEXA_TEST_NO_LINKS" // the file system has no hard links
	envFail    = "VEXA_TEST_FAIL"     // before|after:OP:PREFIX, once: the operation on such a blob
)

// faulty returns the machine with the helper that is the test binary.
func (m *machine) faulty(env ...string) *machine {
	m.tb.Helper()
	self, err := os.Executable()
	must(m.tb, err)
	bin := m.path("faulty-bin")
	must(m.tb, os.MkdirAll(bin, 0o700))
	link := filepath.Join(bin, helperName)
	if err := os.Symlink(self, link); err != nil && !errors.Is(err, os.ErrExist) {
		m.tb.Fatal(err)
	}
	env = append([]string{
		"PATH=" + bin + ":/usr/bin:/bin", envKey + "=" + m.chain.Classic().String(), envState + "=" + m.path("faulty-state"),
	}, env...)
	return m.with(env...)
}

// serveFaulty is git-remote-vexa with the faults that its environment names.
func serveFaulty() int {
	err := serve(context.Background())
	if err == nil {
		return 0
	}
	fmt.Fprintln(os.Stderr, "vexa: error: "+err.Error())
	if hint := fault.HintOf(err); hint != "" {
		fmt.Fprintln(os.Stderr, "vexa: hint: "+hint)
	}
	return 1
}

func serve(ctx context.Context) error {
	who, err := newPerson(os.Getenv(envKey))
	if err != nil {
		return err
	}
	store, err := dir.Open(os.Args[2], dir.Options{NoHardLinks: os.Getenv(envNoLinks) != ""})
	if err != nil {
		return err
	}
	skew := time.Duration(0)
	if text := os.Getenv(envSkew); text != "" {
		if skew, err = time.ParseDuration(text); err != nil {
			return err
		}
	}
	b, err := bucket.Open(ctx, bucket.Options{
		Store: failingStore(store, os.Getenv(envFail)), Keys: who, State: os.Getenv(envState),
		Now: func() time.Time { return time.Now().Add(skew) },
	})
	if err != nil {
		return err
	}
	defer b.Close()
	g, err := git.New(ctx, git.Options{})
	if err != nil {
		return err
	}
	gitDir := os.Getenv("GIT_DIR")
	if gitDir != "" {
		if gitDir, err = filepath.Abs(gitDir); err != nil {
			return err
		}
	}
	return gitremote.Run(ctx, gitremote.Options{In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Remote: os.Args[1], GitDir: gitDir, Git: g, Bucket: b})
}

// failingStore fails one operation as the text says.
func failingStore(s blob.Store, text string) blob.Store {
	when, rest, _ := strings.Cut(text, ":")
	op, prefix, _ := strings.Cut(rest, ":")
	var done atomic.Bool
	hook := func(at string) blobtest.Hook {
		return func(o, name string) error {
			if at == when && o == op && strings.HasPrefix(name, prefix) && done.CompareAndSwap(false, true) {
				return blob.ErrUnavailable
			}
			return nil
		}
	}
	return &blobtest.Faulty{Store: s, Before: hook("before"), After: hook("after")}
}

// person implements bucket.Keys with one identity.
type person struct {
	id     *seal.Identity
	signer signature.Signer
}

func newPerson(secret string) (*person, error) {
	id, err := seal.ParseIdentity(secret)
	if err != nil {
		return nil, err
	}
	signer, err := signature.Derive(id.String())
	return &person{id: id, signer: signer}, err
}

// OpenKeyring implements bucket.Keys.
func (p *person) OpenKeyring(_ context.Context, sealed []byte) ([]byte, error) {
	return seal.DecryptBytes(sealed, p.id)
}

// ParseRecipient implements bucket.Keys.
func (p *person) ParseRecipient(text string) (seal.Recipient, error) {
	return seal.ParseRecipient(text)
}

// Signer implements bucket.Keys.
func (p *person) Signer(context.Context) (signature.Signer, error) { return p.signer, nil }
