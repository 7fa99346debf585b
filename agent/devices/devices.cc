#include "agent/devices/devices.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "agent/devices/ascend.h"
#include "agent/devices/ascend_meter.h"
#include "agent/devices/ascend_monitor.h"
#include "agent/devices/fault_script.h"
#include "agent/devices/nvidia_meter.h"
#include "agent/devices/nvidia_monitor.h"
#include "agent/devices/sample_script.h"
#include "common/error_detail.h"
#include "common/log.h"
#include "common/nearest_name.h"
#include "common/status_macros.h"

namespace berth {
namespace {

struct SourceName {
  const char* name;
  DeviceSource source;
};
constexpr SourceName kSourceNames[] = {
    {"auto",      DeviceSource::kAuto     },
    {"nvidia",    DeviceSource::kNvidia   },
    {"ascend",    DeviceSource::kAscend   },
    {"simulated", DeviceSource::kSimulated},
    {"none",      DeviceSource::kNone     },
};

absl::Status SourceError(absl::string_view message, absl::string_view fix) {
  return MakeError(absl::StatusCode::kInvalidArgument,
                   {.code = "B5405", .message = message, .why = "", .fix = fix});
}

absl::Status CheckOptions(const DeviceOptions& options) {
  const bool may_simulate =
      options.source == DeviceSource::kAuto || options.source == DeviceSource::kSimulated;
  if (!options.simulated.empty() && !may_simulate) {
    return SourceError("[[simulated]] declares devices that devices.kind leaves out",
                       "set devices.kind = \"simulated\", or remove the [[simulated]] tables");
  }
  for (auto index = options.indexes.begin(); index != options.indexes.end(); ++index) {
    if (*index < 0 || std::count(index, options.indexes.end(), *index) > 1) {
      return SourceError(absl::StrCat("devices.indexes names ", *index,
                                      *index < 0 ? ", which is negative" : " twice"),
                         "list each index once, as nvidia-smi shows it");
    }
  }
  return absl::OkStatus();
}

absl::Status CheckNvidia(const DeviceOptions& options, const ProbedDevices& found) {
  if (options.source != DeviceSource::kNvidia || !found.devices.empty()) {
    return absl::OkStatus();
  }
  return MakeError(absl::StatusCode::kFailedPrecondition,
                   {.code = "B5402",
                    .message = "the NVIDIA driver knows no device",
                    .why = "devices.kind = \"nvidia\" asks for at least one",
                    .fix = "run nvidia-smi on the node, or set devices.kind = \"none\""});
}

absl::StatusOr<ProbedDevices> ProbeSimulated(const DeviceOptions& options) {
  return SimulatedProbe(options.node, options.simulated, options.inventory_script).Probe();
}

absl::StatusOr<ProbedDevices> ProbeAscend(const DeviceOptions& options) {
  return AscendProbe(options.node, options.npu_smi, options.dcmi_library).Probe();
}

absl::StatusOr<ProbedDevices> ProbeAny(const DeviceOptions& options) {
  absl::StatusOr<ProbedDevices> found =
      NvidiaProbe(options.nvml_library, options.nvidia_capabilities).Probe();
  const bool has_any = found.ok() && !(found->devices.empty() && found->unreadable.empty());
  // An error other than a missing driver may hide real devices.
  if (has_any || !(found.ok() || absl::IsNotFound(found.status()))) {
    return found;
  }
  absl::StatusOr<ProbedDevices> ascend = ProbeAscend(options);
  if (ascend.ok() || !absl::IsNotFound(ascend.status())) {
    return ascend;
  }
  return ProbeSimulated(options);
}

absl::StatusOr<ProbedDevices> ProbeSource(const DeviceOptions& options) {
  switch (options.source) {
    case DeviceSource::kAuto:
      return ProbeAny(options);
    case DeviceSource::kNvidia:
      return NvidiaProbe(options.nvml_library, options.nvidia_capabilities).Probe();
    case DeviceSource::kAscend:
      return ProbeAscend(options);
    case DeviceSource::kSimulated:
      return ProbeSimulated(options);
    case DeviceSource::kNone:
      return ProbedDevices();
  }
  return ProbedDevices();
}

bool Contains(const std::vector<int>& indexes, int index) {
  return std::find(indexes.begin(), indexes.end(), index) != indexes.end();
}

absl::Status CheckIndexes(const std::vector<int>& wanted, const ProbedDevices& found) {
  std::vector<int> known = found.unreadable;
  for (const v1::Device& device : found.devices) {
    known.push_back(device.index());
  }
  std::sort(known.begin(), known.end());
  for (const int index : wanted) {
    if (Contains(known, index)) {
      continue;
    }
    return SourceError(
        absl::StrCat("devices.indexes names ", index, ", and there is no such device"),
        known.empty() ? "remove devices.indexes: the node has no device"
                      : absl::StrCat("the node has ", absl::StrJoin(known, ", ")));
  }
  return absl::OkStatus();
}

ProbedDevices Allowed(const DeviceOptions& options, ProbedDevices found) {
  if (!options.indexes.empty()) {
    std::erase_if(found.devices, [&options](const v1::Device& device) {
      return !Contains(options.indexes, device.index());
    });
  }
  return found;
}

// Null: no such driver, which FindDevices has told.
template <typename Interface, typename Nvidia, typename Ascend>
std::unique_ptr<Interface> OpenVendor(const DeviceOptions& options) {
  const bool may_be_any = options.source == DeviceSource::kAuto;
  if (may_be_any || options.source == DeviceSource::kNvidia) {
    absl::StatusOr<std::unique_ptr<Nvidia>> opened = Nvidia::Open(options.nvml_library);
    if (opened.ok()) {
      return *std::move(opened);
    }
  }
  if (may_be_any || options.source == DeviceSource::kAscend) {
    absl::StatusOr<std::unique_ptr<Ascend>> opened = Ascend::Open(options.dcmi_library);
    if (opened.ok()) {
      return *std::move(opened);
    }
  }
  return nullptr;
}

}  // namespace

absl::StatusOr<DeviceSource> ParseDeviceSource(absl::string_view text) {
  std::vector<std::string> names;
  for (const SourceName& row : kSourceNames) {
    if (text == row.name) {
      return row.source;
    }
    names.emplace_back(row.name);
  }
  const std::string nearest = NearestName(text, names);
  return SourceError(absl::StrCat("devices.kind = \"", text, "\" is unknown"),
                     nearest.empty() ? absl::StrCat("one of ", absl::StrJoin(names, ", "))
                                     : absl::StrCat("did you mean \"", nearest, "\"?"));
}

absl::StatusOr<ProbedDevices> FindDevices(const DeviceOptions& options) {
  RETURN_IF_ERROR(CheckOptions(options));
  ASSIGN_OR_RETURN(ProbedDevices found, ProbeSource(options));
  RETURN_IF_ERROR(CheckNvidia(options, found));
  RETURN_IF_ERROR(CheckIndexes(options.indexes, found));
  LogComplaints(found);
  if (options.source == DeviceSource::kAuto && found.devices.empty()) {
    LogInfo("no device found, none declared", {});
  }
  return Allowed(options, std::move(found));
}

absl::StatusOr<ProbedDevices> ProbeDevices(const DeviceOptions& options) {
  ASSIGN_OR_RETURN(ProbedDevices found, ProbeSource(options));
  return Allowed(options, std::move(found));
}

void LogComplaints(const ProbedDevices& found) {
  for (const std::string& complaint : found.complaints) {
    LogWarning("devices are not all told", {
                                               {"why", complaint}
    });
  }
}

bool MayChange(const DeviceOptions& options) {
  return options.source != DeviceSource::kNone &&
         (options.source != DeviceSource::kSimulated || !options.inventory_script.empty());
}

DeviceSource SourceOf(const DeviceOptions& options, const ProbedDevices& found) {
  if (options.source != DeviceSource::kAuto || found.devices.empty()) {
    return options.source;
  }
  switch (found.devices.front().kind()) {
    case v1::DEVICE_KIND_NVIDIA:
      return DeviceSource::kNvidia;
    case v1::DEVICE_KIND_ASCEND:
      return DeviceSource::kAscend;
    default:  // simulated ones give way to real ones
      return DeviceSource::kAuto;
  }
}

std::unique_ptr<DeviceMonitor> MakeDeviceMonitor(const DeviceOptions& options) {
  if (!options.fault_script.empty()) {
    return std::make_unique<FaultScript>(options.fault_script);
  }
  return OpenVendor<DeviceMonitor, NvidiaMonitor, AscendMonitor>(options);
}

std::unique_ptr<DeviceMeter> MakeDeviceMeter(const DeviceOptions& options) {
  if (!options.sample_script.empty()) {
    return std::make_unique<SampleScript>(options.sample_script);
  }
  auto by_library = OpenVendor<DeviceMeter, NvidiaMeter, AscendMeter>(options);
  const bool may_be_ascend =
      options.source == DeviceSource::kAuto || options.source == DeviceSource::kAscend;
  if (by_library != nullptr || !may_be_ascend) {
    return by_library;
  }
  absl::StatusOr<std::unique_ptr<NpuSmiMeter>> by_tool = NpuSmiMeter::Open(options.npu_smi);
  return by_tool.ok() ? *std::move(by_tool) : std::unique_ptr<DeviceMeter>();
}

}  // namespace berth
