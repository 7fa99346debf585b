#ifndef BERTH_AGENT_EXECUTOR_SECCOMP_PROGRAM_H_
#define BERTH_AGENT_EXECUTOR_SECCOMP_PROGRAM_H_

// The system calls that no task may make, as a program for the kernel. It is made once by the
// agent; the shim only loads it.

#include <string>

#include "absl/status/statusor.h"

namespace berth {

// An array of struct sock_filter. Everything is allowed but what changes the machine (mounts,
// modules, the clock, kexec), opens the way to other users' things (keyrings, new user namespaces,
// packet sockets, input faked on a terminal), or has a history of holes in the kernel and no use in
// a training (bpf, userfaultfd, perf, io_uring). Those fail with EPERM, or with ENOSYS where
// libraries look for that to do without.
absl::StatusOr<std::string> MakeSeccompProgram();

}  // namespace berth

#endif  // BERTH_AGENT_EXECUTOR_SECCOMP_PROGRAM_H_
