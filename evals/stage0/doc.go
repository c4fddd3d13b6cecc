// Package stage0 holds the claims about the contracts. They need no container.
package stage0
