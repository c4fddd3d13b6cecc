package git

// known reports whether Vexa uses the subcommand. Anything else is a defect,
// or somebody's idea of an option where a subcommand should be.
func known(sub string) bool {
	switch sub {
	case "blame", "cat-file", "diff-tree", "for-each-ref", "fsck", "index-pack", "log", "ls-tree",
		"merge-base", "merge-file", "merge-tree", "pack-objects", "prune", "repack",
		"rev-list", "rev-parse", "show-index", "update-ref", "version":
		return true
	default:
		return false
	}
}

// guards are the settings that every invocation on this machine alone carries.
// They outrank the repository's own configuration, which is ours too.
func guards() []string {
	return append(
		common(),
		"-c", "core.sshCommand=/bin/false",
		"-c", "core.askPass=/bin/false",
		"-c", "credential.helper=",
		"-c", "protocol.allow=never",
	)
}

// common are the settings that every invocation carries.
func common() []string {
	return []string{
		"--no-pager",
		"--no-replace-objects",
		"--literal-pathspecs",
		"--no-optional-locks",
		"-c", "safe.bareRepository=explicit",
		"-c", "core.hooksPath=/dev/null",
		"-c", "core.fsmonitor=false",
		"-c", "core.attributesFile=/dev/null",
		"-c", "core.excludesFile=/dev/null",
		"-c", "core.protectHFS=true",
		"-c", "core.protectNTFS=true",
		"-c", "core.alternateRefsCommand=",
		"-c", "core.editor=/bin/false",
		"-c", "core.pager=cat",
		"-c", "core.quotePath=false",
		"-c", "submodule.recurse=false",
		"-c", "diff.ignoreSubmodules=all",
		"-c", "fetch.recurseSubmodules=false",
		"-c", "transfer.fsckObjects=true",
		"-c", "log.showSignature=false",
		"-c", "commit.gpgSign=false",
		"-c", "tag.gpgSign=false",
		"-c", "gpg.program=/bin/false",
		"-c", "gpg.ssh.program=/bin/false",
		"-c", "gpg.x509.program=/bin/false",
		"-c", "log.mailmap=false",
		"-c", "gc.auto=0",
		"-c", "maintenance.auto=false",
	}
}

// environment is the whole environment of every invocation; nothing of the
// daemon's own is passed on.
func environment() []string {
	return []string{
		"PATH=/usr/bin:/bin",
		"HOME=/nonexistent",
		"LC_ALL=C",
		"TZ=UTC",
		"GIT_CONFIG_NOSYSTEM=1",
		"GIT_CONFIG_SYSTEM=/dev/null",
		"GIT_CONFIG_GLOBAL=/dev/null",
		"GIT_ATTR_NOSYSTEM=1",
		"GIT_TERMINAL_PROMPT=0",
		"GIT_ASKPASS=/bin/false",
		"SSH_ASKPASS=/bin/false",
		"GIT_EDITOR=/bin/false",
		"GIT_PAGER=cat",
		"GIT_NO_REPLACE_OBJECTS=1",
		"GIT_LITERAL_PATHSPECS=1",
		"GIT_OPTIONAL_LOCKS=0",
		"GIT_ALLOW_PROTOCOL=",
		"GIT_PROTOCOL_FROM_USER=0",
		"GIT_CEILING_DIRECTORIES=/",
		"GIT_DISCOVERY_ACROSS_FILESYSTEM=0",
		"GIT_FLUSH=0",
	}
}
