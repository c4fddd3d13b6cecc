package filelock

import "os"

// File returns the file that a test hands on to a child.
func (l *Lock) File() *os.File { return l.file }
