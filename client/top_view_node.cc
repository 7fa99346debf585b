// The picture of one node.

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "client/device_use.h"
#include "client/output.h"
#include "client/text.h"
#include "client/top_view.h"
#include "client/views.h"
#include "common/quantity.h"

namespace berth {
namespace {

constexpr int64_t kBytesShift = 20;  // of a MiB

std::string NodeTitle(const v1::Node& node, absl::Time now) {
  const std::string detail =
      node.state_detail().empty() ? "" : absl::StrCat(" (", CleanText(node.state_detail()), ")");
  const int devices = node.facts().devices_size();
  return absl::StrCat(CleanText(node.name()), "  ", ClockText(now), "   ",
                      NodeStateWord(node.state()), detail, "   ", devices, " devices, ",
                      node.devices_free(), " free   heard ",
                      TimeForPeople(TimeFromMicros(node.last_heartbeat_us()), now));
}

std::string HolderCell(const v1::DeviceUse& use) {
  if (use.jobs().empty()) {
    return use.taken() ? "another tenant" : "-";
  }
  return absl::StrJoin(use.jobs(), ",");
}

std::string MemoryOfDevice(const v1::DeviceSample& sample, const v1::Device& device) {
  const std::string used = sample.has_memory_used_mib()
                               ? FormatSize(sample.memory_used_mib() << kBytesShift)
                               : std::string("-");
  return device.memory_mib() == 0
             ? used
             : absl::StrCat(used, " of ", FormatSize(device.memory_mib() << kBytesShift));
}

}  // namespace

std::string NodePicture(const v1::Node& node, const PictureSize& size, absl::Time now) {
  std::map<int, const v1::DeviceUse*> uses;
  for (const v1::DeviceUse& use : node.uses()) {
    uses[use.index()] = &use;
  }
  Listing listing{
      .kind = "DeviceList",
      .columns = {Right("DEVICE"),       Left("CLASS", 2), Left("JOB"), Right("UTILIZATION"),
                  Right("MEMORY", 1), Right("POWER"), Left("HEALTH")},
      .rows = {}
  };
  for (const v1::Device& device : node.facts().devices()) {
    const auto found = uses.find(device.index());
    const v1::DeviceUse use = found == uses.end() ? v1::DeviceUse() : *found->second;
    const v1::DeviceSample& sample = use.sample();
    listing.rows.push_back({
        .json = {                       },
        .cells = {
                 absl::StrCat(device.index()), device.device_class(), HolderCell(use),
                 PercentText(sample.has_utilization_percent()
                            ? std::optional<int>(sample.utilization_percent())
                            : std::nullopt),
                 MemoryOfDevice(sample, device),
                 PowerText(sample.has_power_watts() ? std::optional<int64_t>(sample.power_watts())
                                               : std::nullopt),
                 absl::StrCat(DeviceHealthWord(device.health()),
                 device.health_detail().empty() ? "" : ": ", device.health_detail())}
    });
  }
  std::vector<std::string> lines = {NodeTitle(node, now)};
  AddTable(listing, size, now, lines);
  return JoinLines(lines, size);
}

}  // namespace berth
