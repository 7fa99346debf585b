#ifndef BERTH_SCHEDULER_CORE_GROUP_STATES_H_
#define BERTH_SCHEDULER_CORE_GROUP_STATES_H_

// How far the groups of pending jobs have come in one planning round, and what those are told that
// stay behind. Owned by the round; the cluster must not change meanwhile.

#include <set>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"

#include "scheduler/core/cluster.h"
#include "scheduler/core/round_books.h"

namespace berth {

struct GroupState {
  const PendingGroup* group = nullptr;
  std::set<JobId>::const_iterator next;
  int tasks_started = 0;  // of the array at `next`
  bool hopeless = false;  // nothing more of it starts in this round
  Blocker blocker;
};

class GroupStates {
 public:
  explicit GroupStates(const Cluster& cluster);

  // Whether the round has considered it.
  bool Contains(GroupId id) const { return states_.contains(id); }
  // Made when it is asked for. Valid as long as the round.
  GroupState& Of(GroupId id);
  // The next job of the group that is not started or nominated yet; none if there is none.
  JobId NextJob(GroupState& state, const RoundBooks& books) const;
  // For a group that the round does not look at again, and has not considered.
  void Refuse(const PendingGroup& group, GroupId id, const Blocker& blocker);
  // Of all groups whose blocker is not the one that they have.
  std::vector<std::pair<GroupId, Blocker>> TakeBlockers();

 private:
  const Cluster& cluster_;
  absl::flat_hash_map<GroupId, GroupState> states_;
  std::vector<GroupId> considered_;
  std::vector<std::pair<GroupId, Blocker>> refused_;
};

}  // namespace berth

#endif  // BERTH_SCHEDULER_CORE_GROUP_STATES_H_
