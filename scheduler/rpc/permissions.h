#ifndef BERTH_SCHEDULER_RPC_PERMISSIONS_H_
#define BERTH_SCHEDULER_RPC_PERMISSIONS_H_

// Who may call what at all: one table, RPC x role, default deny. Which objects a caller may touch
// is decided where the objects are.

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

#include "scheduler/rpc/auth.h"

namespace berth {

// `rpc` is "Service.Method", e.g. "Client.SubmitJob".
bool HasPermissionRow(absl::string_view rpc);
bool IsAllowed(absl::string_view rpc, Role role);
bool IsAllowedToAnyone(absl::string_view rpc);

// OK, or PermissionDenied that names role and call. A suspended tenant submits nothing.
absl::Status Authorize(absl::string_view rpc, const Principal& principal);

// PermissionDenied for a job's own token and another job, or none. To be asked by every call that
// such tokens are let in to.
absl::Status CheckOwnJob(const Principal& principal, JobId job);

}  // namespace berth

#endif  // BERTH_SCHEDULER_RPC_PERMISSIONS_H_
