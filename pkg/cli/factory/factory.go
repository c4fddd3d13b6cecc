// Package factory holds what every command of the CLI is given: the streams,
// the environment and the ways to the rest of Vexa, each made only when a
// command asks for it. cmd/vexa fills it in; it is the one place that names
// adapters.
package factory

import (
	"context"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/client"
	"github.com/vexa-ai/vexa/pkg/doctor"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/home"
	"github.com/vexa-ai/vexa/pkg/keys"
)

// Factory is given to every command. Func fields without a note are required
// only by the commands that call them; a nil one is reported as a defect.
type Factory struct {
	In  io.Reader
	Out io.Writer
	Err io.Writer

	// InTTY, OutTTY and ErrTTY say whether a stream is a terminal; nil: it is not.
	InTTY, OutTTY, ErrTTY func() bool

	// Env reads the environment; os.Getenv in production.
	Env func(string) string

	// Now is the clock.
	Now func() time.Time

	// Terminal opens the controlling terminal for questions, so that stdin and
	// stdout stay free for data.
	Terminal func() (Terminal, error)

	// Interrupts delivers one value for each Ctrl-C until stop is called; nil: none.
	Interrupts func() (ch <-chan struct{}, stop func())

	// Version describes this program.
	Version Version

	// Home finds the installation and makes its directories.
	Home func() (home.Home, error)

	// Spawn starts a daemon for the installation, as client.Start says.
	Spawn func(ctx context.Context, h home.Home) (ended <-chan error, err error)

	// OpenURL has the person's browser show a page; nil: there is none.
	OpenURL func(url string) error

	// Client returns a client of a daemon that answers, starting one if need
	// be. Nil: one is made from Home, Spawn and Version.
	Client func(ctx context.Context) (*client.Client, error)

	// Keys returns the store of an installation's keys; see OpenKeys.
	Keys func(h home.Home) (*keys.Store, error)

	// Contracts are the sealed contracts.
	Contracts Contracts

	// FindModels looks for inference on this machine: local servers, keys in
	// the environment. It returns the best one first.
	FindModels func(ctx context.Context) ([]FoundModel, error)

	// StoredModels are the providers of an installation as its files have them,
	// without their keys; no daemon is asked.
	StoredModels func(h home.Home) ([]api.Provider, error)

	// Rehearsal returns the path of the cassette that ships with Vexa, written
	// where the person can change it.
	Rehearsal func(h home.Home) (string, error)

	// CheckCassette says whether a rehearsal can play a file: fault.NotFound, or
	// fault.Invalid with what is wrong in it. Nil: the daemon alone says so.
	CheckCassette func(path string) error

	// BuildRunner makes a runner's image.
	BuildRunner func(ctx context.Context, h home.Home, b RunnerBuild) (RunnerImage, error)

	// CheckLock says whether what says what an image is made of is right; nil: nobody
	// knows.
	CheckLock func(lock []byte) error

	// Golden is what was recorded of the output of a runner that ships, by the name of the
	// recording; nil: nothing was.
	Golden func(runner string) (map[string][]byte, error)

	// Scratch makes another installation, empty but for a key, a runner of this one and
	// what conformance.AsPrinted makes of it, and has this process use it until drop, which ends it and removes it.
	Scratch func(ctx context.Context, runner string) (h home.Home, drop func(context.Context) error, err error)

	// UID is the user this process runs as; nil: the real one.
	UID func() int

	// System is this machine as doctor sees it; nil: the real one.
	System doctor.System

	// Extra returns commands to be added, by the name of their parent: "" for
	// the root, "daemon" and "runtime".
	Extra func() map[string][]*cobra.Command

	// Flags are the flags every command has.
	Flags Flags

	// SlowAfter is how long something takes until stderr says what is being done;
	// 0: a second.
	SlowAfter time.Duration

	// CompleteWithin is how long a shell waits for names at most; 0: 300 ms.
	CompleteWithin time.Duration

	interrupts interrupts
	activities activities
}

// Flags are the values of the flags that every command has.
type Flags struct {
	Quiet         bool // no notices on stderr
	NoInput       bool // ask nothing
	NoDaemonStart bool // fail where no daemon runs
	JSON          bool // the command was asked for JSON: nothing else is said
	Color         Color
}

// Version describes a build.
type Version struct {
	Version string `json:"version"`
	Commit  string `json:"commit"`
	Date    string `json:"date"`
	Go      string `json:"go"`
}

// Contracts gives access to the sealed contracts.
type Contracts interface {
	// Names lists them, as in "unit.v1".
	Names() []string
	// Source returns the JSON Schema of one.
	Source(name string) ([]byte, error)
	// Validate checks a document; breaking the contract is fault.Invalid.
	Validate(name string, data []byte) error
	// Check runs the gates schema and contract-version. With dir it checks the
	// source tree there (and compares with the merge base in a Git checkout),
	// else what this program was built with. The findings are lines to print;
	// no finding means that everything holds.
	Check(ctx context.Context, dir string) (findings []string, err error)
	// Seal writes seal.json of the source tree at dir and returns what it
	// sealed newly. It refuses to change a seal.
	Seal(ctx context.Context, dir string) (sealed []string, err error)
}

// FoundModel is inference that was found on this machine.
type FoundModel struct {
	Provider api.AddProvider
	From     string // where it was found, in words
}

// Missing is the error for a hook that cmd/vexa did not fill in.
func Missing(hook string) error {
	return fault.New(fault.Internal, "this program was built without "+hook, "")
}
