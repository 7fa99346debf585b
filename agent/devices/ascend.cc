#include "agent/devices/ascend.h"

#include <algorithm>
#include <cerrno>
#include <memory>
#include <system_error>
#include <vector>

#include "absl/strings/str_cat.h"

#include "agent/devices/ascend_chip.h"
#include "agent/devices/npu_smi.h"
#include "common/error_detail.h"
#include "common/log.h"
#include "common/status_macros.h"
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

namespace berth {
namespace {

constexpr size_t kOutputBytesMax = 1 << 20;

absl::Status ToolError(absl::StatusCode code, const std::string& program, const std::string& why) {
  return MakeError(code, {.code = "B5406",
                          .message = absl::StrCat("cannot ask ", program, " for Ascend devices"),
                          .why = why,
                          .fix = "install the Ascend driver, or set devices.kind = \"none\""});
}

// What `program info` writes.
absl::StatusOr<std::string> RunTool(const std::string& program) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) {
    return absl::ErrnoToStatus(errno, "cannot make a pipe");
  }
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  char* const argv[] = {const_cast<char*>(program.c_str()), const_cast<char*>("info"), nullptr};
  pid_t pid = -1;
  const int error = posix_spawnp(&pid, program.c_str(), &actions, nullptr, argv, environ);
  posix_spawn_file_actions_destroy(&actions);
  close(ends[1]);
  std::string text;
  char chunk[4096];
  ssize_t size = 0;
  while (error == 0 && text.size() < kOutputBytesMax &&
         (size = read(ends[0], chunk, sizeof(chunk))) > 0) {
    text.append(chunk, static_cast<size_t>(size));
  }
  close(ends[0]);
  if (error != 0) {
    return ToolError(absl::StatusCode::kNotFound, program,
                     std::error_code(error, std::generic_category()).message());
  }
  int status = 0;
  waitpid(pid, &status, 0);
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    return ToolError(absl::StatusCode::kUnavailable, program,
                     absl::StrCat("it ended with status ", status));
  }
  return text;
}

v1::DeviceHealth HealthOf(const std::string& word) {
  if (word == "OK") {
    return v1::DEVICE_HEALTH_OK;
  }
  return word == "Warning" ? v1::DEVICE_HEALTH_SUSPECT : v1::DEVICE_HEALTH_QUARANTINED;
}

}  // namespace

absl::StatusOr<ProbedDevices> AscendProbe::Probe() {
  const absl::StatusOr<std::unique_ptr<DcmiLibrary>> dcmi = DcmiLibrary::Load(library_);
  if (dcmi.ok()) {
    absl::StatusOr<ProbedDevices> found = ProbeAscendChips(**dcmi, node_);
    if (found.ok() && !(found->devices.empty() && found->unreadable.empty())) {
      return found;
    }
  } else if (!absl::IsNotFound(dcmi.status())) {
    LogWarning("dcmi is not used; npu-smi is asked instead",
               {
                   {"error", std::string(dcmi.status().message())}
    });
  }
  return ProbeByTool();
}

absl::StatusOr<ProbedDevices> AscendProbe::ProbeByTool() const {
  ASSIGN_OR_RETURN(const std::string text, RunTool(program_));
  ProbedDevices found;
  for (const NpuChip& chip : ParseNpuSmiInfo(text)) {
    v1::Device& device = found.devices.emplace_back();
    device.set_index(chip.physical_id);
    device.set_device_class(AscendClass(chip.name));
    device.set_uuid(absl::StrCat("NPU-", node_, "-", chip.bus_id));
    device.set_kind(v1::DEVICE_KIND_ASCEND);
    device.set_memory_mib(chip.memory_mib);
    device.set_health(HealthOf(chip.health));
    if (device.health() != v1::DEVICE_HEALTH_OK) {
      device.set_health_detail(absl::StrCat("npu-smi says ", chip.health));
    }
    device.set_minor_number(chip.physical_id);
  }
  if (found.devices.empty()) {
    return ToolError(absl::StatusCode::kUnavailable, program_, "its table has no device");
  }
  std::sort(found.devices.begin(), found.devices.end(),
            [](const v1::Device& a, const v1::Device& b) { return a.index() < b.index(); });
  return found;
}

}  // namespace berth
