#include "scheduler/core/node_loss.h"

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

#include "common/planted_bug.h"
#include "scheduler/core/job_progress.h"

namespace berth {
namespace {

constexpr int kMassLossLeast = 2;

// Counts who would be lost together with whom: those that fell silent before, or soon after, and
// those that were lost a moment ago, back or not.
class Silences {
 public:
  Silences(const Cluster& cluster, const Policy& policy, absl::Time now) : policy_(policy) {
    for (const auto& [id, node] : cluster.nodes()) {
      if (node.state == NodeState::kSuspect) {
        since_.push_back(node.silent_since);
      }
      const bool is_just_lost = node.lost_at >= now - policy.mass_loss_window;
      just_lost_ += is_just_lost ? 1 : 0;
      known_ +=
          is_just_lost || (node.state != NodeState::kPending && node.state != NodeState::kLost &&
                           node.state != NodeState::kRemoved)
              ? 1
              : 0;
    }
    std::sort(since_.begin(), since_.end());
  }

  int known() const { return known_; }
  int With(const Node& node) const {
    const auto last = std::upper_bound(since_.begin(), since_.end(),
                                       node.silent_since + policy_.mass_loss_window);
    return static_cast<int>(last - since_.begin()) + just_lost_;
  }
  bool AreMany(const Node& node) const {
    const int count = With(node);
    return policy_.mass_loss_percent < 100 && count >= kMassLossLeast &&
           int64_t{count} * 100 > int64_t{known_} * policy_.mass_loss_percent &&
           !Planted(PlantedBug::kNoMassLossHold);
  }

