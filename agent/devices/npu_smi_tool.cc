#include "agent/devices/npu_smi_tool.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

#include "common/error_detail.h"
#include "common/program.h"
#include "common/status_macros.h"
#include <unistd.h>

namespace berth {
namespace {

constexpr size_t kOutputBytesMax = 1 << 20;
// It takes a second or two.
constexpr absl::Duration kToolTimeout = absl::Seconds(30);

absl::Status ToolError(absl::StatusCode code, const std::string& program, absl::string_view why) {
  return MakeError(code, {.code = "B5406",
                          .message = absl::StrCat("cannot ask ", program, " for Ascend devices"),
                          .why = why,
                          .fix = "install the Ascend driver, or set devices.kind = \"none\""});
}

absl::StatusOr<std::string> FindProgram(const std::string& name) {
  std::vector<std::string> paths;
  if (absl::StrContains(name, '/')) {
    paths = {name};
  }
  for (char** variable = environ; paths.empty() && *variable != nullptr; ++variable) {
    absl::string_view value = *variable;
    if (absl::ConsumePrefix(&value, "PATH=")) {
      for (const absl::string_view folder : absl::StrSplit(value, ':', absl::SkipEmpty())) {
        paths.push_back(absl::StrCat(folder, "/", name));
      }
    }
  }
  const auto path = std::find_if(paths.begin(), paths.end(), [](const std::string& candidate) {
    return access(candidate.c_str(), X_OK) == 0;
  });
  if (path == paths.end()) {
    return ToolError(absl::StatusCode::kNotFound, name, "there is no such program");
  }
  return *path;
}

}  // namespace

absl::StatusOr<std::vector<NpuChip>> AskNpuSmi(const std::string& program) {
  ASSIGN_OR_RETURN(const std::string path, FindProgram(program));
  ProgramRun run{
      .arguments = {path, "info"},
        .timeout = kToolTimeout, .output_max = kOutputBytesMax
  };
  // The driver's libraries may be where only these say.
  for (char** variable = environ; *variable != nullptr; ++variable) {
    run.environment.emplace_back(*variable);
  }
  const absl::StatusOr<std::string> text = RunProgram(run);
  if (!text.ok()) {
    return ToolError(absl::StatusCode::kUnavailable, program, text.status().message());
  }
  std::vector<NpuChip> chips = ParseNpuSmiInfo(*text);
  if (chips.empty()) {
    return ToolError(absl::StatusCode::kUnavailable, program, "its table has no device");
  }
  std::sort(chips.begin(), chips.end(),
            [](const NpuChip& a, const NpuChip& b) { return a.physical_id < b.physical_id; });
  return chips;
}

absl::StatusOr<std::unique_ptr<NpuSmiMeter>> NpuSmiMeter::Open(const std::string& program) {
  ASSIGN_OR_RETURN(std::string path, FindProgram(program));
  return std::unique_ptr<NpuSmiMeter>(new NpuSmiMeter(std::move(path)));
}

std::vector<v1::DeviceSample> NpuSmiMeter::Read() {
  std::vector<v1::DeviceSample> samples;
  for (const NpuChip& chip : AskNpuSmi(path_).value_or(std::vector<NpuChip>())) {
    v1::DeviceSample sample;
    if (chip.utilization_percent.has_value() && *chip.utilization_percent <= kPercentMax) {
      sample.set_utilization_percent(*chip.utilization_percent);
    }
    if (chip.memory_mib > 0) {
      sample.set_memory_used_mib(chip.memory_used_mib);
    }
    if (chip.power_watts.has_value()) {
      sample.set_power_watts(*chip.power_watts);
    }
    if (sample.ByteSizeLong() > 0) {
      sample.set_index(chip.physical_id);
      samples.push_back(std::move(sample));
    }
  }
  return samples;
}

}  // namespace berth
