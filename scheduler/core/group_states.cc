#include "scheduler/core/group_states.h"

namespace berth {

GroupStates::GroupStates(const Cluster& cluster, const RoundBooks& books)
    : cluster_(cluster), books_(books), numbers_(cluster.groups().id_bound()) {}

GroupState& GroupStates::Of(GroupId id) {
  uint32_t& number = numbers_[id.value()];
  if (number == 0) {
    const PendingGroup& group = cluster_.GetGroup(id);
    states_.push_back({.id = id, .group = &group, .blocker = group.blocker});
    number = static_cast<uint32_t>(states_.size());
  }
  return states_[number - 1];
}

JobId GroupStates::NextJob(GroupState& state, JobId oldest) const {
  const PendingGroup& group = *state.group;
  // Without an array in it every job counts as one.
  const bool plain = group.tasks == static_cast<int64_t>(group.ready.size() + group.waiting.size());
  const auto is_taken = [&](JobId job) {
    return state.tasks_started >= (plain ? 1 : cluster_.StartableTasks(job)) ||
           books_.IsNominated(job);
  };
  if (!state.next.has_value()) {
    if (!is_taken(oldest)) {
      return oldest;
    }
    state.next = group.ready.begin();
  }
  auto& next = *state.next;
  while (next != group.ready.end() && is_taken(*next)) {
    state.tasks_started = 0;
    ++next;
  }
  return next == group.ready.end() ? JobId() : *next;
}

void GroupStates::Refuse(GroupId id, const Blocker& blocker) {
  if (!(cluster_.GetGroup(id).blocker == blocker)) {
    refused_.emplace_back(id, blocker);
  }
}

std::vector<std::pair<GroupId, Blocker>> GroupStates::TakeBlockers() {
  for (const GroupState& state : states_) {
    if (!(state.blocker == state.group->blocker)) {
      refused_.emplace_back(state.id, state.blocker);
    }
  }
  return std::move(refused_);
}

}  // namespace berth
