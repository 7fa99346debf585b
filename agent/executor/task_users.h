#ifndef BERTH_AGENT_EXECUTOR_TASK_USERS_H_
#define BERTH_AGENT_EXECUTOR_TASK_USERS_H_

// As which user of the node a task runs. Never as root: a task could write what the kernel shows to
// root alone, whatever else it lost.

#include <cstdint>
#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "agent/executor/task_folder.h"

namespace berth {

struct UserRange {
  int64_t first = 0;
  int64_t last = 0;  // included
};

// "70000-70099" or "70000". InvalidArgument: not that, or it holds a number that is no task's:
// below 1000 (the system's), 65534 (nobody), above 4294967293.
absl::StatusOr<UserRange> ParseUserRange(absl::string_view text);

struct TaskUsers {
  // The range of a tenant whose files live on shared storage. Its users are spread over it by name,
  // the same on every node; two may get one number.
  std::map<std::string, UserRange> of_tenant;
  // Everybody else's jobs get a number each.
  UserRange per_job = {1900000000, 1999999999};
};

// The same for every attempt of a job. User and group have one number.
TaskOwner FindTaskOwner(const TaskUsers& users, absl::string_view tenant, absl::string_view user,
                        uint64_t job);

}  // namespace berth

#endif  // BERTH_AGENT_EXECUTOR_TASK_USERS_H_
