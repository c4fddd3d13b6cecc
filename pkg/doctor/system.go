package doctor

import (
	"context"
	"io/fs"
)

// Command is a program to be run, resolved through PATH, in the root directory.
type Command struct {
	Argv  []string
	Stdin []byte
}

// System is the machine. Its methods are safe for concurrent use.
type System interface {
	// Run runs a command to its end and returns its stdout. An exit code other
	// than 0 is an error that holds the end of its stderr.
	Run(ctx context.Context, c Command) ([]byte, error)
	// LookPath finds a program; fs.ErrNotExist where there is none.
	LookPath(name string) (string, error)
	// ReadFile reads a small file.
	ReadFile(path string) ([]byte, error)
	// ReadDir lists the names in a directory.
	ReadDir(path string) ([]string, error)
	// Stat looks at a file without following a final link.
	Stat(path string) (File, error)
	// Disk looks at the file system that holds path.
	Disk(path string) (Disk, error)
}

// File is what Stat saw.
type File struct {
	Mode fs.FileMode
	UID  int
}

// Disk is what Disk saw.
type Disk struct {
	Free     uint64 // bytes that an unprivileged user may still write
	InMemory bool   // tmpfs or ramfs
}
