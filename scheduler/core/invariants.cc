#include "scheduler/core/invariants.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

#include "common/status_macros.h"

namespace berth {
namespace {

absl::Status Broken(absl::string_view invariant, const std::string& detail) {
  return absl::InternalError(absl::StrCat(invariant, " is broken: ", detail));
}

bool Holds(const Allocation& allocation) {
  return allocation.state != AllocationState::kReleased;
}

// I2a: at most 1000 milli of a device are given out, and the node's books say so.
absl::Status CheckDevices(const Cluster& cluster) {
  std::map<std::pair<NodeId, int>, int> in_use;
  for (const auto& [id, allocation] : cluster.allocations()) {
    if (!Holds(allocation)) {
      continue;
    }
    for (const DeviceShare& share : allocation.devices) {
      in_use[{allocation.node, share.index}] += share.milli;
    }
  }
  for (const auto& [device, milli] : in_use) {
    const auto& books = cluster.GetLoad(device.first).device_milli;
    const auto entry = books.find(device.second);
    if (milli > kWholeDeviceMilli || entry == books.end() || entry->second != milli) {
      return Broken("I2a", absl::StrFormat("node %d device %d has %d milli given out",
                                           device.first.value(), device.second, milli));
    }
  }
  size_t booked = 0;
  for (const auto& [id, node] : cluster.nodes()) {
    booked += cluster.GetLoad(id).device_milli.size();
  }
  return booked == in_use.size() ? absl::OkStatus()
                                 : Broken("I2a", absl::StrFormat("%d devices booked, %d in use",
                                                                 booked, in_use.size()));
}

// The free index lists exactly the free devices of usable nodes.
absl::Status CheckFreeIndex(const Cluster& cluster) {
  std::map<std::pair<ClassId, NodeId>, int> expected;
  for (const auto& [id, node] : cluster.nodes()) {
    if (node.state != NodeState::kReady) {
      continue;
    }
    for (const Device& device : node.facts.devices) {
      if (device.health != DeviceHealth::kQuarantined &&
          !cluster.GetLoad(id).device_milli.contains(device.index) &&
          !cluster.GetLoad(id).nominated.contains(device.index)) {
        ++expected[{device.device_class, id}];
      }
    }
  }
  size_t listed = 0;
  for (const auto& [device_class, by_count] : cluster.free_index()) {
    for (const auto& [count, nodes] : by_count) {
      for (NodeId node : nodes) {
        ++listed;
        const auto entry = expected.find({device_class, node});
        if (entry == expected.end() || entry->second != count) {
          return Broken("free index",
                        absl::StrFormat("node %d listed with %d", node.value(), count));
        }
      }
    }
  }
  return listed == expected.size() ? absl::OkStatus() : Broken("free index", "a node is missing");
}

// I3 and quota.md I1: use adds up, and the owned sum stays within the entitlement.
absl::Status CheckQuota(const Cluster& cluster) {
  std::map<QuotaKey, QuotaUse> expected;
  for (const auto& [id, allocation] : cluster.allocations()) {
    if (!Holds(allocation) || allocation.devices.empty()) {
      continue;
    }
    const Job& job = cluster.GetJob(allocation.job);
    const auto devices = static_cast<int64_t>(allocation.devices.size());
    for (const ProjectId project : {ProjectId(), allocation.project}) {
      QuotaUse& use = expected[{allocation.tenant, project, allocation.device_class}];
      (job.attempt.funding == Funding::kOwned ? use.owned : use.borrowed) += devices;
      use.non_preemptible += job.spec.preemptible ? 0 : devices;
    }
  }
  for (const auto& [key, use] : expected) {
    const QuotaUse booked = cluster.quota().Use(key);
    if (booked.owned != use.owned || booked.borrowed != use.borrowed ||
        booked.non_preemptible != use.non_preemptible) {
      return Broken("quota use",
                    absl::StrFormat("tenant %d: booked %d+%d, in use %d+%d", key.tenant.value(),
                                    booked.owned, booked.borrowed, use.owned, use.borrowed));
    }
    // What may not be stopped keeps its label through a cut.
    const int64_t entitlement = cluster.quota().Limits(key).entitlement;
    if (!key.project && use.owned > std::max(entitlement, use.non_preemptible)) {
      return Broken("I1 (owned sum)", absl::StrFormat("tenant %d owns %d, %d are labelled owned",
                                                      key.tenant.value(), entitlement, use.owned));
    }
  }
  return absl::OkStatus();
}

// I4: a dispatched gang has exactly its members, all of the current attempt, on distinct nodes.
absl::Status CheckGang(const Cluster& cluster, const Job& job) {
  if (static_cast<int>(job.allocations.size()) != job.spec.gang.nodes) {
    return Broken("I4", absl::StrFormat("job %d has %d of %d members", job.id.value(),
                                        job.allocations.size(), job.spec.gang.nodes));
  }
  std::set<NodeId> nodes;
  for (AllocationId id : job.allocations) {
    const Allocation* member = cluster.FindAllocation(id);
    if (member == nullptr || member->job != job.id || member->attempt != job.attempt.number ||
        static_cast<int>(member->devices.size()) != job.spec.gang.devices_per_node) {
      return Broken(
          "I4", absl::StrFormat("job %d: member %d is not its own", job.id.value(), id.value()));
    }
    nodes.insert(member->node);
    const bool started = member->state == AllocationState::kRunning;
    if (started && job.state == JobState::kDispatching) {
      return Broken("I4", absl::StrFormat("job %d runs before all are prepared", job.id.value()));
    }
  }
  return nodes.size() == job.allocations.size()
             ? absl::OkStatus()
             : Broken("I4", absl::StrFormat("job %d has two members on one node", job.id.value()));
}

absl::Status CheckJobs(const Cluster& cluster) {
  for (const auto& [id, job] : cluster.jobs()) {
    const bool active = IsActive(job.state) && !job.is_array();
    if (active != cluster.active_jobs().contains(id)) {
      return Broken("active jobs", absl::StrFormat("job %d is %s", id.value(), Name(job.state)));
    }
    if (active) {
      RETURN_IF_ERROR(CheckGang(cluster, job));
    } else if (!job.allocations.empty()) {
      return Broken("I4",
                    absl::StrFormat("job %d is %s and has members", id.value(), Name(job.state)));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckInvariants(const Cluster& cluster) {
  RETURN_IF_ERROR(CheckDevices(cluster));
  RETURN_IF_ERROR(CheckFreeIndex(cluster));
  RETURN_IF_ERROR(CheckQuota(cluster));
  RETURN_IF_ERROR(CheckJobs(cluster));
  return CheckPendingInvariants(cluster);
}

}  // namespace berth
