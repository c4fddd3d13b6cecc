package api

import "time"

// Workspace is one row of GET /v1/workspaces.
type Workspace struct {
	Name      string    `json:"name"`
	ID        string    `json:"id"`
	Head      string    `json:"head"` // commit of main; empty while there is none
	CreatedAt time.Time `json:"createdAt"`
	UpdatedAt time.Time `json:"updatedAt"` // time of the newest commit
	Files     int       `json:"files"`     // -1 in a list: it opens no workspace
	Encrypted bool      `json:"encrypted"`
	Unmerged  []string  `json:"unmerged"` // branches kept because they conflict; empty in a list

	Bucket     string `json:"bucket"`            // URL of where it rests
	Generation int64  `json:"generation"`        // of the bucket; 0 where it is not known
	WriteOnly  bool   `json:"writeOnly"`         // this installation delivers to it and reads nothing: no more is known
	Problem    string `json:"problem,omitempty"` // why the rest is not known
}

// WorkspaceStatus answers GET /v1/workspaces/{name}/status.
type WorkspaceStatus struct {
	Name       string    `json:"name"`
	Bucket     string    `json:"bucket"` // URL
	Generation int64     `json:"generation"`
	UpdatedAt  time.Time `json:"updatedAt"` // of that generation
	Open       bool      `json:"open"`      // it is readable on this machine
	Behind     int64     `json:"behind"`    // generations that the open workspace has not followed yet
	Ahead      int       `json:"ahead"`     // commits of dispatches that main does not hold
	Unmerged   []string  `json:"unmerged"`  // their branches
	Proposals  int       `json:"proposals"` // that are open; -1: it is not known while the workspace is not
	Inbox      int       `json:"inbox"`     // deliveries that were not taken up
	Members    int       `json:"members"`
	Policy     int       `json:"policy"` // version of the membership with its rights: one more with each change
	Epoch      int       `json:"epoch"`
	Packs      int       `json:"packs"`
	Unverified int       `json:"unverified"` // packs that this installation has not looked into yet
	Backup     *Backup   `json:"backup"`     // the last one that this installation made; null: none
}

// Backup says when and where a workspace was backed up.
type Backup struct {
	Time       time.Time `json:"time"`
	Bucket     string    `json:"bucket"` // URL
	Generation int64     `json:"generation"`
}

// CreateWorkspace is the body of POST /v1/workspaces.
type CreateWorkspace struct {
	Name string `json:"name"`
	From string `json:"from,omitempty"` // a directory to copy as the first commit

	Bucket      string `json:"bucket,omitempty"`      // URL of where it rests; empty: on this machine
	PostQuantum bool   `json:"postQuantum,omitempty"` // encrypted against quantum computers, too
}

// Commit is one row of GET /v1/workspaces/{name}/log.
type Commit struct {
	SHA       string    `json:"sha"`
	Subject   string    `json:"subject"`  // on whose behalf; empty where Vexa did not commit
	Launcher  string    `json:"launcher"` // likewise
	Unit      string    `json:"unit"`
	Session   string    `json:"session"`
	Runner    string    `json:"runner"`
	Message   string    `json:"message"` // without the trailers
	Author    string    `json:"author"`
	Time      time.Time `json:"time"`
	Parents   []string  `json:"parents"`
	Workspace string    `json:"workspace"` // id
	Undoes    []string  `json:"undoes"`    // the commits that it took back
}

// FileEntry is one file of GET /v1/workspaces/{name}/files.
type FileEntry struct {
	Path string `json:"path"`
	Mode string `json:"mode"` // 100644 | 100755 | 120000
	Size int64  `json:"size"` // bytes
	SHA  string `json:"sha"`  // blob id
}

// BlameLine is one line of GET /v1/workspaces/{name}/blame?rev=&path=.
type BlameLine struct {
	Line   int    `json:"line"` // from 1
	Text   string `json:"text"`
	Commit Commit `json:"commit"` // that last changed it
}

// Diff answers GET /v1/workspaces/{name}/diff?from=&to=&unit=&path=.
type Diff struct {
	From  string `json:"from"`
	To    string `json:"to"`
	Patch string `json:"patch"` // unified
}