 private:
  const Policy& policy_;
  std::vector<absl::Time> since_;  // of suspect nodes, in order
  int just_lost_ = 0;
  int known_ = 0;  // that could be silent or not
};

// On a quarantined node a member that is being stopped may be one that cannot be killed: time is no
// evidence of its end.
void LoseMembers(const Step& step, NodeId id, absl::string_view message) {
  const bool is_quarantined = step.cluster.GetNode(id).state == NodeState::kQuarantined;
  const std::set<AllocationId> held = step.cluster.AllocationsOn(id);
  for (AllocationId live : held) {
    const Allocation* allocation = step.cluster.FindAllocation(live);
    if (allocation == nullptr || allocation->state == AllocationState::kReleased ||
        (is_quarantined && allocation->state == AllocationState::kReleasing)) {
      continue;
    }
    const Job& job = step.cluster.GetJob(allocation->job);
    if (job.spec.on_node_loss != NodeLossPolicy::kHold) {
      LoseMember(step, live, ReleaseEvidence::kNodeLost, message);
    } else if (job.state == JobState::kRunning) {
      step.cluster.MoveJob(job.id, JobState::kWaitNode);
    }
  }
}

std::string SilentFor(const Step& step, const Node& node) {
  return absl::StrFormat("node %s was silent for %s", node.name,
                         absl::FormatDuration(step.policy.lost_after));
}

void HoldLoss(const Step& step, NodeId id, const Silences& silences) {
  const Node& node = step.cluster.GetNode(id);
  const std::string detail = absl::StrFormat(
      "silent, and held with %d of %d nodes: nothing of them is given away until they are back or "
      "an operator ends it (berth node end-hold)",
      silences.With(node), silences.known());
  if (node.loss_held && node.state_detail == detail) {
    return;
  }
  step.cluster.SetNodeState(id, NodeState::kSuspect, detail);
  step.cluster.TouchNode(id, [](Node& held) { held.loss_held = true; });
}

}  // namespace

void ReleaseAll(const Step& step, NodeId id, ReleaseEvidence evidence, absl::string_view message) {
  const std::set<AllocationId> held = step.cluster.AllocationsOn(id);
  for (AllocationId live : held) {
    const Allocation* allocation = step.cluster.FindAllocation(live);
    if (allocation != nullptr && allocation->state != AllocationState::kReleased) {
      LoseMember(step, live, evidence, message);
    }
  }
}

void LoseNode(const Step& step, NodeId id) {
  const std::string message = SilentFor(step, step.cluster.GetNode(id));
  step.cluster.SetNodeState(id, NodeState::kLost, message);
  step.cluster.TouchNode(id, [&step](Node& node) { node.lost_at = step.now; });
  LoseMembers(step, id, message);
}

void BuryNode(const Step& step, NodeId id, ReleaseEvidence evidence, absl::string_view message) {
  if (IsConnected(step.cluster.GetNode(id).state)) {
    step.cluster.SetNodeState(id, NodeState::kSuspect, message);
  }
  step.cluster.SetNodeState(id, NodeState::kLost, message);
  ReleaseAll(step, id, evidence, message);
}

void CheckSilence(const Step& step) {
  std::vector<NodeId> silent;
  std::vector<NodeId> lost;
  std::vector<NodeId> quarantined;
  for (const auto& [id, node] : step.cluster.nodes()) {
    const absl::Duration silence = step.now - node.silent_since;
    if (silence > step.policy.suspect_after && IsConnected(node.state)) {
      silent.push_back(id);
    } else if (silence > step.policy.lost_after && node.state == NodeState::kSuspect) {
      lost.push_back(id);
    } else if (silence > step.policy.lost_after && node.state == NodeState::kQuarantined) {
      quarantined.push_back(id);
    }
  }
  for (NodeId id : silent) {
    step.cluster.SetNodeState(id, NodeState::kSuspect, "its agent is silent");
  }
  if (!lost.empty()) {
    const Silences silences(step.cluster, step.policy, step.now);
    for (NodeId id : lost) {
      if (silences.AreMany(step.cluster.GetNode(id))) {
        HoldLoss(step, id, silences);
      } else {
        LoseNode(step, id);
      }
    }
  }
  for (NodeId id : quarantined) {
    LoseMembers(step, id, SilentFor(step, step.cluster.GetNode(id)));
  }
}

void QuarantineNode(const Step& step, NodeId id, absl::string_view why) {
  const NodeState state = step.cluster.GetNode(id).state;
  if (IsConnected(state) || state == NodeState::kSuspect) {
    step.cluster.SetNodeState(id, NodeState::kQuarantined, why);
  }
}

std::string InventoryMismatch(const NodeFacts& before, const NodeFacts& after) {
  const auto was_divided = [&after](const Device& known) {
    return std::any_of(after.devices.begin(), after.devices.end(), [&](const Device& device) {
      return device.part_of == known.uuid ||
             (!known.part_of.empty() &&
              (device.uuid == known.part_of || device.part_of == known.part_of));
    });
  };
  for (const Device& known : before.devices) {
    const auto found =
        std::find_if(after.devices.begin(), after.devices.end(),
                     [&known](const Device& device) { return device.uuid == known.uuid; });
    if (found == after.devices.end()) {
      if (was_divided(known)) {
        continue;
      }
      return absl::StrFormat("its inventory changed: device %d (%s) is gone", known.index,
                             known.uuid);
    }
    if (found->index != known.index) {
      return absl::StrFormat("its inventory changed: device %d (%s) is device %d now", known.index,
                             known.uuid, found->index);
    }
  }
  return "";
}

std::string MissingUnderTask(const Cluster& cluster, NodeId id) {
  const std::vector<Device>& told = cluster.GetNode(id).facts.devices;
  for (AllocationId held : cluster.AllocationsOn(id)) {
    const Allocation& allocation = cluster.GetAllocation(held);
    for (const DeviceShare& share : allocation.devices) {
      if (allocation.confirmed &&
          std::none_of(told.begin(), told.end(),
                       [&share](const Device& device) { return device.uuid == share.uuid; })) {
        return absl::StrFormat("device %d (%s) is gone or divided, and job %d has it", share.index,
                               share.uuid, allocation.job.value());
      }
    }
  }
  return "";
}

std::vector<NodeId> NodesThatMayBeDead(const Cluster& cluster, const Policy& policy,
                                       absl::Time now) {
  std::vector<NodeId> nodes;
  for (const auto& [id, node] : cluster.nodes()) {
    const bool is_silent =
        node.state == NodeState::kSuspect || node.state == NodeState::kLost ||
        (node.state == NodeState::kQuarantined && now - node.silent_since > policy.suspect_after);
    if (is_silent && !cluster.AllocationsOn(id).empty()) {
      nodes.push_back(id);
    }
  }
  if (!nodes.empty()) {
    const Silences silences(cluster, policy, now);
    std::erase_if(nodes, [&](NodeId id) { return silences.AreMany(cluster.GetNode(id)); });
  }
  return nodes;
}

bool IsHeardOf(const Step& step, const Node& node) {
  return node.session && step.now - node.silent_since <= step.policy.suspect_after;
}

}  // namespace berth
