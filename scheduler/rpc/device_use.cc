#include "scheduler/rpc/device_use.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

namespace berth {
namespace {

// Who has a device.
struct Holders {
  std::set<JobId> jobs;  // that the caller may see
  bool others = false;
  absl::Time since = absl::InfinitePast();  // the last of them has it
};

std::map<int, Holders> HoldersByDevice(NodeId node, const Actor& actor, const Cluster& cluster) {
  std::map<int, Holders> holders;
  for (const AllocationId id : cluster.AllocationsOn(node)) {
    const Allocation& allocation = cluster.GetAllocation(id);
    for (const DeviceShare& device : allocation.devices) {
      Holders& those = holders[device.index];
      those.since = std::max(those.since, allocation.reserved_at);
      if (actor.MaySee(allocation.tenant)) {
        those.jobs.insert(allocation.job);
      } else {
        those.others = true;
      }
    }
  }
  return holders;
}

bool MaySeeSample(const Holders& holders, const Actor& actor) {
  return actor.IsCenter() || (!holders.others && !holders.jobs.empty());
}

}  // namespace

void FillSamples(const JobRecord& record, const ReadView& view, const SampleBoard& board,
                 v1::Job& job) {
  for (size_t i = 0; i < record.allocations.size(); ++i) {
    const Allocation& allocation = record.allocations[i];
    SampleReading reading = board.Find(allocation.node);
    if (allocation.state == AllocationState::kReleased ||
        reading.age > view.now() - allocation.reserved_at) {
      continue;
    }
    for (v1::DeviceSample& sample : reading.samples) {
      const bool its_own =
          std::any_of(allocation.devices.begin(), allocation.devices.end(),
                      [&](const DeviceShare& share) { return share.index == sample.index(); });
      if (its_own) {
        *job.mutable_allocations(static_cast<int>(i))->add_samples() = std::move(sample);
      }
    }
  }
}

void FillUses(const Node& node, const Actor& actor, const ReadView& view, const SampleBoard& board,
              v1::Node& message) {
  const SampleReading reading = board.Find(node.id);
  std::map<int, Holders> holders = HoldersByDevice(node.id, actor, view.cluster());
  for (const Device& device : node.facts.devices) {
    const Holders& those = holders[device.index];
    v1::DeviceUse& use = *message.add_uses();
    use.set_index(device.index);
    use.set_taken(those.others || !those.jobs.empty());
    for (const JobId job : those.jobs) {
      use.add_jobs(job.value());
    }
    const auto sample = std::find_if(
        reading.samples.begin(), reading.samples.end(),
        [&](const v1::DeviceSample& candidate) { return candidate.index() == device.index; });
    if (sample != reading.samples.end() && MaySeeSample(those, actor) &&
        reading.age <= view.now() - those.since) {
      *use.mutable_sample() = *sample;
    }
  }
}

}  // namespace berth