// UndoRequest is the body of POST /v1/workspaces/{name}/undo. With no member
// set, the last commit of main is reverted.
type UndoRequest struct {
	To       string `json:"to,omitempty"`       // make main's tree that of this commit
	Dispatch string `json:"dispatch,omitempty"` // revert all commits of this unit
	Commit   string `json:"commit,omitempty"`   // revert this commit alone
}

// Undone answers it.
type Undone struct {
	SHA       string   `json:"sha"`       // the new commit; empty when it conflicts
	Reverted  []string `json:"reverted"`  // commits
	Conflicts []string `json:"conflicts"` // paths
	Proposal  string   `json:"proposal"`  // the proposal that it waits in, in place of sha; empty: none
}

// AddWorkspace is the body of POST /v1/workspaces/add.
type AddWorkspace struct {
	Name string `json:"name"`
	URL  string `json:"url"` // of a bucket that is there
}

// Rekeyed is one row of the answer to POST /v1/keys.
type Rekeyed struct {
	Workspace  string `json:"workspace"`
	Changed    bool   `json:"changed"`
	Generation int64  `json:"generation"` // of the bucket afterwards
	Error      string `json:"error,omitempty"`
}

// VerifyRequest is the body of POST /v1/workspaces/{name}/verify.
type VerifyRequest struct {
	Paranoid bool `json:"paranoid,omitempty"` // index every pack again
}

// Verified answers it.
type Verified struct {
	Healthy    bool      `json:"healthy"`
	Generation int64     `json:"generation"` // the newest that can be read
	Newest     int64     `json:"newest"`     // the newest that is stored
	Seen       int64     `json:"seen"`       // the newest that this installation has seen
	Manifests  int       `json:"manifests"`
	Packs      int       `json:"packs"`
	Refs       int       `json:"refs"`
	Bytes      int64     `json:"bytes"` // that were read
	Findings   []Finding `json:"findings"`
}

// Finding is one thing that is wrong with a bucket.
type Finding struct {
	Object     string `json:"object"`
	Generation int64  `json:"generation"` // 0: it belongs to none
	Kind       string `json:"kind"`
	What       string `json:"what"`
	Readable   string `json:"readable"` // what can be read nevertheless
	Repair     string `json:"repair"`   // the next command
}

// RepairRequest is the body of POST /v1/workspaces/{name}/repair.
type RepairRequest struct {
	From   string `json:"from,omitempty"`   // the git directory of a clone
	DryRun bool   `json:"dryRun,omitempty"` // say what would be done
	// PassOver passes over generations, too, that others may have a key for.
	PassOver bool `json:"passOver,omitempty"`
}

// Repaired answers it.
type Repaired struct {
	Actions    []string  `json:"actions"`    // what was done, or would be
	Generation int64     `json:"generation"` // the newest afterwards; 0: nothing was done
	Moved      []string  `json:"moved"`      // refs that were taken from the clone
	Broken     []string  `json:"broken"`     // refs that cannot be made whole
	Offered    []string  `json:"offered"`    // refs of the clone that the bucket does not have
	Left       []Finding `json:"left"`       // what is still wrong
}

// BackupRequest is the body of POST /v1/workspaces/{name}/backup.
type BackupRequest struct {
	To    string `json:"to"`              // URL below which the backup is
	Check bool   `json:"check,omitempty"` // read what is there already, too
}

// RestoreRequest is the body of POST /v1/workspaces/{name}/restore.
type RestoreRequest struct {
	From        string `json:"from,omitempty"`        // URL of a backup
	AcceptOlder bool   `json:"acceptOlder,omitempty"` // although a newer state, or another history, was seen here
}

// Copied answers both.
type Copied struct {
	Bucket     string   `json:"bucket"`     // URL of the copy
	Generation int64    `json:"generation"` // the newest in it
	Objects    int      `json:"objects"`    // that were copied
	Bytes      int64    `json:"bytes"`      // likewise
	Present    int      `json:"present"`    // blobs that were there already
	Replaced   []string `json:"replaced"`   // blobs of the copy that were damaged and are whole now
	Damaged    []string `json:"damaged"`    // blobs of the source that are damaged, and were not copied
}
