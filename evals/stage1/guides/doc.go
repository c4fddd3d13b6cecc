// Package guides holds the claim that the guides are true: the commands that they
// print are run, and print what they show.
package guides
