package workspace

import (
	"time"

	"github.com/vexa-ai/vexa/pkg/contract/unitv1"
)

// Info describes one workspace.
type Info struct {
	ID         string
	Name       string
	Head       string    // commit of main
	CreatedAt  time.Time // UTC
	UpdatedAt  time.Time // committer time of main's commit, UTC
	Files      int       // of main's tree; filled by Lookup, -1 from List
	Bucket     string    // URL of its storage
	Generation int64     // of the bucket
	Mode       unitv1.Mode
	Encrypted  bool
	Unmerged   []string   // branches that main does not hold; filled by Lookup
	Rejected   []Rejected // what an import left out; filled by Create
	WriteOnly  bool       // this installation delivers to it and reads nothing: no more is known
	Problem    string     // why the rest is not known; filled by List
}

// Author is the person on whose behalf something is committed.
type Author struct {
	Subject string // "u_jane"
	Name    string // default: Subject
	Email   string // default: Subject@localhost
}

// CheckoutRequest asks for a working tree of a workspace's main.
type CheckoutRequest struct {
	Workspace string      // name or id
	Unit      string      // ULID of the dispatch
	Dir       string      // absolute; must not exist, or be empty
	History   string      // absolute; gets pack/, hard-linked where it lies on the pack cache's file system
	Meta      string      // absolute; the store's own notes, never mounted
	Mode      unitv1.Mode // ro gets no branch and cannot be sealed
}

// SealRequest asks to commit what a turn left in a checkout.
type SealRequest struct {
	Checkout *Checkout
	Author   Author
	Message  string // its first line, cleaned, becomes the commit's subject
	Unit     string // must be the checkout's
	Launcher string
	Runner   string
	Session  string
	Turn     string
	Reported string // the branch's newest commit that the caller knows of; empty: the one that a seal returned last
	Thorough bool   // read every file again: trust no stat (for the last turn of a container)
}

// Sealed is the outcome of a seal.
type Sealed struct {
	Workspace string
	SHA       string // the commit on the unit's branch; empty where nothing changed
	Branch    string // "vexa/<unit>"
	Files     int    // paths added, changed or removed
	Merged    bool   // main holds SHA
	Main      string // main's commit afterwards
	Conflicts []string
	Proposal  string // id of the proposal that it waits in; empty: Merged, or there is none
	Rejected  []Rejected
	Ignored   int // new paths left out because a .gitignore names them
}

// Rejected names one path that was not committed.
type Rejected struct {
	Path   string // escaped, printable
	Reason string
}

// LogQuery selects commits. The zero value means all of main, newest first.
type LogQuery struct {
	Limit   int    // 0: no limit
	Unit    string // only the commits of this dispatch
	Session string
	Path    string // only commits that touch it
	Rev     string // default main

	Subject  string // only commits on behalf of this subject
	Launcher string // only commits that this launched

	mainline bool // only what main was, not what was merged into it
	noWalk   bool // only the commits that are named, in any order
}

// Commit is one commit with its provenance, which comes from the trailers.
type Commit struct {
	SHA      string
	Parents  []string
	Author   string // "Name <email>"
	Subject  string // on whose behalf; empty where Vexa did not commit
	Launcher string
	Unit     string
	Session  string
	Runner   string
	Turn     string
	Message  string // without the trailers
	Time     time.Time

	Undoes []string // the commits that it took back
}

// FileEntry is one file of a tree.
type FileEntry struct {
	Path string
	Mode string // 100644 | 100755 | 120000 | 160000
	Size int64
	SHA  string // blob id
}

// UndoRequest says what to undo; with none of To, Dispatch and Commit the last commit
// of main is reverted that no undo took back yet.
type UndoRequest struct {
	To       string // make main's tree that of this commit
	Dispatch string // revert every commit of this unit
	Commit   string // revert this commit alone
	Author   Author
	Launcher string
}

// Undone is the outcome of an undo.
type Undone struct {
	SHA       string   // the new commit; empty where it conflicts
	Reverted  []string // commits, newest first
	Conflicts []string // paths
	Proposal  string   // id of the proposal that the undo waits in, in place of SHA; empty: none
}
