// Package stage1 holds the claims about the path from a message to a commit:
// one isolated container, a stream of frames, a session that outlives it.
package stage1
