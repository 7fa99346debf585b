#ifndef BERTH_AGENT_SHIM_SANDBOX_H_
#define BERTH_AGENT_SHIM_SANDBOX_H_

// What the init of a task does to itself before the task's processes exist: mounts of its own, then
// the loss of every privilege. Plain C++ without libraries; runs as root in a child of the shim.

#include "agent/shim/shim_protocol.h"

namespace berth {

// The host's mounts stay seen, and nothing done here is seen by the host; then /run/berth, /dev,
// /dev/shm, /tmp and /var/tmp are the task's own and /sys cannot be written. Requires: a mount
// namespace of the caller's own. On failure errno and the step that failed; nullptr: all done.
const char* MakePrivateMounts(const Sandbox& sandbox);

// With version 2 of control groups /sys/fs/cgroup shows nothing but the task's own from here on:
// programs look there for their limits. Requires: those mounts, and the caller is the first in a
// control group namespace. As MakePrivateMounts.
const char* ShowOwnGroups();

// Nothing that is executed from here on gets a capability, whatever its file says; what the process
// has itself it keeps. False: errno says why.
bool DropBoundingSet();

// Takes the user, the group, all capabilities, and lets nothing give them back: no set-user-id
// program, no system call that the filter refuses. Nor does it keep a place before others when the
// machine's memory runs out. As MakePrivateMounts.
const char* DropPrivileges(const TaskFile& task);

}  // namespace berth

#endif  // BERTH_AGENT_SHIM_SANDBOX_H_
