#include "scheduler/core/group_states.h"

namespace berth {

GroupStates::GroupStates(const Cluster& cluster) : cluster_(cluster) {
  // What Of returns stays where it is.
  states_.reserve(cluster.groups().size());
  considered_.reserve(cluster.groups().size());
}

GroupState& GroupStates::Of(GroupId id) {
  const auto [found, added] = states_.try_emplace(id);
  GroupState& state = found->second;
  if (added) {
    state.group = &cluster_.GetGroup(id);
    state.next = state.group->ready.begin();
    state.blocker = state.group->blocker;
    considered_.push_back(id);
  }
  return state;
}

JobId GroupStates::NextJob(GroupState& state, const RoundBooks& books) const {
  const PendingGroup& group = *state.group;
  // Without an array in it every job counts as one.
  const bool plain = group.tasks == static_cast<int64_t>(group.ready.size() + group.waiting.size());
  while (state.next != group.ready.end() &&
         (state.tasks_started >= (plain ? 1 : cluster_.StartableTasks(*state.next)) ||
          books.IsNominated(*state.next))) {
    state.tasks_started = 0;
    ++state.next;
  }
  return state.next == group.ready.end() ? JobId() : *state.next;
}

void GroupStates::Refuse(const PendingGroup& group, GroupId id, const Blocker& blocker) {
  if (!(group.blocker == blocker)) {
    refused_.emplace_back(id, blocker);
  }
}

std::vector<std::pair<GroupId, Blocker>> GroupStates::TakeBlockers() {
  for (GroupId id : considered_) {
    const GroupState& state = states_.at(id);
    if (!(state.blocker == state.group->blocker)) {
      refused_.emplace_back(id, state.blocker);
    }
  }
  return std::move(refused_);
}

}  // namespace berth
