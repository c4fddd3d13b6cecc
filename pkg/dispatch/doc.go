// Package dispatch turns a trigger into one agent run: it builds the unit,
// prepares its workspaces, session and socket, has the runtime start its
// container, moves turns in and frames out, and seals what each turn wrote.
//
// Every trigger comes through Manager.Start; there is no other way to run an
// agent. Each live dispatch is owned by one goroutine (see run), which makes
// every decision about it in one order. What a dispatch is about to do is in
// the record journal before it is done, so that Recover can finish it after a
// crash: containers that still run are adopted, what they wrote is sealed, and
// only what belongs to no live container is removed.
package dispatch
