package git

import (
	"slices"
	"strings"
)

// passed are the variables of git's own that the person's environment may set:
// how their credentials are found, and where their configuration is. Every
// other GIT_ variable could point git elsewhere or have it run a program.
func passed() []string {
	return []string{
		"GIT_ASKPASS", "GIT_SSH", "GIT_SSH_COMMAND", "GIT_SSH_VARIANT", "GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_NOSYSTEM",
		"GIT_SSL_CAINFO", "GIT_SSL_CAPATH", "GIT_SSL_CERT", "GIT_SSL_KEY", "GIT_SSL_CERT_PASSWORD_PROTECTED", "GIT_HTTP_PROXY_AUTHMETHOD",
		"GIT_PROXY_SSL_CERT", "GIT_PROXY_SSL_KEY", "GIT_PROXY_SSL_CAINFO",
	}
}

// remoteEnvironment is the person's environment, which their credential
// helpers, ssh and proxies need, less everything that would steer git itself.
func remoteEnvironment(person []string, protocols string, prompt bool) []string {
	env := []string{"PATH=/usr/bin:/bin", "HOME=/nonexistent"} // where the person's has none: the last one counts
	keep := passed()
	for _, kv := range person {
		name, _, ok := strings.Cut(kv, "=")
		if !ok || strings.HasPrefix(name, "GIT_") && !slices.Contains(keep, name) {
			continue
		}
		env = append(env, kv)
	}
	terminal := "GIT_TERMINAL_PROMPT=0"
	if prompt {
		terminal = "GIT_TERMINAL_PROMPT=1"
	}
	return append(
		env, terminal,
		"LC_ALL=C", // what git says is read
		"LANGUAGE=",
		"GIT_ALLOW_PROTOCOL="+protocols,
		"GIT_PROTOCOL_FROM_USER=0",
		"GIT_ATTR_NOSYSTEM=1",
		"GIT_EDITOR=/bin/false",
		"GIT_PAGER=cat",
		"GIT_NO_REPLACE_OBJECTS=1",
		"GIT_LITERAL_PATHSPECS=1",
		"GIT_OPTIONAL_LOCKS=0",
		"GIT_CEILING_DIRECTORIES=/",
		"GIT_DISCOVERY_ACROSS_FILESYSTEM=0",
		"GIT_NO_LAZY_FETCH=1",
	)
}

// remoteGuards are the settings of an invocation that speaks to a remote. They
// outrank the person's configuration: it says who they are and how the host is
// reached, and nothing about what is done.
func remoteGuards() []string {
	return append(
		common(),
		"-c", "push.default=nothing",
		"-c", "push.followTags=false",
		"-c", "push.gpgSign=false",
		"-c", "push.negotiate=false",
		"-c", "push.pushOption=",
		"-c", "push.recurseSubmodules=no",
		"-c", "push.useForceIfIncludes=false",
		"-c", "advice.fetchShowForcedUpdates=false",
		"-c", "fetch.prune=false",
		"-c", "fetch.pruneTags=false",
		"-c", "fetch.fsckObjects=true",
		"-c", "fetch.unpackLimit=1", // a pack is flushed, loose objects are not
		"-c", "fetch.writeCommitGraph=false",
		"-c", "transfer.bundleURI=false",
		"-c", "http.lowSpeedLimit=1", // bytes a second
		"-c", "http.lowSpeedTime=300",
	)
}

// localSide is the command that serves a repository of this machine to the
// other half of git: with the guards against what its configuration and its
// hooks would run, since whoever keeps it is not trusted, and flushing what it
// is given.
func (g *Git) localSide(service string) string {
	words := []string{
		g.path,
		"-c", "core.hooksPath=/dev/null",
		"-c", "core.fsmonitor=false",
		"-c", "core.alternateRefsCommand=true",
		"-c", "core.sshCommand=/bin/false",
		"-c", "core.askPass=/bin/false",
		"-c", "credential.helper=",
		"-c", "core.editor=/bin/false",
		"-c", "core.pager=cat",
		"-c", "gpg.program=/bin/false",
		"-c", "gpg.ssh.program=/bin/false",
		"-c", "gpg.x509.program=/bin/false",
		"-c", "protocol.allow=never",
		"-c", "core.fsync=committed",
		"-c", "core.fsyncMethod=batch",
		service,
	}
	for i, w := range words {
		words[i] = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
	}
	return strings.Join(words, " ")
}
