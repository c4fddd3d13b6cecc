// Package runtime is the runtime kernel: the only part of Vexa that has
// containers made. It owns the life of a workload (runtime.v1), from the check
// of its dispatch token to the removal of its container.
//
// The kernel is a process of its own (vexa runtime serve). It trusts nobody
// with a path: every mount of a workload must lie at the place that its kind
// and its unit prescribe beneath the kernel's root, must reach there without a
// symbolic link, and must be covered by the dispatch token that came with the
// request. See [Layout] for the places.
//
// States run starting, running, stopping, stopped, destroyed; each change is
// an event. A container that has ended is removed at once, and its status is
// kept for a while. After a restart the kernel adopts the live containers of
// its own installation, told apart by label, removes the dead ones, and never
// touches those of another installation.
//
// Containers are made by a [Driver]: pkg/runtime/podman in production, the
// in-memory one of pkg/runtime/runtimetest in tests. The kernel knows neither
// HTTP (pkg/runtime/server) nor Podman.
package runtime
