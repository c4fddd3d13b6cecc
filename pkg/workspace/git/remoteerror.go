package git

import "strings"

// Trouble is what kind of thing went wrong with a remote, as far as git's words
// tell.
type Trouble int

// The kinds of trouble.
const (
	Other       Trouble = iota // none of those below
	Moved                      // the ref is not where the push began
	Refused                    // the remote does not take this push, whoever asks; see Reason
	Denied                     // the remote refuses this person, or cannot tell who it is
	Missing                    // there is no such repository, or none that this person may see
	Unreachable                // the remote did not answer to the end; what was asked may have happened
)

// RemoteError is a command that a remote did not carry out.
type RemoteError struct {
	Command string // ls-remote | fetch | push
	URL     string // without who logs in
	Trouble Trouble
	Reason  string // of a rejected push, printable
	// ByRemote: it was the remote that rejected the push, and not git here, which
	// looks at the remote's refs before it pushes.
	ByRemote bool
	Stderr   string // git's own complaint, printable, at most 4 KiB
}

// Error quotes git and the remote.
func (e *RemoteError) Error() string {
	msg := "git " + e.Command + " " + e.URL
	if e.Reason != "" {
		msg += ": " + e.Reason
	}
	if e.Stderr != "" {
		msg += ": " + e.Stderr
	}
	return msg
}

func (m *Remote) trouble(command string, kind Trouble, what string) error {
	return &RemoteError{Command: command, URL: m.at.shown, Trouble: kind, Stderr: m.at.redact(what)}
}

// diagnose reads git's complaint, which is in English (LC_ALL=C). The order
// counts: a remote that hangs up after it said no has said no.
func diagnose(said string) Trouble {
	said = strings.ToLower(said)
	for _, d := range []struct {
		kind Trouble
		word []string
	}{
		{Denied, []string{
			"authentication failed", "could not read username", "could not read password", "permission denied", "access denied", "permission to ",
			"returned error: 401", "returned error: 403", "returned error: 407", "host key verification failed", "dubious ownership", "write access",
			"read only", "read-only", "not allowed to push", "not allowed to upload", "unauthorized", "forbidden", "invalid credentials", "insufficient permission",
		}},
		{Missing, []string{
			"returned error: 404", "returned error: 410", "repository not found", "' not found", "does not appear to be a git repository", "does not exist",
			"could not be found", "no such repository",
		}},
		{Unreachable, []string{
			"could not resolve", "failed to connect", "couldn't connect", "connection refused", "connection reset", "connection timed out", "connection closed",
			"timed out", "no route to host", "network is unreachable", "returned error: 5", "returned error: 429", "returned error: 408", "early eof",
			"hung up", "rpc failed", "empty reply", "unable to access", "unexpected disconnect", "operation too slow", "could not read from remote",
			"broken pipe", "unable to look up", "temporary failure",
		}},
	} {
		for _, w := range d.word {
			if strings.Contains(said, w) {
				return d.kind
			}
		}
	}
	return Other
}

// isRace reports whether a remote's reason means that another push was faster.
func isRace(reason string) bool {
	reason = strings.ToLower(reason)
	for _, w := range []string{"cannot lock ref", "failed to update ref", "failed to lock", "incorrect old value", "already been updated", "reference already exists"} {
		if strings.Contains(reason, w) {
			return true
		}
	}
	return false
}
