#include "agent/executor/isolation.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

#include "agent/executor/seccomp_program.h"
#include "agent/shim/probe.h"
#include "common/credentials.h"
#include "common/error_detail.h"
#include "common/log.h"
#include "common/status_macros.h"
#include <fcntl.h>
#include <glob.h>
#include <sched.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace berth {
namespace {

// A task's processes share at most half of its memory through /dev/shm.
constexpr int64_t kSharedMemoryPart = 2;

// Runs `berth-shim --probe FOLDER` and returns what it writes.
absl::StatusOr<std::string> RunProbe(const std::string& shim_path, const std::string& folder) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) {
    return absl::ErrnoToStatus(errno, "cannot make a pipe");
  }
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  char* const argv[] = {const_cast<char*>(shim_path.c_str()), const_cast<char*>("--probe"),
                        const_cast<char*>(folder.c_str()), nullptr};
  char* const environment[] = {nullptr};
  pid_t pid = -1;
  const int error = posix_spawn(&pid, shim_path.c_str(), &actions, nullptr, argv, environment);
  posix_spawn_file_actions_destroy(&actions);
  close(ends[1]);
  std::string text;
  char chunk[4096];
  ssize_t size = 0;
  while (error == 0 && (size = read(ends[0], chunk, sizeof(chunk))) > 0) {
    text.append(chunk, static_cast<size_t>(size));
  }
  close(ends[0]);
  if (error != 0) {
    return absl::ErrnoToStatus(error, absl::StrCat("cannot start ", shim_path));
  }
  waitpid(pid, nullptr, 0);
  return text;
}

std::vector<std::string> Expand(const std::vector<std::string>& patterns) {
  std::vector<std::string> paths;
  for (const std::string& pattern : patterns) {
    glob_t found{};
    if (glob(pattern.c_str(), 0, nullptr, &found) == 0) {
      paths.insert(paths.end(), found.gl_pathv, found.gl_pathv + found.gl_pathc);
    }
    globfree(&found);
  }
  return paths;
}

}  // namespace

absl::StatusOr<Isolation> Isolation::Prepare(const IsolationOptions& options,
                                             const std::string& shim_path,
                                             const std::string& data_dir) {
  Isolation isolation(options);
  if (options.policy == IsolationPolicy::kOff) {
    LogWarning("isolation is off: tasks can reach each other and this machine", {});
    return isolation;
  }
  RETURN_IF_ERROR(isolation.Probe(shim_path, data_dir));
  RETURN_IF_ERROR(isolation.CheckPolicy());
  return isolation;
}

absl::Status Isolation::Probe(const std::string& shim_path, const std::string& data_dir) {
  mkdir(kPrivateFolder, 0755);  // if that fails, so does the trial of the mounts
  const std::string trial = data_dir + "/probe";
  std::error_code error;
  std::filesystem::create_directories(trial + "/tmp", error);
  const absl::StatusOr<std::string> lines = RunProbe(shim_path, trial);
  std::filesystem::remove_all(trial, error);
  RETURN_IF_ERROR(lines.status());
  for (const absl::string_view line : absl::StrSplit(*lines, '\n', absl::SkipEmpty())) {
    const std::vector<std::string> parts = absl::StrSplit(line, absl::MaxSplits(": ", 1));
    if (parts.size() == 1) {
      facilities_.push_back(parts[0]);
    } else {
      missing_[parts[0]] = parts[1];
    }
  }
  absl::StatusOr<std::string> program = MakeSeccompProgram();
  if (program.ok() && Has(kFacilitySeccomp)) {
    seccomp_program_ = *std::move(program);
  } else if (!program.ok()) {
    facilities_.erase(std::remove(facilities_.begin(), facilities_.end(), kFacilitySeccomp),
                      facilities_.end());
    missing_[kFacilitySeccomp] = std::string(program.status().message());
  }
  private_mounts_ = Has(kFacilityMounts) && Has(kFacilityPid);
  const std::string tag = absl::BytesToHexString(Sha256(data_dir)).substr(0, 12);
  groups_ = ControlGroups::Open(
      {.root = "", .parent = options_.group_parent, .name = absl::StrCat("berth-", tag)});
  facilities_.insert(facilities_.end(), groups_->facilities().begin(), groups_->facilities().end());
  missing_.insert(groups_->missing().begin(), groups_->missing().end());
  return absl::OkStatus();
}

absl::Status Isolation::CheckPolicy() const {
  if (missing_.empty()) {
    return absl::OkStatus();
  }
  const std::string names = absl::StrJoin(missing_, "; ", absl::PairFormatter(": "));
  if (options_.policy == IsolationPolicy::kRequire) {
    return MakeError(absl::StatusCode::kFailedPrecondition,
                     {.code = "B5206",
                      .message = "this node cannot isolate tasks as isolation.policy requires",
                      .why = names,
                      .fix = "run the agent as root on a kernel that has them, or set "
                             "isolation.policy = \"allow\""});
  }
  LogWarning("tasks are isolated less than they could be", {
                                                               {"missing", names}
  });
  return absl::OkStatus();
}

bool Isolation::Has(absl::string_view facility) const {
  return std::find(facilities_.begin(), facilities_.end(), facility) != facilities_.end();
}

absl::StatusOr<Sandbox> Isolation::MakeSandbox(const TaskNeeds& needs) {
  Sandbox sandbox;
  sandbox.task_folder = needs.task_folder;
  sandbox.output_folder = needs.output_folder;
  sandbox.private_mounts = private_mounts_ ? 1 : 0;
  sandbox.namespaces = (Has(kFacilityIpc) ? CLONE_NEWIPC : 0) |
                       (Has(kFacilityUts) ? CLONE_NEWUTS : 0) |
                       (Has(kFacilityCgroup) ? CLONE_NEWCGROUP : 0);
  sandbox.drop_capabilities = Has(kFacilityCapabilities) ? 1 : 0;
  sandbox.shared_memory_bytes = needs.memory_bytes / kSharedMemoryPart;
  sandbox.seccomp_program = seccomp_program_;
  sandbox.devices = needs.device_files;
  const std::vector<std::string> shared = Expand(options_.device_files);
  sandbox.devices.insert(sandbox.devices.end(), shared.begin(), shared.end());
  if (groups_.has_value()) {
    ASSIGN_OR_RETURN(sandbox.groups, groups_->Make(needs.allocation_id,
                                                   {.cpu_milli = needs.cpu_milli,
                                                    .cpu_share_milli = needs.cpu_share_milli,
                                                    .memory_bytes = needs.memory_bytes,
                                                    .processes_max = options_.processes_max,
                                                    .end_with_init = private_mounts_,
                                                    .devices = MakeDeviceRules(sandbox.devices),
                                                    .tenant = needs.tenant}));
  }
  return sandbox;
}

bool Isolation::Release(uint64_t allocation_id) {
  return !groups_.has_value() || groups_->Remove(allocation_id);
}

void Isolation::Tidy() {
  groups_->Tidy();
}

void Isolation::Close() {
  if (groups_.has_value()) {
    groups_->Close();
  }
}

std::vector<uint64_t> Isolation::FindStrays(const std::set<uint64_t>& known) {
  std::vector<uint64_t> strays;
  if (!groups_.has_value()) {
    return strays;
  }
  for (const uint64_t allocation : groups_->Allocations()) {
    if (!known.contains(allocation) && !groups_->RemoveEmpty(allocation)) {
      strays.push_back(allocation);
    }
  }
  return strays;
}

}  // namespace berth
