package doctor

// allChecks lists the checks in the order in which a machine is set up.
func allChecks() []check {
	return []check{
		{"user", "agents never run as root: rootful Podman is no boundary", checkUser},
		{"podman", "it runs the containers", checkPodman},
		{"uidmap", "without it a user has no ids for the inside of a container", checkUIDMap},
		{"subids", "the users inside a container need ids of their own on this machine", checkSubIDs},
		{"userns", "rootless containers are user namespaces", checkUserNamespaces},
		{"runtime-dir", "sockets and the state of containers live there, where nobody else can enter", checkRuntimeDir},
		{"memory", "open workspaces live in memory, so that nothing readable rests on disk", checkMemory},
		{"cgroups", "with them a container's memory, processor time and processes are limited", checkCgroups},
		{"oci-runtime", "it starts the containers; crun refuses hybrid control groups, runc does not", checkOCIRuntime},
		{"podman-config", "Podman's defaults expect systemd", checkPodmanConfig},
		{"storage", "vfs copies a whole image for each container", checkStorage},
		{"binary", "the same program runs inside the containers, where there is no loader", checkBinary},
		{"git", "workspaces are Git repositories; merging needs 2.38", checkGit},
		{"certificates", "models on other machines are reached over TLS", checkCertificates},
		{"shell-image", "the agent's shell comes from a static busybox of this machine", checkShellImage},
		{"swap", "memory that is swapped out to an unencrypted disk can be read there", checkSwap},
		{"linger", "at logout systemd removes the folder where sockets and open workspaces live", checkLinger},
		{"selinux", "it confines containers beyond what Vexa asks for", checkSELinux},
		{"identity", "everything at rest is sealed to it", checkIdentity},
		{"recovery", "it opens everything where the installation's own key is lost", checkRecovery},
		{"disk", "what happens is written down before it counts; without room nothing begins", checkDisk},
		{"daemon", "it carries every command out", checkDaemon},
		{"workspaces", "what rests unencrypted can be read by whoever gets the disk", checkWorkspaces},
		{"leftovers", "a container or working copy that nobody owns takes memory", checkLeftovers},
	}
}
