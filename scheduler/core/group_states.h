#ifndef BERTH_SCHEDULER_CORE_GROUP_STATES_H_
#define BERTH_SCHEDULER_CORE_GROUP_STATES_H_

// How far the groups of pending jobs have come in one planning round, and what those are told that
// stay behind. Owned by the round; the cluster must not change meanwhile.

#include <cstdint>
#include <deque>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "scheduler/core/cluster.h"
#include "scheduler/core/round_books.h"

namespace berth {

struct GroupState {
  GroupId id;
  const PendingGroup* group = nullptr;
  // Its oldest job; nothing as long as no other was asked for.
  std::optional<std::set<JobId>::const_iterator> next = {};
  int tasks_started = 0;  // of the array at `next`
  bool hopeless = false;  // nothing more of it starts in this round
  Blocker blocker;
};

class GroupStates {
 public:
  GroupStates(const Cluster& cluster, const RoundBooks& books);

  // Whether the round has considered it.
  bool Contains(GroupId id) const { return numbers_[id.value()] != 0; }
  // Made when it is asked for. Valid as long as the round.
  GroupState& Of(GroupId id);
  // The next job of the group that is not started or nominated yet; none if there is none.
  // `oldest`: its first job that is ready.
  JobId NextJob(GroupState& state, JobId oldest) const;
  // Of those alike, from `place` on, the first that has been considered, or the end.
  const QueuePlace* NextConsidered(const AlikePlaces& alike, const QueuePlace* place) const;
  // The same; those before it are told this, and the round does not look at them again.
  const QueuePlace* Refuse(const AlikePlaces& alike, const QueuePlace* place,
                           const Blocker& blocker);
  // Of all groups whose blocker is not the one that they have.
  std::vector<std::pair<GroupId, Blocker>> TakeBlockers();

 private:
  // Whether all of these that have not been considered have this blocker.
  bool AreAllTold(const AlikePlaces& alike, const Blocker& blocker) const;

  const Cluster& cluster_;
  const RoundBooks& books_;
  std::vector<uint32_t> numbers_;  // of the states, from 1, by group; 0: it has none
  std::deque<GroupState> states_;
  std::vector<std::pair<GroupId, Blocker>> refused_;
};

}  // namespace berth

#endif  // BERTH_SCHEDULER_CORE_GROUP_STATES_H_
