#include "agent/launch_options.h"

#include <algorithm>
#include <climits>
#include <filesystem>
#include <string>
#include <system_error>

#include "absl/strings/str_cat.h"

#include "common/error_detail.h"
#include "common/status_macros.h"
#include <pwd.h>
#include <unistd.h>

namespace berth {
namespace {

std::string OwnFolder() {
  char path[PATH_MAX];
  const ssize_t length = readlink("/proc/self/exe", path, sizeof(path));
  const std::string whole(path, static_cast<size_t>(std::max<ssize_t>(length, 0)));
  return whole.substr(0, whole.rfind('/'));
}

// Sets the user of the tasks, where one user is of all, and who the tasks are told to be.
absl::Status FindUser(const AgentOptions& options, LaunchOptions& launch) {
  if (options.run_as.empty() && geteuid() == 0 &&
      options.isolation.policy != IsolationPolicy::kOff) {
    return absl::OkStatus();  // each task has a user of its own
  }
  passwd entry{};
  passwd* found = nullptr;
  char buffer[16384];
  const int error =
      options.run_as.empty()
          ? getpwuid_r(getuid(), &entry, buffer, sizeof(buffer), &found)
          : getpwnam_r(options.run_as.c_str(), &entry, buffer, sizeof(buffer), &found);
  if (found == nullptr && !options.run_as.empty()) {
    return MakeError(
        absl::StatusCode::kFailedPrecondition,
        {.code = "B5205",
         .message = absl::StrCat("no user \"", options.run_as, "\" for tasks on this machine"),
         .why = error != 0 ? std::error_code(error, std::generic_category()).message() : "",
         .fix = "correct run_as in [tasks]"});
  }
  if (found == nullptr) {
    return absl::OkStatus();
  }
  launch.user_name = entry.pw_name;
  launch.home = entry.pw_dir;
  if (options.run_as.empty()) {
    return absl::OkStatus();
  }
  if (entry.pw_uid == 0 && options.isolation.policy != IsolationPolicy::kOff) {
    return MakeError(absl::StatusCode::kFailedPrecondition,
                     {.code = "B5205",
                      .message = absl::StrCat("tasks cannot run as ", options.run_as),
                      .why = "root reads and writes what no isolation hides",
                      .fix = "name another user in run_as, or leave it out: every job gets a user "
                             "of its own then"});
  }
  launch.owner = {static_cast<int64_t>(entry.pw_uid), static_cast<int64_t>(entry.pw_gid)};
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<LaunchOptions> MakeLaunchOptions(const AgentOptions& options,
                                                const v1::NodeFacts& facts) {
  LaunchOptions launch;
  launch.data_dir = options.data_dir;
  launch.lock_dir = options.lock_dir;
  launch.shim_path = options.shim.empty() ? OwnFolder() + "/berth-shim" : options.shim;
  launch.server = options.server;
  if (!options.ca_file.empty()) {
    launch.ca_file = std::filesystem::absolute(options.ca_file);
  }
  launch.node = options.node;
  launch.address = options.facts.address;
  launch.environment = options.environment;
  launch.images = options.images;
  launch.ports = options.ports;
  launch.capacity = facts.capacity();
  launch.users = options.users;
  launch.log_segment_bytes = options.log_segment_bytes;
  launch.log_segments_max = options.log_segments_max;
  launch.archives_logs = !options.log_dir.empty();
  if (access(launch.shim_path.c_str(), X_OK) != 0) {
    return MakeError(absl::StatusCode::kFailedPrecondition,
                     {.code = "B5204",
                      .message = absl::StrCat("cannot execute ", launch.shim_path),
                      .why = "every task runs under a berth-shim",
                      .fix = "install it beside berth-agent, or set shim in the configuration"});
  }
  RETURN_IF_ERROR(FindUser(options, launch));
  return launch;
}

}  // namespace berth
