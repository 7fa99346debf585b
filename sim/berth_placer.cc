#include "sim/berth_placer.h"

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"

#include "scheduler/core/placement.h"
#include "sim/virtual_center.h"

namespace berth::sim {
namespace {

SimCenter MakeCenter(const std::vector<TraceNode>& nodes) {
  SimCenter center;
  for (size_t i = 0; i < nodes.size(); ++i) {
    center.nodes.push_back({
        .name = absl::StrCat("n", i),
        .devices = nodes[i].devices,
        .device_class = nodes[i].model.empty() ? "device" : nodes[i].model,
        .capacity = {.cpu_milli = nodes[i].cpu_milli, .memory_mib = nodes[i].memory_mib},
        .topology = {                               },
    });
  }
  center.tenants.push_back({"pods", {}});
  return center;
}

class Placer {
 public:
  explicit Placer(const std::vector<TraceNode>& nodes)
      : center_(MakeCenter(nodes), 1, absl::UnixEpoch()),
        cluster_(center_.engine().cluster()),
        view_(cluster_) {
    for (const auto& [id, name] : center_.engine().cluster().classes()) {
      classes_[name] = id;
    }
  }

  PodPlace Place(const PodShape& pod) {
    GangShape gang;
    gang.devices_per_node = pod.devices;
    gang.device_share_milli = pod.IsShare() ? pod.device_milli : 0;
    gang.per_node = {.cpu_milli = pod.cpu_milli, .memory_mib = pod.memory_mib};
    for (const auto& [name, id] : classes_) {
      if (pod.devices > 0 && pod.Allows(name)) {
        gang.classes.push_back(id);
      }
    }
    if (pod.devices > 0 && gang.classes.empty()) {
      return {};
    }
    // The core learns from what is submitted which shapes will come.
    JobSpec spec;
    spec.tenant = center_.tenant_numbers().begin()->first;
    spec.gang = gang;
    cluster_.AddJob(std::move(spec), absl::UnixEpoch());
    return PlaceAnywhere(gang);
  }

 private:
  PodPlace PlaceAnywhere(const GangShape& gang) {
    PlaceRequest request(gang, ClassId());
    request.tenant = center_.tenant_numbers().begin()->first;
    request.funding = Funding::kBorrowed;
    Blocker ignored;
    std::optional<std::vector<Placement>> members;
    if (gang.classes.empty()) {
      members = view_.Place(request, ignored);
    } else if (auto found = view_.PlaceInAny(request, gang.classes, ignored); found.has_value()) {
      request.device_class = found->device_class;
      members = std::move(found->members);
    }
    if (!members.has_value()) {
      return {};
    }
    view_.Take(request, *members);
    PodPlace place;
    // Node ids count from 1 in the order of the list.
    place.node = static_cast<int>(members->front().node.value()) - 1;
    for (const DeviceShare& device : members->front().devices) {
      place.devices.push_back(device.index);
    }
    return place;
  }

  VirtualCenter center_;
  Cluster cluster_;  // what has been submitted so far
  FreeView view_;
  std::map<std::string, ClassId> classes_;  // by name
};

}  // namespace

PodPlacer BerthPlacer(const std::vector<TraceNode>& nodes) {
  const auto placer = std::make_shared<Placer>(nodes);
  return [placer](const PodShape& pod) { return placer->Place(pod); };
}

}  // namespace berth::sim
