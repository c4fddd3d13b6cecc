// Package daemon is the control plane of an installation: an HTTP server on a
// Unix socket that only its own user can talk to, and the keeper of the
// runtime kernel's process.
//
// It holds no Podman connection and reaches neither the worker nor the agent:
// containers are the kernel's. While the installation is locked, the parts
// behind an Engine do not exist, and requests for them fail with fault.Locked.
package daemon
