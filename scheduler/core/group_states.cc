#include "scheduler/core/group_states.h"

#include <algorithm>

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

const QueuePlace* GroupStates::NextConsidered(const AlikePlaces& alike,
                                              const QueuePlace* place) const {
  const QueuePlace* const end = alike.places.data() + alike.places.size();
  return std::find_if(place, end, [this](const QueuePlace& of) { return Contains(of.group); });
}

bool GroupStates::AreAllTold(const AlikePlaces& alike, const Blocker& blocker) const {
  int others = static_cast<int>(alike.places.size());
  int told = alike.Told(blocker);
  for (const QueuePlace& place : alike.places) {
    if (const uint32_t number = numbers_[place.group.value()]; number != 0) {
      --others;
      told -= states_[number - 1].group->blocker == blocker ? 1 : 0;
    }
  }
  return told == others;
}

const QueuePlace* GroupStates::Refuse(const AlikePlaces& alike, const QueuePlace* place,
                                      const Blocker& blocker) {
  const QueuePlace* const considered = NextConsidered(alike, place);
  // As a rule they were told so before. This is seen without a look at each group.
  if (AreAllTold(alike, blocker)) {
    return considered;
  }
  for (; place != considered; ++place) {
    if (!(cluster_.GetGroup(place->group).blocker == blocker)) {
      refused_.emplace_back(place->group, blocker);
    }
  }
  return considered;
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
