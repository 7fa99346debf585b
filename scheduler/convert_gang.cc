#include "scheduler/convert_gang.h"

#include <algorithm>
#include <cstdint>
#include <string>

#include "absl/strings/str_cat.h"

#include "common/quantity.h"
#include "common/status_macros.h"
#include "scheduler/convert_enums.h"
#include "scheduler/convert_text.h"
#include "scheduler/core/names.h"

namespace berth {
namespace {

constexpr size_t kLabelBytesMax = 63;
constexpr int kNodesMax = 4096;
constexpr int kDevicesPerNodeMax = 64;
constexpr int kClassesMax = 16;
constexpr int kAskedLabelsMax = 32;
constexpr int64_t kCpuMilliMax = int64_t{10} * 1000 * 1000;
constexpr int64_t kSizeMibMax = int64_t{1} << 30;
constexpr int kDependenciesMax = 1000;

static_assert(SameEnum<v1::TopologyRequest::Level>(TopologyLevel::kRing) ==
              v1::TopologyRequest::LEVEL_RING);
static_assert(SameEnum<v1::TopologyRequest::Level>(TopologyLevel::kPod) ==
              v1::TopologyRequest::LEVEL_POD);
static_assert(RaiseEnum<v1::DependencyKind>(DependencyKind::kOk) == v1::DEPENDENCY_KIND_OK);
static_assert(RaiseEnum<v1::DependencyKind>(DependencyKind::kStarted) ==
              v1::DEPENDENCY_KIND_STARTED);

absl::Status CheckClasses(const v1::GangSpec& gang) {
  RETURN_IF_ERROR(
      CheckRange("the number of device classes", gang.device_classes_size(), 0, kClassesMax));
  for (const std::string& name : gang.device_classes()) {
    RETURN_IF_ERROR(CheckName("device class", name));
  }
  return absl::OkStatus();
}

absl::Status CheckLabels(const v1::GangSpec& gang) {
  RETURN_IF_ERROR(CheckRange("the number of labels", gang.node_labels_size(), 0, kAskedLabelsMax));
  for (const auto& [key, value] : gang.node_labels()) {
    RETURN_IF_ERROR(CheckPlainText("label's key", key, kLabelBytesMax));
    RETURN_IF_ERROR(CheckPlainText("label's value", value, kLabelBytesMax));
  }
  return absl::OkStatus();
}

absl::Status CheckExcludedNodes(const v1::GangSpec& gang) {
  RETURN_IF_ERROR(
      CheckRange("the number of excluded nodes", gang.excluded_nodes_size(), 0, kNodesMax));
  for (const std::string& name : gang.excluded_nodes()) {
    RETURN_IF_ERROR(CheckName("node", name));
  }
  return absl::OkStatus();
}

absl::Status CheckShare(const v1::GangSpec& gang) {
  RETURN_IF_ERROR(CheckRange("the share of a device (in thousandths)", gang.device_share_milli(), 0,
                             kWholeDeviceMilli - 1));
  if (gang.device_share_milli() != 0 && (gang.nodes() != 1 || gang.devices_per_node() != 1)) {
    return Refused("B1226",
                   absl::StrCat("a job with a share of a device cannot ask for ", gang.nodes(),
                                " nodes x ", gang.devices_per_node(), " devices"),
                   "a share is a part of one device on one node",
                   "ask for one node and one device, or for whole devices");
  }
  return absl::OkStatus();
}

absl::Status CheckTopology(const v1::TopologyRequest& topology) {
  if (v1::TopologyRequest::Level_IsValid(topology.level())) {
    return absl::OkStatus();
  }
  return Refused("B1218", "the job asks for a level of topology unknown here",
                 "the client is newer than this scheduler", "use a client of this version");
}

absl::Status CheckGang(const v1::GangSpec& gang) {
  RETURN_IF_ERROR(CheckRange("the number of nodes", gang.nodes(), 1, kNodesMax));
  RETURN_IF_ERROR(CheckRange("the least number of nodes", gang.min_nodes(), 0, gang.nodes()));
  RETURN_IF_ERROR(
      CheckRange("the number of devices per node", gang.devices_per_node(), 0, kDevicesPerNodeMax));
  RETURN_IF_ERROR(CheckShare(gang));
  RETURN_IF_ERROR(CheckRange("the processor need per node (in thousandths of a core)",
                             gang.per_node().cpu_milli(), 0, kCpuMilliMax));
  return CheckSize("the memory need per node", gang.per_node().memory_mib());
}

}  // namespace

absl::Status CheckRange(absl::string_view noun, int64_t value, int64_t least, int64_t most) {
  if (value >= least && value <= most) {
    return absl::OkStatus();
  }
  return Refused("B1206", absl::StrCat(noun, " cannot be ", value),
                 absl::StrCat("the least is ", least, " and the most is ", most),
                 absl::StrCat("choose a number from ", least, " to ", most));
}

absl::Status CheckSize(absl::string_view noun, int64_t mib) {
  if (mib >= 0 && mib <= kSizeMibMax) {
    return absl::OkStatus();
  }
  constexpr int64_t kShownMax = INT64_MAX / kBytesPerMib;
  const int64_t shown = std::clamp(mib, -kShownMax, kShownMax);
  return Refused("B1206", absl::StrCat(noun, " cannot be ", FormatSize(shown * kBytesPerMib)),
                 absl::StrCat("the most is ", FormatSize(kSizeMibMax * kBytesPerMib)), "");
}

absl::Status CheckLength(absl::string_view noun, int64_t milliseconds, absl::Duration least,
                         absl::Duration most) {
  const absl::Duration length = absl::Milliseconds(milliseconds);
  if (length >= least && length <= most) {
    return absl::OkStatus();
  }
  return Refused("B1224", absl::StrCat(noun, " cannot be ", berth::FormatDuration(length)),
                 absl::StrCat("the least is ", berth::FormatDuration(least), " and the most is ",
                              berth::FormatDuration(most)),
                 "");
}

absl::StatusOr<GangShape> ToGangShape(const v1::JobSpec& spec) {
  GangShape shape;
  if (!spec.has_gang()) {
    return shape;
  }
  const v1::GangSpec& gang = spec.gang();
  RETURN_IF_ERROR(CheckGang(gang));
  RETURN_IF_ERROR(CheckClasses(gang));
  RETURN_IF_ERROR(CheckLabels(gang));
  RETURN_IF_ERROR(CheckExcludedNodes(gang));
  RETURN_IF_ERROR(CheckTopology(gang.topology()));
  shape.nodes = gang.nodes();
  shape.min_nodes = gang.min_nodes();
  shape.device_share_milli = gang.device_share_milli();
  shape.topology = SameEnum<TopologyLevel>(gang.topology().level());
  shape.topology_required = gang.topology().required();
  shape.devices_per_node = gang.devices_per_node();
  shape.per_node = {.cpu_milli = gang.per_node().cpu_milli(),
                    .memory_mib = gang.per_node().memory_mib()};
  shape.node_labels = {gang.node_labels().begin(), gang.node_labels().end()};
  shape.excluded_nodes = {gang.excluded_nodes().begin(), gang.excluded_nodes().end()};
  return shape;
}

absl::StatusOr<std::vector<Dependency>> ToDependencies(const v1::JobSpec& spec) {
  RETURN_IF_ERROR(
      CheckRange("the number of dependencies", spec.dependencies_size(), 0, kDependenciesMax));
  std::vector<Dependency> dependencies;
  for (const v1::Dependency& asked : spec.dependencies()) {
    if (!v1::DependencyKind_IsValid(asked.kind()) ||
        asked.kind() == v1::DEPENDENCY_KIND_UNSPECIFIED) {
      return Refused("B1218", absl::StrCat("there is no kind of dependency ", asked.kind()),
                     "the kinds are ok, any, fail and started", "use a client of this version");
    }
    if (asked.job_id() == 0) {
      return Refused("B1206", "a dependency names no job", "job ids begin with 1",
                     "name the job that must end first");
    }
    dependencies.push_back({LowerEnum<DependencyKind>(asked.kind()), JobId(asked.job_id())});
  }
  std::sort(dependencies.begin(), dependencies.end());
  dependencies.erase(std::unique(dependencies.begin(), dependencies.end()), dependencies.end());
  return dependencies;
}

absl::StatusOr<absl::Time> ToBeginTime(const v1::JobSpec& spec) {
  if (spec.begin_time_us() == 0) {
    return absl::InfinitePast();
  }
  RETURN_IF_ERROR(CheckRange("the begin time in microseconds since 1970", spec.begin_time_us(), 0,
                             kTimeMicrosMax));
  return absl::FromUnixMicros(spec.begin_time_us());
}

}  // namespace berth
